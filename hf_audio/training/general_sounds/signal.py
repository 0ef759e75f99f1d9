"""The numbers of a signal, fitted to recordings of other rates and lengths, and to other answers than a class."""

from collections.abc import Mapping
from typing import Any

from ...models.configuration_audio_cnn import LONGEST_FRAME

# Seconds: of less, the network's stages leave nothing.
SHORTEST_HEARD = 0.2
# Hz: recordings of higher rates are made for ultrasound, and of lower ones for infrasound.
SLOWEST_AUDIBLE, FASTEST_AUDIBLE = 2000, 48000
SHORTER_FRAMES = 2  # times, of short clips


def pace(sampling_rate: float, excerpt_seconds: float, usual_seconds: float) -> float:
    """How many times shorter frames are than those of sounds of a few seconds that people hear.

    Calls of bats and mice are shorter than a frame of 46 ms, and a period of an elephant's is longer; but an excerpt
    must have frames enough for the network. Of words and other short sounds, halved layer by layer, too few would be
    left: so their frames are up to half as long.

    usual_seconds: of the excerpts that the network was made for.
    """
    if sampling_rate < SLOWEST_AUDIBLE:
        return min(max(sampling_rate / SLOWEST_AUDIBLE, 1.25 * SHORTEST_HEARD / excerpt_seconds), 1)
    short = min(max(usual_seconds / excerpt_seconds, 1), SHORTER_FRAMES)
    return max(short, (sampling_rate / FASTEST_AUDIBLE) ** 0.5)


def fit_signal(
    preset: Mapping[str, Any], sampling_rate: int, clip_seconds: float, excerpt_seconds: float
) -> dict[str, Any]:
    """A preset for recordings of another rate and length: its frames last as long, but for `pace`.

    Masks hide the same share. clip_seconds: of the windows in which recordings are judged; excerpt_seconds: of the
    excerpts trained on.
    """
    faster = pace(sampling_rate, excerpt_seconds, preset["min_seconds"])
    scale = sampling_rate / preset["sampling_rate"] / faster
    win_length = round(preset["win_length"] * scale)
    return {
        **preset,
        "sampling_rate": sampling_rate,
        "clip_seconds": clip_seconds,
        "min_seconds": excerpt_seconds,
        "n_fft": 1 << (win_length - 1).bit_length(),
        "win_length": win_length,
        "hop_length": round(preset["hop_length"] * scale),
        "time_mask_frames": round(preset["time_mask_frames"] * faster * excerpt_seconds / preset["min_seconds"]),
    }


def hear_frames(signal: Mapping[str, Any]) -> dict[str, Any]:
    """The network of a signal as one that says what sounds in every frame, each of a tenth of a second at most."""
    longest = int(LONGEST_FRAME * signal["sampling_rate"])  # in samples
    hop = max(min(signal["hop_length"], longest // 2), 1)  # shorter where all of the signal is slow, as of infrasound
    halvings = min((longest // hop).bit_length() - 1, len(signal["hidden_sizes"]) - 1)
    return {
        **signal,
        "hop_length": hop,
        "frame_pooling": "linear_softmax",
        "time_halvings": halvings,
        "problem_type": "multi_label_classification",
        "min_seconds": SHORTEST_HEARD,  # no zeros are heard behind what is shorter than an excerpt
    }


def hear_statistics(signal: Mapping[str, Any]) -> dict[str, Any]:
    """The front-end of a signal and, in the place of a network, what its mel bands do in a window.

    Of normal recordings alone nothing can be told apart, and so no network is trained.
    """
    masks = ("time_mask_count", "freq_mask_count", "filter_augment_db")
    return {
        **signal,
        **dict.fromkeys(masks, 0),
        "backbone": "none",
        "hidden_sizes": [signal["n_mels"]],
        "pooling": "mean_std_rise",
        "stem_stride": 1,
        "dropout": 0.0,
        "min_seconds": SHORTEST_HEARD,
        "normal_centers": 1,
    }
