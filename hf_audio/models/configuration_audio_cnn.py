"""The numbers of an AudioCNN: signal, front-end, backbone and head in one place."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig
from transformers.utils import logging

logger = logging.get_logger(__name__)

NORMAL, ANOMALY = "normal", "anomaly"  # the labels of a network that has heard normal recordings alone
NONE_OF_THESE = "none of these"  # the label of whatever is none of a model's classes, and the last of its labels
# Of a spectrogram: three seconds at 48 kHz, and more bands than there is use for.
MAX_FFT, MAX_MELS = 2**17, 2**12
FRAMES_TO_RISE = 8  # from one mean of four to the next
MAX_CENTERS = 2**16  # that a head of normal recordings compares with
LONGEST_FRAME = 0.1  # seconds, of a network that says when something sounds
MAX_SPECTROGRAM = 2**29  # frames of a clip times `n_fft`: 2 GB


def rejects_background(config: PreTrainedConfig) -> bool:
    """Whether a model can answer that what it hears is none of its classes."""
    return (config.id2label or {}).get(config.num_labels - 1) == NONE_OF_THESE


def check_problem(config: PreTrainedConfig) -> None:
    """A model's answer is one of several classes, or any number of tags.

    Raises:
        ValueError: it is a number, or the one class there is.
    """
    if config.problem_type == "regression":
        raise ValueError(
            "problem_type='regression' is for numbers, and a classifier answers classes: leave it out, or give "
            "'multi_label_classification'."
        )
    if config.num_labels == 1 and config.problem_type != "multi_label_classification":
        raise ValueError(
            "num_labels=1 leaves nothing to choose from, and every sound would be that class: give a second one for "
            "all other sounds, or problem_type='multi_label_classification'."
        )


def check_head(config: PreTrainedConfig) -> None:
    """The numbers of a network's head fit its labels.

    Raises:
        ValueError: they do not, see `check_problem` too.
    """
    check_problem(config)
    if config.num_digits < 0 or (config.num_digits and config.num_labels != 10 * config.num_digits):
        raise ValueError(
            f"num_digits={config.num_digits} needs num_labels={10 * config.num_digits}, not {config.num_labels}: "
            "leave num_labels and id2label out."
        )
    if config.temperature <= 0:
        raise ValueError(f"temperature={config.temperature} must be positive.")
    if not 0 <= config.normal_centers <= MAX_CENTERS:
        raise ValueError(f"normal_centers={config.normal_centers} must lie between 0 and {MAX_CENTERS}.")
    if config.normal_centers and (config.num_labels != 2 or config.problem_type == "multi_label_classification"):
        raise ValueError(f"normal_centers={config.normal_centers} needs two labels, {NORMAL!r} and {ANOMALY!r}.")
    check_margin(config)


def check_margin(config: PreTrainedConfig) -> None:
    """There is a label for a margin to be of.

    Raises:
        ValueError: there is none, or the margin is no number.
    """
    if not math.isfinite(config.rejection_margin):
        raise ValueError(f"rejection_margin={config.rejection_margin} must be a finite number.")
    if config.rejection_margin and not rejects_background(config):
        raise ValueError(f"rejection_margin={config.rejection_margin} needs {NONE_OF_THESE!r} as the last label.")


def drop_fitted(config_dict: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config, by name, without what was fitted to its classes where `changes` put other ones in their place.

    With `num_labels` or `id2label` among the changes, a head of another size begins without the stored `temperature`,
    `num_digits`, `number_grammar` and `rejection_margin`, and one of the same size without a margin for a label that
    is no longer "none of these". A stored `event_rule`, which is of the labels one by one, and `normal_centers` are
    left behind with them. Changes of these names win.
    """
    labels = {name: changes[name] for name in ("id2label", "label2id") if changes.get(name) is not None}
    names = {int(number): name for number, name in labels.get("id2label", {}).items()}
    n_stored = len(config_dict.get("id2label") or (0, 1))  # two without names are not stored
    n_labels = len(names) or changes.get("num_labels") or n_stored
    fitted: dict[str, Any] = {}
    if n_labels != n_stored:
        fitted = {"temperature": 1.0, "num_digits": 0, "rejection_margin": 0.0}
        of_labels = ("id2label", "label2id", "number_grammar")
        config_dict = {name: value for name, value in config_dict.items() if name not in of_labels}
    elif names and names.get(n_labels - 1) != NONE_OF_THESE:
        fitted = {"rejection_margin": 0.0}
    stored_names = {int(number): name for number, name in (config_dict.get("id2label") or {}).items()}
    for name, without in (("event_rule", None), ("normal_centers", 0)):
        if config_dict.get(name) and (n_labels != n_stored or (names and names != stored_names)):
            fitted[name] = without
    fitted |= {name: changes[name] for name in fitted if name in changes}
    return {**config_dict, **labels, **fitted}


