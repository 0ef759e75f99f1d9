"""Files for small devices: of one shape, and torch's answers by each format's own runtime."""

import numpy as np
import onnx
import pytest
import soundfile
from helpers.checkpoints import FRAMES, save_checkpoint
from helpers.recordings import RATE, tone, write_table

from hf_audio.cli import main
from hf_audio.errors import ArgumentError, CheckpointError, ExportError, MissingExtraError
from hf_audio.export.devices import device
from hf_audio.export.devices.device import export_for_device, is_installed
from hf_audio.export.site import make_site
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.torch_classifier import TorchAudioClassifier

NAMES = {0: "low", 1: "mid", 2: "high"}
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "executorch": ".pte"}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A table of tones with labels."""
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for index, hertz in enumerate((250, 400, 900, 1500, 2500, 3500)):
        soundfile.write(folder / f"{index}.wav", tone(hertz, 1.2, seed=index), RATE)
        rows.append([f"{index}.wav", NAMES[index // 2]])
    return write_table(folder / "clips.csv", [["path", "label"], *rows])


def sizes(values):
    return [[each.dim_value for each in value.type.tensor_type.shape.dim] for value in values]


@pytest.mark.exhaustive
def test_eight_bits_of_one_shape(tmp_path, checkpoint, clips, capsys):
    path = tmp_path / "small.onnx"
    words = ["--output", str(path), "--static", "--int8", "--clips", str(clips), "--c_header"]
    main(["export", str(checkpoint), *words])
    told = capsys.readouterr().out
    assert "of 6 clips" in told and "by this file" in told and "million multiply-adds a second of audio" in told
    assert "In floats: the front-end" in told
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["small.h", "small.onnx"]
    graph = onnx.load(path).graph
    assert sizes(graph.input) == [[1, RATE]] and sizes(graph.output) == [[1, 3]]
    assert {node.op_type for node in graph.node}.isdisjoint({"If", "Loop", "Scan", "STFT", "DFT", "Shape"})
    ours, torchs = load_classifier(path), TorchAudioClassifier(checkpoint)
    assert ours.facts == torchs.facts
    sounds = [tone(hertz, 1.2, seed=place) for place, hertz in ((0, 250), (2, 900))]  # of the clips
    assert 0 < np.abs(ours.judge(sounds) - torchs.judge(sounds)).max() < ours.int8_bound < 0.5
    with pytest.raises(ExportError, match="takes windows of one length alone: give a file exported without --static"):
        make_site(path, tmp_path / "site")
    short = tone(700, 0.4)
    filled = np.pad(short, (RATE - len(short)) // 2)
    np.testing.assert_array_equal(ours.judge([short]), ours.judge([filled]))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_network_of_frames_without_its_front_end(tmp_path):
    folder = save_checkpoint(tmp_path / "checkpoint", **FRAMES, id2label=NAMES, top_db=60, overlap=0.5)
    export = export_for_device(folder, tmp_path / "my.onnx", without_frontend=True)
    assert export.largest_difference < 1e-4  # of frames too
    names = ["checkpoint", "my.onnx", "my_frontend.npz", "my_frontend.py"]
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == names
    graph = onnx.load(tmp_path / "my.onnx").graph
    assert sizes(graph.input) == [[1, 20, 101]] and sizes(graph.output) == [[1, 3], [1, 50, 3]]
    assert export.footprint.in_floats == "" and export.footprint.file_bytes == (tmp_path / "my.onnx").stat().st_size
    with pytest.raises(CheckpointError, match="exported without its front-end and reads features: it is for devices"):
        load_classifier(tmp_path / "my.onnx")


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("format", SUFFIXES)
def test_every_format_gives_torchs_answers_by_its_own_runtime(tmp_path, clips, format, int8):
    if not is_installed(format):
        pytest.skip(f"{format} is not installed")
    folder = save_checkpoint(
        tmp_path / "checkpoint", id2label=NAMES, hidden_sizes=[8, 12, 16], stem_stride=2, early_pooling=True
    )
    files = [clips.parent / f"{index}.wav" for index in range(6)]
    path = tmp_path / f"model{SUFFIXES[format]}"
    export = export_for_device(folder, path, files, labels=[NAMES[i // 2] for i in range(6)], format=format, int8=int8)
    assert path.is_file() and export.accuracies is not None
    assert export.largest_difference < (0.2 if int8 else 1e-4)
    assert ("the front-end" in export.footprint.in_floats) is int8


REFUSED = {
    "numbers": ({"num_digits": 3, "pooling": "attention"}, "reads numbers, which may be of any length"),
    "speech alone": ({"speech_only": True}, "is of speech alone, which another network has to find first"),
    "beginnings": ({"trim_db": 60}, "looks for the beginning of the sound"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_one_shape_is_refused(tmp_path, kind):
    config, reason = REFUSED[kind]
    folder = save_checkpoint(tmp_path / "checkpoint", **config)
    with pytest.raises(ExportError, match=f"checkpoint {reason}.*: export it to plain ONNX, without --static."):
        export_for_device(folder, tmp_path / "model.onnx")
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]


def test_refusals(tmp_path, checkpoint, clips, monkeypatch, caplog):
    with pytest.raises(ExportError, match=r"model.tflite must end in .onnx, as ONNX has it."):
        export_for_device(checkpoint, tmp_path / "model.tflite")
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ExecuTorch needs executorch, torchao: pip install 'hf-audio\[exec"):
        export_for_device(checkpoint, tmp_path / "model.pte", format="executorch")
    monkeypatch.undo()

    def refuse(*_):
        raise RuntimeError("aten.fancy is not supported\nby this tool")

    monkeypatch.setattr("hf_audio.export.devices.onnx_static.write", refuse)
    soundfile.write(tmp_path / "low.wav", tone(300, 1, rate=4000), 4000)
    with pytest.raises(ExportError, match=r"ONNX does not take this network \(aten.fancy is not supported by this"):
        export_for_device(checkpoint, tmp_path / "model.onnx", [tmp_path / "low.wav"], int8=True)
    assert "low.wav holds 4000 Hz, and the network hears 8000 Hz" in caplog.text
    assert [entry.name for entry in tmp_path.iterdir()] == ["low.wav"]


def test_arguments_that_do_not_go_together(checkpoint, tmp_path):
    from hf_audio.commands import export

    with pytest.raises(ArgumentError, match="--c_header is of files for devices: add --static"):
        export(checkpoint, output=tmp_path / "model.onnx", c_header=True)
    with pytest.raises(ArgumentError, match="--embeddings is of plain ONNX files"):
        export(checkpoint, output=tmp_path / "model.onnx", static=True, embeddings=True)
