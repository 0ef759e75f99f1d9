"""The numbers of a card; its text is tested on the folder of a real run, in test_training.py."""

import pytest

from hf_audio.runs.card import shown_command


@pytest.mark.parametrize(
    "flags", [["--hub_token", "hf_abc"], ["--hub-token=hf_a=bc"], ["--push_to_hub_token", "hf_a=bc"]]
)
def test_the_command_tells_no_secret_and_no_folder(flags):
    command = shown_command(["/home/me/recipes/tones.py", *flags, "--data_dir=/home/me/tones", "--seed", "1"])
    assert "hf_a" not in command and "/home" not in command
    assert command.startswith("python tones.py") and command.endswith("--data_dir=tones --seed 1")
