"""A warning before training where clips differ from the sounds that a packaged encoder was trained on."""

import logging

import numpy as np
from datasets import Dataset

from ...data.cache import clip_lengths
from ...encoders.names import find_checkpoint
from ...models import AudioEncoderConfig
from .encoders import load_config

logger = logging.getLogger(__name__)


def report_fit(name: str | None, sampling_rate: int, clips: Dataset) -> None:
    """Warn where half of the clips fill less than half of an encoder's window, or lack most of its frequencies.

    Either is no reason to refuse: how much is lost, the run's figures tell.

    Args:
        name: what the training begins with, `None`: nothing.
        sampling_rate: that the task has without an encoder, in Hz: above half of it, its recordings hold nothing.
        clips: that are trained on, decoded for the encoder.
    """
    config = None if name is None else load_config(find_checkpoint(name))
    if not isinstance(config, AudioEncoderConfig):
        return
    encoder, numbers = config.encoder, config.numbers
    if sampling_rate < numbers.sampling_rate / 2:
        logger.warning(
            "--model_name_or_path %s has learnt from sounds up to %d Hz, and recordings for %d Hz hold nothing above "
            "%d Hz: expect less of it than of an encoder at a lower rate.",
            encoder,
            numbers.sampling_rate / 2,
            sampling_rate,
            sampling_rate / 2,
        )
    seconds = float(np.median(clip_lengths(clips))) / numbers.sampling_rate
    if seconds < config.window_seconds / 2:
        logger.warning(
            "--model_name_or_path %s hears %.2f s at once, and half of the clips last less than %.2f s: the rest of "
            "what it hears is silence; expect less of it than of an encoder with shorter windows.",
            encoder,
            config.window_seconds,
            seconds,
        )
