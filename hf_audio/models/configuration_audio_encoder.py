"""The facts of an audio encoder: which network it is, and what its head has learnt."""

import math
from typing import Any, NamedTuple

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .configuration_audio_cnn import check_head, drop_fitted, follow_labels


class EncoderNumbers(NamedTuple):
    """What is fixed in a network that was trained elsewhere."""

    sampling_rate: int
    """Of the waveforms it hears, in Hz."""
    embedding_size: int
    """Numbers a window."""
    window_samples: int
    """That it hears at once; a shorter clip is padded to them."""


ENCODERS = {
    "ge2e": EncoderNumbers(16000, 256, 25600),
    "speech": EncoderNumbers(16000, 96, 75 * 160 + 512),
    "sfx": EncoderNumbers(44100, 512, 99 * 1024),
}


# Of silence, in the middle of which `speech` hears short clips: words are told apart by what windows hear that they
# pass, and where a word fills a window of 0.78 s, or begins one, it is hardly known. See docs/encoders.md.
QUIET_SECONDS = 1.5


@strict
class AudioEncoderConfig(PreTrainedConfig):
    r"""Configuration of an encoder that was trained elsewhere, from a mono waveform to embeddings or class scores.

    Args:
        encoder (`"ge2e"`, `"speech"` or `"sfx"`): the network, see `encoder_networks.py`.
        sampling_rate (`int`, *optional*): of the waveforms it hears; follows from `encoder`.
        embedding_size (`int`, *optional*): of its embeddings; follows from `encoder`.
        clip_seconds (`float`): length of a training clip; longer audio is judged in windows of this length.
        overlap (`float`): share of a window that the next one hears again.
        min_seconds (`float`, *optional*): of `speech`, clips shorter than this are heard in the middle of 1.5 s of
            silence; by default those shorter than a window, and 1.5 where a head is trained. The other encoders hear
            silence behind a clip that is shorter than a window.
        speech_only (`bool`): the head was trained on speech alone, as of an `AudioCNNConfig`.
        num_digits (`int`): 0, or how many decimal digits a spoken number has; then `num_labels` is ten times as many.
        dropout (`float`): before the head.
        temperature (`float`): what the logits are divided by, so that probabilities come true.
        rejection_margin (`float`): of a head whose last label is "none of these", what that label's logit gains.
        event_rule (`dict`, *optional*): how events follow from scores over time, see `AudioCNNConfig`.
        normal_centers (`int`): of a head that has heard normal recordings alone, see `AudioCNNConfig`.

    Raises:
        StrictDataclassError: of huggingface_hub, for a value that no model can be built from; the message names the
            field and the remedy.
    """

    model_type = "audio_encoder"

    encoder: str = "sfx"
    sampling_rate: int | None = None
    embedding_size: int | None = None
    clip_seconds: float | int = 5.0
    overlap: float | int = 0.0
    min_seconds: float | int | None = None
    speech_only: bool = False
    num_digits: int = 0
    dropout: float | int = 0.1
    temperature: float | int = 1.0
    rejection_margin: float | int = 0.0
    event_rule: dict[str, Any] | None = None
    normal_centers: int = 0

    def __post_init__(self, **kwargs: Any) -> None:
        if self.encoder in ENCODERS:
            numbers = ENCODERS[self.encoder]
            self.sampling_rate = self.sampling_rate or numbers.sampling_rate
            self.embedding_size = self.embedding_size or numbers.embedding_size
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As every config; what was fitted to the stored classes is left behind where other ones take their place."""
        return super().from_dict(drop_fitted(config_dict, kwargs), **kwargs)

    def follow_labels(self) -> None:
        """Drop what was fitted to labels that have been replaced since, in place; a model calls it.

        Raises:
            ValueError: the numbers do not fit together for another reason.
        """
        follow_labels(self)
        self.validate_numbers()

    @property
    def numbers(self) -> EncoderNumbers:
        """What is fixed in the network."""
        return ENCODERS[self.encoder]

    @property
    def hidden_size(self) -> int:
        """Numbers of a window's embedding."""
        return self.numbers.embedding_size

    @property
    def window_seconds(self) -> float:
        """What the network hears at once; shorter clips are padded to it."""
        return self.numbers.window_samples / self.numbers.sampling_rate

    @property
    def min_samples(self) -> int:
        """Clips of fewer samples are heard in the middle of silence."""
        if self.min_seconds is None:
            return self.numbers.window_samples
        return round(self.min_seconds * self.numbers.sampling_rate)

    @property
    def clip_samples(self) -> int:
        """`clip_seconds` in samples."""
        return round(self.clip_seconds * self.numbers.sampling_rate)

    @property
    def step_samples(self) -> int:
        """From the beginning of one clip to the beginning of the next, in samples."""
        return max(int(self.clip_samples * (1 - self.overlap)), 1)

    def validate_numbers(self) -> None:
        """Refuse an unknown encoder, numbers that are not its own, or a head whose numbers do not fit together."""
        if self.encoder not in ENCODERS:
            raise ValueError(f"encoder={self.encoder!r} is not known: choose one of {', '.join(ENCODERS)}.")
        for name in ("sampling_rate", "embedding_size"):
            own = getattr(self.numbers, name)
            if getattr(self, name) != own:
                raise ValueError(f"{name}={getattr(self, name)} is {own} in encoder={self.encoder!r}: leave it out.")
        check_head(self)
        for name in ("clip_seconds", "overlap", "dropout", "temperature"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name}={getattr(self, name)} must be a finite number.")
        if self.clip_seconds <= 0:
            raise ValueError(f"clip_seconds={self.clip_seconds} must be positive.")
        own = self.window_seconds
        if self.min_seconds is not None and not (
            self.encoder == "speech" and own <= self.min_seconds <= QUIET_SECONDS
        ):
            raise ValueError(
                f"min_seconds={self.min_seconds} is of encoder='speech' alone, and lies between {own:g} and "
                f"{QUIET_SECONDS} there: leave it out."
            )
        if not 0 <= self.overlap < 1:
            raise ValueError(f"overlap={self.overlap} must lie in [0, 1): a share of a window.")


__all__ = ["AudioEncoderConfig"]
