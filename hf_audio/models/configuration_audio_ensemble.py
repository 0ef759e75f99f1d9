"""Several networks of the same classes as one model: their configurations, and how their scores are averaged."""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .configuration_audio_cnn import AudioCNNConfig, check_margin, check_problem, drop_fitted, follow_margin
from .configuration_audio_encoder import AudioEncoderConfig


@strict
class AudioEnsembleConfig(PreTrainedConfig):
    r"""Configuration of an ensemble, a function from a mono waveform to class scores like each of its members.

    Args:
        members (`list[dict]`): configurations of AudioCNNs and of encoders with heads, by their `model_type`; sampling
            rates and clip lengths may differ.
        weights (`list[float]`): of the members, summing up to 1.
        mean (`"arithmetic"` or `"geometric"`): of the members' probabilities.
        sampling_rate (`int`): of the waveforms the ensemble hears; members at other rates hear them resampled.
        clip_seconds (`float`): longer audio is scored in windows of this length.
        speech_only (`bool`): as of an `AudioCNNConfig`.
        rejection_margin (`float`): as of an `AudioCNNConfig`, of the mean; the members' own are in what is averaged.

    Raises:
        StrictDataclassError: of huggingface_hub, for values that do not fit together.
    """

    model_type = "audio_ensemble"
    means: ClassVar[tuple[str, ...]] = ("arithmetic", "geometric")

    members: list[dict[str, Any]] | tuple[dict[str, Any], ...] = ()
    weights: list[float] | tuple[float, ...] = ()
    mean: str = "arithmetic"
    sampling_rate: int = 16000
    clip_seconds: float | int = 5.0
    speech_only: bool = False
    rejection_margin: float | int = 0.0

    def __post_init__(self, **kwargs: Any) -> None:
        self.members, self.weights = list(self.members), list(self.weights)
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As every config; a margin is left behind where other labels take the place of "none of these"."""
        return super().from_dict(drop_fitted(config_dict, kwargs), **kwargs)

    def follow_labels(self) -> None:
        """Drop a margin of labels that have been replaced since, in place; a model calls it."""
        follow_margin(self)

    @property
    def member_configs(self) -> list[AudioCNNConfig | AudioEncoderConfig]:
        """The configurations of the members."""
        kinds = {kind.model_type: kind for kind in (AudioCNNConfig, AudioEncoderConfig)}
        types = [member.get("model_type", AudioCNNConfig.model_type) for member in self.members]
        foreign = [model_type for model_type in types if model_type not in kinds]
        if foreign:
            raise ValueError(f"members have the model_type {foreign[0]!r}: an ensemble has {' or '.join(kinds)}.")
        return [kinds[model_type](**member) for model_type, member in zip(types, self.members, strict=True)]

    def validate_members(self) -> None:
        """Refuse members without a weight each, an unknown mean, or members of different numbers of classes."""
        check_problem(self)
        check_margin(self)
        for member in self.member_configs:
            if member.num_labels != self.num_labels:
                raise ValueError(
                    f"num_labels={self.num_labels}, and a member knows {member.num_labels} classes: an ensemble takes "
                    "no other head, train a single network for other classes."
                )
        if len(self.weights) != len(self.members):
            raise ValueError(f"weights={self.weights} must be {len(self.members)}, one a member.")
        if self.members and not abs(sum(self.weights) - 1) < 1e-3:
            raise ValueError(f"weights={self.weights} must sum up to 1.")
        if self.mean not in self.means:
            raise ValueError(f"mean={self.mean!r} is not known: choose one of {', '.join(self.means)}.")


__all__ = ["AudioEnsembleConfig"]