def follow_labels(config: PreTrainedConfig) -> None:
    """Drop what a config holds that was fitted to labels which have been replaced since, in place."""
    if config.num_digits and config.num_labels != 10 * config.num_digits:
        logger.warning("num_digits=%d is dropped: there are %d labels now.", config.num_digits, config.num_labels)
        config.num_digits = 0
    follow_margin(config)
    if config.event_rule and len(config.event_rule["thresholds"]) != config.num_labels:
        logger.warning("event_rule is dropped: there are %d labels now.", config.num_labels)
        config.event_rule = None
    if config.normal_centers and config.num_labels != 2:
        logger.warning("normal_centers=%d is dropped: there are %d labels.", config.normal_centers, config.num_labels)
        config.normal_centers = 0


def follow_margin(config: PreTrainedConfig) -> None:
    """Drop a config's margin where "none of these" has been replaced since, in place."""
    if config.rejection_margin and not rejects_background(config):
        logger.warning(
            "rejection_margin=%s is dropped: %r is no longer the last label.", config.rejection_margin, NONE_OF_THESE
        )
        config.rejection_margin = 0.0


@strict
class AudioCNNConfig(PreTrainedConfig):
    r"""Configuration of an AudioCNN, a network from a mono waveform to class scores.

    Args:
        sampling_rate (`int`): samples per second of the waveforms the model hears.
        clip_seconds (`float`): length of a training clip; longer audio is judged in windows of this length.
        overlap (`float`): share of a window that the next one hears again.
        min_seconds (`float`): shorter waveforms are padded with zeros on both sides up to this length, and the
            padding counts as signal. Equal to `clip_seconds` for a model that always sees a canvas of one length.
        speech_only (`bool`): the model was trained on speech alone. It hears whatever it is given: the pipeline cuts
            away what is no speech, and answers "no speech" where nothing is left.
        trim_db (`float`, *optional*): what lies before the first and behind the last moment of a waveform that is
            within so many dB of its loudest one is not heard.
        heard_seconds (`float`, *optional*): only so much of what remains is heard, from its beginning.
        repeat_short (`bool`): shorter waveforms are repeated up to `min_seconds`, instead of padded with zeros.
        frontend (`"log_mel"` or `"mfcc"`): the features computed from the waveform, both in decibels.
        n_fft, win_length, hop_length (`int`): the frames of the STFT, in samples (Hann window, centred frames).
        n_mels, f_min, f_max (`int`, Hz, Hz): the mel filter bank; `f_max=None` is half the sampling rate.
        mel_scale (`"slaney"` or `"htk"`) and mel_norm (`"slaney"` or `None`): as librosa's `htk` and `norm`.
        power (`float`): exponent of the STFT's magnitude that the filter bank sums, 2 for energy.
        amin (`float`): floor of the mel energy below the logarithm; -10 log10(amin) dB is what silence becomes.
        top_db (`float`, *optional*): clips every clip's features to this many dB below its loudest value.
        n_mfcc (`int`): number of cepstral coefficients of the `"mfcc"` front-end.
        center_features (`bool`): subtract each feature's mean over the clip, which removes the loudness and the
            frequency response of the microphone (cepstral mean normalisation).
        remove_level (`bool`): subtract the mean of all features over the clip, which removes its loudness alone.
        time_mask_count, time_mask_frames, freq_mask_count, freq_mask_bins (`int`): SpecAugment, in training mode
            only: how many masks, and the widest one. Source: Park et al. 2019, https://arxiv.org/abs/1904.08779.
        filter_augment_db (`float`): in training mode only, the mel bands of every clip get a random curve of gains, as
            another microphone or place would give them; the standard deviation of its knots, in dB. Source: Nam et
            al. 2022, https://arxiv.org/abs/2110.03282.
        mel_warp (`float`): in training mode only, the mel axis of every clip is stretched by a random factor between 1
            minus this and 1 plus this, as by a shorter or longer vocal tract. Source: Jaitly and Hinton 2013, vocal
            tract length perturbation.
        time_stretch (`float`): in training mode only, every clip's frames are stretched in time by a random factor
            between 1 / (1 + this) and 1 + this, as by another pace.
        backbone (`"resnet"`, `"conv1d"`, `"shufflenet"`, `"alexnet"`, `"cnn3"` or `"none"`): see `backbones.py`;
            `"none"` hands the features on as they are, and `hidden_sizes` is how many they are.
        hidden_sizes (`list[int]`): channels of the backbone's stages, each halving time (and mel bands but in
            `conv1d`). `shufflenet` and `alexnet` have five of them, `cnn3` three.
        stem_stride (`1` or `2`): of the `resnet` backbone's first convolution; with 1, a pooling halves what it gives,
            which is finer and slower to train.
        early_pooling (`bool`): whether a block of the `resnet` backbone halves between its two convolutions and not
            behind them, which takes a third fewer multiply-adds: so a network as dear can be wider.
        knows_bands (`bool`): whether the `resnet` backbone's convolutions add a bias of its own to every band, and so
            tell a pattern's place from its shape, as a voice's pitch asks for. Source: in the way of Koutini et al.
            2019, frequency-aware convolutions, https://arxiv.org/abs/1909.02859.
        kernel_size (`int`): of the `conv1d` backbone, in frames.
        context_dilations (`list[int]`): of the convolutions over time between backbone and pooling, one a layer.
        pooling (`"mean_max"`, `"mean"`, `"max"`, `"mean_std"`, `"mean_std_rise"` or `"attention"`): of the frames; by
            attention, every digit of a number finds those of its own.
        time_halvings (`int`, *optional*): how many of the halvings of the `resnet` or `conv1d` backbone are of time;
            the first ones are, and the later ones of the mel bands alone. `None`: all.
        frame_pooling (`"linear_softmax"`, *optional*): every frame is judged, and the clip's tags follow from its
            frames', see `backbones.pool_frame_logits`. `None`: the clip alone is judged.
        long_term_spectrum (`bool`): whether a linear classifier of every feature's mean and deviation over the clip
            answers too, a quarter of the whole: where few voices are known, it errs on others than the network does.
        num_digits (`int`): 0, or how many decimal digits a spoken number has; then `num_labels` is ten times as many,
            the scores of the first digit's 0 to 9, and so on.
        number_grammar (`str`, *optional*): the language whose number words every frame is asked for, see
            `number_grammar.py`: digits are what the words say in the order in which they are heard. `None`: every
            digit is told by a layer of its own.
        dropout (`float`): before the last linear layer.
        temperature (`float`): what the logits are divided by, so that probabilities come true; fitted after training.
            Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
        rejection_margin (`float`): of a model whose last label is "none of these", how much that label's logit gains,
            after `temperature`: another class is the answer only where it is above by more. Fitted after
            training; the card says what other margins do.
        event_rule (`dict`, *optional*): how events follow from scores over time: a threshold a label, and what else
            `hf_audio.inference.events.EventRule` has. Fitted on annotated recordings.
        normal_centers (`int`): of a network that has heard normal recordings alone, whose two labels are "normal" and
            "anomaly", how many centers its head compares with, see `one_class.py`; 0: every other network.

    Raises:
        StrictDataclassError: of huggingface_hub, for a value that no model can be built from; the message names the
            field and the remedy.
    """

    model_type = "audio_cnn"
    frontends: ClassVar[tuple[str, ...]] = ("log_mel", "mfcc")
    backbones: ClassVar[tuple[str, ...]] = ("resnet", "conv1d", "shufflenet", "alexnet", "cnn3", "none")
    poolings: ClassVar[tuple[str, ...]] = ("mean_max", "mean", "max", "mean_std", "mean_std_rise", "attention")
    frame_poolings: ClassVar[tuple[str, ...]] = ("linear_softmax",)
    number_grammars: ClassVar[dict[str, int]] = {"ru": 6}  # and of how many digits their numbers are
    n_stages: ClassVar[dict[str, int]] = {"shufflenet": 5, "alexnet": 5, "cnn3": 3}

    sampling_rate: int = 16000
    clip_seconds: float | int = 5.0
    overlap: float | int = 0.0
    min_seconds: float | int = 0.3
    speech_only: bool = False
    trim_db: float | int | None = None
    heard_seconds: float | int | None = None
    repeat_short: bool = False
    frontend: str = "log_mel"
    n_fft: int = 512
    win_length: int = 400
    hop_length: int = 160
    n_mels: int = 64
    f_min: float | int = 20.0
    f_max: float | int | None = None
    mel_scale: str = "slaney"
    mel_norm: str | None = "slaney"
    power: float | int = 2.0
    amin: float = 1e-10
    top_db: float | int | None = None
    n_mfcc: int = 40
    center_features: bool = False
    remove_level: bool = False
    time_mask_count: int = 0
    time_mask_frames: int = 0
    freq_mask_count: int = 0
    freq_mask_bins: int = 0
    filter_augment_db: float | int = 0
    mel_warp: float | int = 0
    time_stretch: float | int = 0
    backbone: str = "resnet"
    hidden_sizes: list[int] | tuple[int, ...] = (32, 64, 128, 256)
    stem_stride: int = 1
    early_pooling: bool = False
    knows_bands: bool = False
    kernel_size: int = 5
    context_dilations: list[int] | tuple[int, ...] = ()
    pooling: str = "mean_max"
    time_halvings: int | None = None
    frame_pooling: str | None = None
    long_term_spectrum: bool = False
    num_digits: int = 0
    number_grammar: str | None = None
    dropout: float | int = 0.1
    temperature: float | int = 1.0
    rejection_margin: float | int = 0.0
    event_rule: dict[str, Any] | None = None
    normal_centers: int = 0

    def __post_init__(self, **kwargs: Any) -> None:
        self.hidden_sizes = list(self.hidden_sizes)
        self.context_dilations = list(self.context_dilations)
        if self.num_digits and self.id2label is None:  # type: ignore[has-type]
            places = [f"digit {place + 1} is {digit}" for place in range(self.num_digits) for digit in range(10)]
            self.id2label = dict(enumerate(places))
            self.label2id = {name: number for number, name in enumerate(places)}
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
        if not self.num_digits:
            self.number_grammar = None
        self.validate_numbers()

    @property
    def hidden_size(self) -> int:
        """Channels of a frame's embedding."""
        return self.hidden_sizes[-1]

    @property
    def n_features(self) -> int:
        """Rows of the feature matrix the backbone reads."""
        return self.n_mfcc if self.frontend == "mfcc" else self.n_mels

    @property
    def clip_samples(self) -> int:
        """`clip_seconds` in samples."""
        return round(self.clip_seconds * self.sampling_rate)

    @property
    def step_samples(self) -> int:
        """From the beginning of one window to the beginning of the next, in samples."""
        return max(int(self.clip_samples * (1 - self.overlap)), 1)

    @property
    def min_samples(self) -> int:
        """`min_seconds` in samples."""
        return round(self.min_seconds * self.sampling_rate)

    @property
    def n_time_halvings(self) -> int:
        """How often the `resnet` or `conv1d` backbone halves the frames."""
        return len(self.hidden_sizes) - 1 if self.time_halvings is None else self.time_halvings

    @property
    def frame_samples(self) -> int:
        """From one frame that the `resnet` or `conv1d` backbone gives to the next one, in samples."""
        return self.hop_length << self.n_time_halvings

    @property
    def frame_seconds(self) -> float | None:
        """From the beginning of one scored frame to that of the next; `None` of a network that scores clips alone."""
        return None if self.frame_pooling is None else self.frame_samples / self.sampling_rate

    def count_frames(self, n_samples: int) -> int:
        """How many frames of a waveform of so many samples the `resnet` or `conv1d` backbone gives."""
        n_frames = 1 + max(n_samples, self.min_samples) // self.hop_length
        if self.backbone == "resnet" and self.stem_stride == 2:
            n_frames += 1  # a stride keeps an odd frame, which a pooling drops
        return n_frames >> self.n_time_halvings

    def validate_numbers(self) -> None:
        """Refuse numbers that do not fit together, an unknown backbone, or one whose input shrinks to nothing."""
        self._check_sizes()
        self._check_frontend()
        self._check_augmentation()
        self._check_head()
        self._check_backbone()
        self._check_windows()
        self._check_frames()

    def _check_sizes(self) -> None:
        """A configuration may be a stranger's: what follows from it must be finite, and fit into memory."""
        for name in AudioCNNConfig.__annotations__:
            value = getattr(self, name, None)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name}={value} must be a finite number.")
        if self.n_fft > MAX_FFT or self.n_mels > MAX_MELS:
            raise ValueError(f"n_fft={self.n_fft} and n_mels={self.n_mels} must not exceed {MAX_FFT} and {MAX_MELS}.")
        if self.clip_samples / max(self.hop_length, 1) * self.n_fft > MAX_SPECTROGRAM:
            raise ValueError(
                f"clip_seconds={self.clip_seconds}, hop_length={self.hop_length} and n_fft={self.n_fft} make "
                "spectrograms that fill the memory: shorten the clip, or lengthen the hop."
            )

    def _check_frontend(self) -> None:
        if self.frontend not in self.frontends:
            raise ValueError(f"frontend={self.frontend!r} is not known: choose one of {', '.join(self.frontends)}.")
        if self.mel_scale not in ("slaney", "htk") or self.mel_norm not in ("slaney", None):
            raise ValueError("mel_scale must be 'slaney' or 'htk', and mel_norm 'slaney' or None.")
        if not 0 < self.win_length <= self.n_fft:
            raise ValueError(f"win_length={self.win_length} must lie between 1 and n_fft={self.n_fft}.")
        if self.hop_length < 1:
            raise ValueError(f"hop_length={self.hop_length} must be at least 1 sample.")
        if not 0 <= self.f_min < (self.f_max or self.sampling_rate / 2) <= self.sampling_rate / 2:
            raise ValueError(
                f"f_min={self.f_min} and f_max={self.f_max} Hz must rise within half of sampling_rate="
                f"{self.sampling_rate}."
            )
        if self.frontend == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} cannot exceed n_mels={self.n_mels}.")
        if self.amin <= 0:
            raise ValueError(f"amin={self.amin} must be positive: it is the floor below a logarithm.")

    def _check_augmentation(self) -> None:
        if self.filter_augment_db < 0 or (self.filter_augment_db and self.frontend != "log_mel"):
            raise ValueError(
                f"filter_augment_db={self.filter_augment_db} must not be negative, and 0 unless frontend='log_mel': "
                "other features are no gains of bands."
            )
        if not 0 <= self.mel_warp < 1 or (self.mel_warp and self.frontend != "log_mel"):
            raise ValueError(
                f"mel_warp={self.mel_warp} must lie in [0, 1), and be 0 unless frontend='log_mel': other features "
                "have no mel axis."
            )
        if not 0 <= self.time_stretch <= 1:
            raise ValueError(f"time_stretch={self.time_stretch} must lie in [0, 1]; 1 is up to twice as slow or fast.")

    def _check_head(self) -> None:
        check_head(self)
        if self.pooling not in self.poolings:
            raise ValueError(f"pooling={self.pooling!r} is not known: choose one of {', '.join(self.poolings)}.")
        if self.number_grammar is not None and self.number_grammar not in self.number_grammars:
            raise ValueError(
                f"number_grammar={self.number_grammar!r} is not known: choose one of "
                f"{', '.join(self.number_grammars)}, or None."
            )
        if self.number_grammar is not None and self.num_digits != self.number_grammars[self.number_grammar]:
            raise ValueError(
                f"number_grammar={self.number_grammar!r} reads numbers of {self.number_grammars[self.number_grammar]} "
                f"digits, not num_digits={self.num_digits}."
            )
        if self.long_term_spectrum and self.num_digits:
            raise ValueError(
                "long_term_spectrum=True tells no digits one after the other: leave it or num_digits out."
            )

    def _check_backbone(self) -> None:
        if any(dilation < 1 for dilation in self.context_dilations):
            raise ValueError(f"context_dilations={self.context_dilations} must all be at least 1.")
        if self.backbone not in self.backbones:
            raise ValueError(f"backbone={self.backbone!r} is not known: choose one of {', '.join(self.backbones)}.")
        if self.stem_stride not in (1, 2):
            raise ValueError(f"stem_stride={self.stem_stride} must be 1 or 2.")
        for name in ("early_pooling", "knows_bands"):
            if getattr(self, name) and self.backbone != "resnet":
                raise ValueError(f"{name}=True is of backbone='resnet', not of {self.backbone!r}: leave it out.")
        n_stages = self.n_stages.get(self.backbone)
        if self.backbone == "none" and self.hidden_sizes != [self.n_features]:
            raise ValueError(f"hidden_sizes={self.hidden_sizes} must be [{self.n_features}] for backbone='none'.")
        n_frames = self.min_samples // self.hop_length + 1
        if self.pooling == "mean_std_rise" and (self.backbone != "none" or n_frames < FRAMES_TO_RISE):
            raise ValueError(
                f"pooling='mean_std_rise' needs backbone='none', and {FRAMES_TO_RISE} frames, where min_seconds="
                f"{self.min_seconds} has {n_frames}: raise it."
            )
        if n_stages is None:
            self._check_stages()
        elif len(self.hidden_sizes) != n_stages:
            raise ValueError(f"hidden_sizes={self.hidden_sizes} must be {n_stages} numbers for {self.backbone!r}.")
        if self.backbone == "shufflenet" and any(size % 2 for size in self.hidden_sizes):
            raise ValueError(f"hidden_sizes={self.hidden_sizes} must be even for 'shufflenet'.")
        if self.backbone in ("alexnet", "cnn3") and self.min_seconds != (self.heard_seconds or self.clip_seconds):
            raise ValueError(
                f"backbone={self.backbone!r} reads a canvas of one length: min_seconds={self.min_seconds} must be "
                f"{self.heard_seconds or self.clip_seconds}, as heard_seconds or else clip_seconds."
            )

    def _check_windows(self) -> None:
        if self.heard_seconds is not None and not self.min_seconds <= self.heard_seconds <= self.clip_seconds:
            raise ValueError(
                f"heard_seconds={self.heard_seconds} must lie between min_seconds={self.min_seconds} and "
                f"clip_seconds={self.clip_seconds}."
            )
        if self.trim_db is not None and self.trim_db <= 0:
            raise ValueError(f"trim_db={self.trim_db} must be positive: dB below the loudest moment.")
        if not 0 <= self.overlap < 1:
            raise ValueError(f"overlap={self.overlap} must lie in [0, 1): a share of a window.")
        if self.clip_seconds < self.min_seconds:
            raise ValueError(f"clip_seconds={self.clip_seconds} must not be below min_seconds={self.min_seconds}.")

    def _check_frames(self) -> None:
        """Frames lie at the moments of the waveform that they are of, and any number of labels sounds in each."""
        if self.time_halvings is not None:
            n_stages, fewest = len(self.hidden_sizes), int(self.backbone == "resnet")
            if self.backbone not in ("resnet", "conv1d") or not fewest <= self.time_halvings < n_stages:
                raise ValueError(
                    f"time_halvings={self.time_halvings} must lie between {fewest} and {n_stages - 1}, and the "
                    f"backbone be 'resnet' or 'conv1d', not {self.backbone!r}."
                )
        if self.frame_pooling is None:
            return
        if self.frame_pooling not in self.frame_poolings:
            raise ValueError(
                f"frame_pooling={self.frame_pooling!r} is not known: choose one of {', '.join(self.frame_poolings)}, "
                "or None."
            )
        if self.backbone not in ("resnet", "conv1d"):
            raise ValueError(f"frame_pooling needs backbone='resnet' or 'conv1d', not {self.backbone!r}.")
        if self.problem_type != "multi_label_classification":
            raise ValueError(
                "frame_pooling needs problem_type='multi_label_classification': a frame may have any number of labels."
            )
        hindering = {
            "trim_db": self.trim_db is not None,
            "heard_seconds": self.heard_seconds is not None,
            "repeat_short": self.repeat_short,
            "time_stretch": self.time_stretch > 0,
            "long_term_spectrum": self.long_term_spectrum,
            "num_digits": self.num_digits > 0,
            "normal_centers": self.normal_centers > 0,
        }
        if any(hindering.values()):
            name = next(name for name, hinders in hindering.items() if hinders)
            raise ValueError(f"frame_pooling and {name} exclude each other: frames would not be the waveform's.")
        seconds = self.frame_samples / self.sampling_rate
        if seconds > LONGEST_FRAME:
            raise ValueError(
                f"A frame's scores would last {seconds:.3g} s, more than {LONGEST_FRAME}: lower time_halvings or "
                "hop_length."
            )

    def _check_stages(self) -> None:
        if len(self.hidden_sizes) < (2 if self.backbone == "resnet" else 1):
            raise ValueError(f"hidden_sizes={self.hidden_sizes} are too few stages for backbone={self.backbone!r}.")
        reduction = 2 ** (len(self.hidden_sizes) - 1)
        n_least = 2**self.n_time_halvings if 0 <= self.n_time_halvings < len(self.hidden_sizes) else reduction
        shortest = n_least * self.hop_length / self.sampling_rate
        if self.min_samples // self.hop_length + 1 < n_least:
            raise ValueError(
                f"min_seconds={self.min_seconds} gives fewer than the {n_least} frames that a backbone of "
                f"{len(self.hidden_sizes)} stages needs: raise it to {shortest}."
            )
        if self.backbone == "resnet" and self.n_features < reduction:
            raise ValueError(
                f"{self.n_features} features are too few for a resnet of {len(self.hidden_sizes)} stages."
            )


__all__ = ["ANOMALY", "NONE_OF_THESE", "NORMAL", "AudioCNNConfig", "rejects_background"]
