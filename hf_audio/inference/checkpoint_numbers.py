"""Numbers of a stranger's checkpoint that would fill memory before anything else could be found wrong with it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForAudioClassification, PreTrainedConfig, SequenceFeatureExtractor

from ..errors import CheckpointError

LARGEST = {
    **dict.fromkeys(("num_labels", "hidden_size", "intermediate_size"), 100_000),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "num_digits"), 1000),
    # Of the filter banks and spectrograms that feature extractors make.
    **dict.fromkeys(("n_fft", "fft_window_size", "win_length", "max_length"), 2**17),
    **dict.fromkeys(("feature_size", "num_mel_bins", "n_mels", "n_mfcc"), 2**14),
}
LONGEST_LIST = 1000  # of sizes, one a layer
MOST_PARAMETERS = 4_000_000_000  # of a Hub id, whose files are elsewhere
WEIGHTS = (".safetensors", ".bin")


def check_numbers(checkpoint: str | os.PathLike, auto_class: Any = AutoModelForAudioClassification) -> None:
    """Read the JSON files of a finished folder or Hub id, and refuse sizes that no network for sound has.

    Parameters that are more than its weights can hold would be made up, one by one, before the difference is told.

    Args:
        checkpoint: the folder or id.
        auto_class: transformers' own that will load it.

    Raises:
        CheckpointError: there is such a size; the message is the reason, without the checkpoint's name.
        OSError: a file cannot be read, or is no JSON.
    """
    _check(PreTrainedConfig.get_config_dict(checkpoint)[0], "config.json")
    _check(SequenceFeatureExtractor.get_feature_extractor_dict(checkpoint)[0], "preprocessor_config.json")
    _check_parameters(checkpoint, auto_class)


def _check_parameters(checkpoint: str | os.PathLike, auto_class: Any) -> None:
    config = AutoConfig.from_pretrained(checkpoint)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):  # sizes without memory
        model = auto_class.from_config(config)
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    most = MOST_PARAMETERS
    if Path(checkpoint).is_dir():
        most = 2 * sum(file.stat().st_size for file in Path(checkpoint).iterdir() if file.suffix in WEIGHTS)
    if n_parameters > most:
        raise CheckpointError(f"its config.json is of {n_parameters:,} parameters, more than its weights can hold")


def _check(numbers: Mapping[str, Any], file: str) -> None:
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            _check(value, file)
        elif isinstance(value, list):
            if len(value) > LONGEST_LIST:
                raise CheckpointError(f"its {file} has {len(value)} values as {name}, and {LONGEST_LIST} are the most")
            for part in value:
                _check(part if isinstance(part, Mapping) else {name: part}, file)
        elif isinstance(value, int | float) and value > LARGEST.get(name, float("inf")):
            raise CheckpointError(f"its {file} has {name}={value}, and {LARGEST[name]} is the most")
