"""Arrays to one padded batch with its mask: all that happens to a waveform outside the model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import BatchFeature, SequenceFeatureExtractor
from transformers.utils import logging

logger = logging.get_logger(__name__)

# Of 16, 24 and 32 bits.
INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)
# What no augmentation makes of floats with full scale 1.
LOUDEST = 100.0


class AudioCNNFeatureExtractor(SequenceFeatureExtractor):
    """Pads mono waveforms to one batch and marks what is padding; the spectrogram is computed by the model.

    Args:
        sampling_rate (`int`): samples per second the model was trained at.
        padding_value (`float`): what padding is filled with.
    """

    model_input_names = ("input_values", "attention_mask")

    def __init__(
        self, sampling_rate: int = 16000, feature_size: int = 1, padding_value: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(feature_size=feature_size, sampling_rate=sampling_rate, padding_value=padding_value, **kwargs)

    def pad(self, *args: Any, **kwargs: Any) -> BatchFeature:
        """As every feature extractor's, on the right alone.

        Raises:
            ValueError: `padding_side` is "left", which the model would take for sound.
        """
        if self.padding_side != "right":
            raise ValueError(f"padding_side={self.padding_side!r}: this model's clips are padded on the right alone.")
        return super().pad(*args, **kwargs)

    def __call__(
        self,
        raw_speech: np.ndarray | Sequence[float] | Sequence[np.ndarray],
        sampling_rate: int | None = None,
        padding: bool | str = True,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """One clip, a 1-D array of samples, or a list of clips -> `input_values`, `attention_mask`: (batch, samples).

        Args:
            raw_speech: waveforms with values in [-1, 1], or integers, which are divided by the full scale of 16, 24 or
                32 bits, the first that holds all values.
            sampling_rate: their samples per second; checked against the model's.
            padding: `True` or `"longest"`, `"max_length"` with `max_length=` in samples, or `False`.
            return_tensors: `"pt"`, `"np"` or `None` for lists.
            **kwargs: the further arguments of `SequenceFeatureExtractor.pad`.

        Raises:
            ValueError: another sampling rate, an array of two dimensions, padding on the left, which the model would
                take for sound, or a clip without samples, with NaN, or with floats far beyond full scale.
        """
        if sampling_rate is None:
            logger.warning_once(
                f"Pass sampling_rate to {type(self).__name__}: without it, audio at another rate than "
                f"{self.sampling_rate} Hz is not noticed."
            )
        elif sampling_rate != self.sampling_rate:
            raise ValueError(
                f"sampling_rate={sampling_rate}, but this model was trained at {self.sampling_rate} Hz: resample the "
                "audio first, or pass it through pipeline('audio-classification'), which resamples."
            )
        one_clip = not isinstance(raw_speech, list | tuple) or len(raw_speech) == 0 or np.ndim(raw_speech[0]) == 0
        clips = [_to_floats(np.asarray(clip)) for clip in ([raw_speech] if one_clip else raw_speech)]
        for number, clip in enumerate(clips):
            if clip.ndim != 1:
                raise ValueError(
                    f"Clip {number} has the shape {clip.shape}: give a 1-D array of mono samples, or a list of such "
                    "arrays (average the channels of stereo audio first)."
                )
            if clip.size == 0:
                raise ValueError(f"Clip {number} has no samples: leave it out.")
            if not np.isfinite(clip).all():
                raise ValueError(f"Clip {number} contains NaN or infinite samples: repair it or leave it out.")
            if np.abs(clip).max() > LOUDEST:
                raise ValueError(
                    f"Clip {number} holds samples as large as {np.abs(clip).max():.3g}, where full scale is 1: divide "
                    "them by their full scale, or pass the clip through pipeline('audio-classification'), which does."
                )
        return self.pad(
            BatchFeature({"input_values": clips}),
            padding=padding,
            return_attention_mask=True,
            return_tensors=return_tensors,
            **kwargs,
        )


def _to_floats(clip: np.ndarray) -> np.ndarray:
    """Integers, or floats that hold such, divided by their full scale, as `hf_audio.audio.levels` has it: float32."""
    if clip.dtype.kind in "iu" and clip.dtype.itemsize <= 2:
        middle = 2.0 ** (8 * clip.dtype.itemsize - 1)
        return ((clip.astype(np.float64) - middle * (clip.dtype.kind == "u")) / middle).astype(np.float32)
    if clip.dtype.kind not in "iuf" or clip.size == 0:
        return clip.astype(np.float32)
    peak = max(float(clip.max()), -float(clip.min()))
    if clip.dtype.kind == "f" and not (1 < peak <= INTEGER_SCALES[-1] and (clip == np.rint(clip)).all()):
        return clip.astype(np.float32, copy=False)
    values = clip.astype(np.float64)
    scales: tuple[float, ...] = INTEGER_SCALES
    if peak > scales[0] and not (values % 256).any():  # 24 bits on the left of 32
        scales = scales[-1:]
    return (values / next((scale for scale in scales if peak <= scale), 1.0)).astype(np.float32)


__all__ = ["AudioCNNFeatureExtractor"]
