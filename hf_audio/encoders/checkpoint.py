"""An encoder written as a folder like every other checkpoint: config, extractor, weights, licence and a card."""

import json
import os
import sys
from pathlib import Path
from zipfile import ZipFile

from ..errors import ArgumentError, CheckpointError, DataError
from ..files import folder_written_whole, unwritable, write_text
from ..models import AudioCNNFeatureExtractor, AudioEncoderConfig, AudioEncoderModel
from .sources import SOURCES, Source
from .weights import READERS
from .wheels import open_wheel


def write_encoder(name: str, folder: str | os.PathLike, wheel: str | os.PathLike | None = None) -> Path:
    """Write an encoder that `AutoModel` and `AutoModelForAudioClassification` load, whole or not at all.

    Args:
        name: `ge2e`, `speech` or `sfx`.
        folder: to make; an empty one is taken too, and one that holds this encoder already stays as it is.
        wheel: the package's file, by default fetched.

    What is fetched, and under which licence, is said on the standard error stream.

    Raises:
        ArgumentError: there is no such encoder.
        CheckpointError: the package cannot be fetched, or is another one.
        DataError: the folder holds something else, or cannot be written.
    """
    if name not in SOURCES:
        raise ArgumentError(f"{name} is no encoder: choose one of {', '.join(SOURCES)}.")
    folder, source = Path(folder), SOURCES[name]
    if is_encoder_folder(folder, name):
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty: name a new folder.")
    print(source.announcement(name, wheel), file=sys.stderr, flush=True)
    with open_wheel(name, source.wheel, wheel) as archive:
        model = load_network(name, archive)
        licence = _licence(archive)
    try:
        with folder_written_whole(folder, lambda: is_encoder_folder(folder, name)) as written:
            model.save_pretrained(written)
            AudioCNNFeatureExtractor(sampling_rate=model.config.sampling_rate).save_pretrained(written)
            write_text(written / "LICENSE", licence)
            write_text(written / "README.md", card(name, source))
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def is_encoder_folder(folder: Path, name: str) -> bool:
    """Whether a folder holds this encoder, without a head."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return config.get("encoder") == name and config.get("architectures") == [AudioEncoderModel.__name__]


def load_network(name: str, wheel: ZipFile) -> AudioEncoderModel:
    """The network with the weights that the package holds."""
    model = AudioEncoderModel(AudioEncoderConfig(encoder=name))
    model.load_state_dict(READERS[name](wheel))
    return model.eval()


def card(name: str, source: Source) -> str:
    """The README.md of an encoder's folder."""
    size = AudioEncoderConfig(encoder=name).embedding_size
    return f"""---
license: {source.licence.lower()}
library_name: transformers
pipeline_tag: feature-extraction
tags:
- audio
- embeddings
- {name}
---

# {name}: {source.title}

{source.hears}

A waveform goes in, {size} numbers a window come out (`last_hidden_state`), and their mean for the whole clip
(`pooler_output`). The network has no head: it classifies nothing until one is trained.

```python
import numpy as np
from transformers import AutoFeatureExtractor, AutoModel

folder = "."  # this one
extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=True)
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
waveform = np.zeros(extractor.sampling_rate, dtype=np.float32)  # mono, values in [-1, 1]
inputs = extractor(waveform, sampling_rate=extractor.sampling_rate, return_tensors="pt")
embedding = model(**inputs).pooler_output  # (1, {size})
```

With `hf_audio`, `hf-audio train own_sounds --data_dir SOUNDS --model_name_or_path FOLDER` trains a head on it, and the
whole network with it unless `--freeze encoder` is added.

## Source and licence

{source.attribution}. The weights are those of the package {source.wheel}, converted to safetensors, under
{source.licence}: whoever hands them on, or a network trained from them, hands on this section and the file LICENSE.

## What it was trained on

{source.trained_on}

{source.overlap}
"""


def _licence(wheel: ZipFile) -> str:
    """The package's own licence text."""
    for name in wheel.namelist():
        if name.endswith("/LICENSE") and ".dist-info/" in name:
            return wheel.read(name).decode("utf-8")
    raise CheckpointError(f"{wheel.filename} holds no licence: fetch it again.")
