"""A checkpoint as what small devices run: one window in, no shape that varies, no branch; whatever the file's format.

The front-end and the network are two graphs, `StaticParts`, by which every format is written: the network alone may be
of 8 bits, and may leave its front-end to the device.
"""

import copy
import io
import math
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ExportError
from ...inference.facts import Facts
from ...inference.onnx_classifier import FRAME_SCORES, OUTPUT, fill_window
from ...inference.torch_classifier import TorchAudioClassifier
from ..footprint import Footprint, count_multiply_adds, peak_bytes

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.export import ExportedProgram

FEATURES = "features"  # the input of a network without its front-end
REFERENCE = Path(__file__).with_name("frontend_reference.py")


@dataclass
class StaticParts:
    """A checkpoint of one window in two parts, each a module of fixed shapes."""

    frontend: "nn.Module"
    """A window, (1, samples) -> features, (1, features, frames)."""
    network: "nn.Module"
    """Features -> logits, (1, labels), and, of a network that scores frames, their probabilities."""
    constants: dict[str, np.ndarray]
    """Of the front-end, by the names that `frontend_reference.py` reads."""
    facts: Facts

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        assert self.facts.window is not None
        return self.facts.window

    @property
    def outputs(self) -> list[str]:
        """Their names."""
        return [OUTPUT, *([FRAME_SCORES] if self.facts.frame_seconds else [])]

    def window(self, samples: np.ndarray | None = None) -> "torch.Tensor":
        """A waveform, (at most a window,), as the front-end takes it, (1, samples); by default silence."""
        import torch

        samples = np.zeros(self.n_samples, dtype=np.float32) if samples is None else samples
        return torch.from_numpy(fill_window(samples, self.facts))[None]

    def features(self, samples: np.ndarray | None = None) -> "torch.Tensor":
        """What the front-end makes of a waveform, (at most a window,): (1, features, frames)."""
        import torch

        with torch.no_grad():
            return self.frontend(self.window(samples))

    def windows(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Recordings, (samples,) each, to their windows, (window,) each."""
        return [fill_window(window, self.facts) for clip in clips for window in self.facts.cut(clip)]


def split(classifier: TorchAudioClassifier, name: Any) -> StaticParts:
    """A checkpoint in its two parts.

    Args:
        classifier: of an AudioCNN.
        name: of the checkpoint, for a sentence.

    Raises:
        ExportError: it cannot be of one shape.
    """
    check_static(classifier, name)
    model = classifier.model
    return StaticParts(
        _make_frontend(model), _make_network(model, classifier.facts), read_constants(model), classifier.facts
    )


def check_static(classifier: TorchAudioClassifier, name: Any) -> None:
    """Refuse what has no one shape.

    Raises:
        ExportError: see there.
    """
    reason = why_not_static(classifier)
    if reason:
        raise ExportError(f"{name} {reason}: export it to plain ONNX, without --static.")


def why_not_static(classifier: TorchAudioClassifier) -> str | None:
    """What keeps a checkpoint from being of one shape, the rest of a sentence; `None`: nothing does."""
    facts, config = classifier.facts, classifier.model.config
    if facts.speech_only:
        return "is of speech alone, which another network has to find first, in recordings of any length"
    if facts.num_digits:
        return "reads numbers, which may be of any length"
    if config.model_type != "audio_cnn":
        return f"is an {config.model_type}, and one AudioCNN alone has one shape"
    if config.normal_centers:
        return "is of normal recordings alone, and devices have no kernels for its distances"
    if facts.window is None:
        return "has no window, and takes recordings of any length"
    if config.trim_db is not None or config.heard_seconds is not None or config.repeat_short:
        return "looks for the beginning of the sound, and so reads other samples of each window"
    return None


def _make_frontend(model: "nn.Module") -> "nn.Module":
    from torch import nn

    from ...models.frontends import MelSpectrogram
    from .static_frontend import ConvolutionalMelSpectrogram

    class FrontEnd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model: Any = copy.deepcopy(model)
            for name in ("backbone", "context", "pooling", "classifier", "long_term_spectrum"):
                setattr(self.model, name, nn.Identity())
            for module in list(self.model.modules()):
                for name, child in module.named_children():
                    if isinstance(child, MelSpectrogram):
                        setattr(module, name, ConvolutionalMelSpectrogram(child))

        def forward(self, window: "torch.Tensor") -> "torch.Tensor":
            return self.model.featurize(window)[0]

    return FrontEnd().eval()


def _make_network(model: "nn.Module", facts: Facts) -> "nn.Module":
    import torch
    from torch import nn

    from ...models.backbones import MaxPooling, MeanMaxPooling
    from ..onnx_frontend import OutputsByName
    from .static_frontend import StaticMaxPooling

    network: Any = copy.deepcopy(model)
    network.to(memory_format=torch.contiguous_format)  # which all formats know
    network.frontend = network.feature_norm = nn.Identity()
    if isinstance(network.pooling, MeanMaxPooling | MaxPooling):
        network.pooling = StaticMaxPooling(adds_mean=isinstance(network.pooling, MeanMaxPooling))
    network.featurize = lambda features, attention_mask=None: (features, None)
    names = [OUTPUT, *([FRAME_SCORES] if facts.frame_seconds else [])]
    return OutputsByName(network, names).eval()


def read_constants(model: Any) -> dict[str, np.ndarray]:
    """The numbers of an AudioCNN's front-end, by the names that `frontend_reference.py` reads."""
    config, frontend, norm = model.config, model.frontend, model.feature_norm
    log_mel = getattr(frontend, "log_mel", frontend)
    before = (config.n_fft - config.win_length) // 2
    after = config.n_fft - config.win_length - before
    return {
        "window": np.pad(log_mel.mel.window.numpy(), (before, after)),
        "mel_filters": log_mel.mel.mel_filters.numpy(),
        "dct": frontend.dct.numpy() if hasattr(frontend, "dct") else np.empty((0, config.n_mels), np.float32),
        "mean": norm.running_mean.numpy(),
        "deviation": (norm.running_var + norm.eps).sqrt().numpy(),
        "samples": np.array(config.clip_samples),
        "hop": np.array(config.hop_length),
        "power": np.array(float(config.power)),
        "amin": np.array(config.amin),
        "top_db": np.array(math.inf if config.top_db is None else float(config.top_db)),
        "center_features": np.array(config.center_features),
        "remove_level": np.array(config.remove_level),
    }


def write_reference(parts: StaticParts, folder: Path, stem: str) -> list[Path]:
    """Write the front-end's constants and a reference in numpy into a folder -> both files."""
    constants, reference = folder / f"{stem}_frontend.npz", folder / f"{stem}_frontend.py"
    held = io.BytesIO()
    np.savez(held, **parts.constants)  # type: ignore[arg-type]
    constants.write_bytes(held.getvalue())
    shutil.copyfile(REFERENCE, reference)
    return [constants, reference]


def join(parts: StaticParts, network: "nn.Module | None" = None) -> "nn.Module":
    """Both parts as one module: a window, (1, samples) -> the outputs.

    network: in the place of the parts' own.
    """
    from torch import nn

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frontend = parts.frontend
            self.network = parts.network if network is None else network

        def forward(self, window: "torch.Tensor") -> tuple["torch.Tensor", ...]:
            return self.network(self.frontend(window))

    joined = Joined()
    joined.training = False  # both parts are so already, and an exported graph takes no `eval()`
    return joined


def capture(module: "nn.Module", example: "torch.Tensor") -> "ExportedProgram":
    """A module as a graph of fixed shapes."""
    import torch

    with torch.no_grad():
        return torch.export.export(module, (example,), strict=False)


def _plain(module: "nn.Module", example: "torch.Tensor") -> "ExportedProgram":
    """A module as a graph of the fewest kinds of operations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return capture(module, example).run_decompositions()


def measure(parts: StaticParts, path: Path, in_floats: str | None, with_frontend: bool) -> Footprint:
    """What a file asks of a device.

    in_floats: of a file of 8 bits, what is not; `None` of one in floats.
    """
    seconds = parts.n_samples / parts.facts.sampling_rate
    network = _plain(parts.network, parts.features())
    adds, peak = count_multiply_adds(network), peak_bytes(network, 4 if in_floats is None else 1)
    if with_frontend:
        frontend = _plain(parts.frontend, parts.window())
        adds, peak = adds + count_multiply_adds(frontend), max(peak, peak_bytes(frontend, 4))
    return Footprint(path.stat().st_size, peak, round(adds / seconds), in_floats or "")


def tell_floats(with_frontend: bool, operations: Sequence[str]) -> str:
    """What of a file of 8 bits stays in floats, for a sentence: the front-end, and operations of the network."""
    return ", ".join([*(["the front-end"] if with_frontend else []), *dict.fromkeys(operations)]) or "nothing"
