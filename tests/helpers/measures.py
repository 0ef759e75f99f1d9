"""What a clip without faults measures."""

import numpy as np

from hf_audio.inspection.clip_measures import ClipMeasures
from hf_audio.inspection.fingerprints import take_fingerprint

SOUND = ClipMeasures(
    rate=16000,
    channels=1,
    format="WAV PCM_16",
    seconds=2.0,
    peak=-3.0,
    level=-20.0,
    offset=0.0001,
    n_clipped=0,
    silent_start=0.1,
    silent_end=0.2,
    bandwidth=8000.0,
    ends_sharply=False,
    digest="",
    fingerprint=take_fingerprint([np.zeros(10, np.float32)]),
    full_scale=1.0,
    dead_channels=(),
    is_opposed=False,
)
