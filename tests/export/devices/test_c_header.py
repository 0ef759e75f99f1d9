"""An exported file as C has it, read by a compiler."""

import shutil
import subprocess

import numpy as np
import pytest
from helpers.checkpoints import tiny_config, trained_looking_model

from hf_audio.export.devices.c_header import write_header
from hf_audio.export.devices.static import StaticParts, read_constants
from hf_audio.inference.facts import Facts

PROGRAM = r"""
#include <stdio.h>
#include "my_net_2.h"
int main(void) {
  unsigned sum = 0;
  for (int i = 0; i < MY_NET_2_MODEL_BYTES; i++) sum = sum * 31 + my_net_2_model[i];
  printf("%u %d %d\n", sum, MY_NET_2_SAMPLING_RATE, MY_NET_2_WINDOW_SAMPLES);
  for (int i = 0; i < MY_NET_2_N_LABELS; i++) printf("%s\n", my_net_2_labels[i]);
  int at = 0;
  for (int mel = 0; mel < MY_NET_2_N_MELS; mel++) {
    float total = 0;
    for (int k = 0; k < my_net_2_mel_count[mel]; k++)
      total += my_net_2_mel_weights[at++] * (my_net_2_mel_first[mel] + k);
    printf("%.9g %.9g %.9g\n", total, my_net_2_mean[mel], my_net_2_deviation[mel]);
  }
  return 0;
}
"""


def test_a_compiler_reads_what_was_written(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    names = {0: 'a "dog"?\\', 1: "звук", 2: "c7"}
    model = trained_looking_model(tiny_config(id2label=names))
    facts = Facts.from_config(model.config, 8000)
    data = bytes(np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8))
    (tmp_path / "my-net.2.tflite").write_bytes(data)
    parts = StaticParts(lambda window: window.new_zeros(1, 20, 101), model, read_constants(model), facts)
    header = write_header(parts, tmp_path / "my-net.2.tflite", with_frontend=False)
    assert header.name == "my-net.2.h"
    shutil.copyfile(header, tmp_path / "my_net_2.h")
    (tmp_path / "main.c").write_text(PROGRAM)
    subprocess.run(["cc", "-Wall", "-Werror", "-o", "main", "main.c"], cwd=tmp_path, check=True)
    told = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout.decode().splitlines()
    total = 0
    for each in data:
        total = (total * 31 + each) % 2**32
    assert told[0] == f"{total} 8000 8000"
    assert told[1:4] == list(names.values())
    filters = parts.constants["mel_filters"]
    rows = np.array([line.split() for line in told[4:]], dtype=np.float32)
    np.testing.assert_allclose(rows[:, 0], filters @ np.arange(filters.shape[1]), rtol=1e-5)
    np.testing.assert_array_equal(rows[:, 1], parts.constants["mean"])
    np.testing.assert_array_equal(rows[:, 2], parts.constants["deviation"])
