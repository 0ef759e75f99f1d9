"""hf_audio: train, judge and ship small sound classifiers in the Hugging Face ecosystem.

Importing the package registers its models with transformers' Auto classes and lets `pipeline("audio-classification")`
read any audio file at any rate: at once where transformers is loaded, and else as soon as it is. Nothing is loaded for
that, so that the command line starts at once and `hf_audio.export.onnx` runs where there is no torch.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

# What `__getattr__` hands on, for type checkers; `as` tells them that it is public.
# isort: off
if TYPE_CHECKING:
    from .arguments import RecipeArguments as RecipeArguments
    from .audio.loading import load_audio as load_audio, stream_audio as stream_audio
    from .bulk.tagger import AudioTagger as AudioTagger
    from .commands import *  # noqa: F403  # what it lists
    from .errors import (
        ArgumentError as ArgumentError,
        AudioError as AudioError,
        CheckpointError as CheckpointError,
        DataError as DataError,
        Refusal as Refusal,
    )
    from .export.devices.device import export_for_device as export_for_device
    from .export.onnx import export_onnx as export_onnx
    from .inference.checkpoint import load_classifier as load_classifier
    from .inference.classifier import AudioClassifier as AudioClassifier
    from .inference.embedder import AudioEmbedder as AudioEmbedder, load_embedder as load_embedder
    from .inference.event_stream import EventStream as EventStream
    from .inference.events import EventRule as EventRule
    from .inference.frames import FrameScores as FrameScores, frame_scores as frame_scores
    from .inference.onnx_classifier import OnnxAudioClassifier as OnnxAudioClassifier
    from .inference.pipeline import AudioClassificationPipeline as AudioClassificationPipeline
    from .inference.streaming import AudioStream as AudioStream, FrameStream as FrameStream
    from .models import (
        AudioCNNConfig as AudioCNNConfig,
        AudioCNNFeatureExtractor as AudioCNNFeatureExtractor,
        AudioCNNForAudioClassification as AudioCNNForAudioClassification,
        AudioCNNModel as AudioCNNModel,
        AudioEncoderConfig as AudioEncoderConfig,
        AudioEncoderForAudioClassification as AudioEncoderForAudioClassification,
        AudioEncoderModel as AudioEncoderModel,
        AudioEnsembleConfig as AudioEnsembleConfig,
        AudioEnsembleForAudioClassification as AudioEnsembleForAudioClassification,
    )
    from .runs.card import TaskFacts as TaskFacts
    from .runs.run import Run as Run, load_run as load_run
    from .training.fine_tune import fine_tune as fine_tune
    from .training.task import Task as Task
# isort: on

__version__ = "0.1.0"

# Module -> the public names that it defines; those of the commands are what `hf_audio.commands` lists.
_PUBLIC = {
    ".arguments": ("RecipeArguments",),
    ".audio.loading": ("load_audio", "stream_audio"),
    ".bulk.tagger": ("AudioTagger",),
    ".errors": ("ArgumentError", "AudioError", "CheckpointError", "DataError", "Refusal"),
    ".export.devices.device": ("export_for_device",),
    ".export.onnx": ("export_onnx",),
    ".inference.checkpoint": ("load_classifier",),
    ".inference.classifier": ("AudioClassifier",),
    ".inference.embedder": ("AudioEmbedder", "load_embedder"),
    ".inference.event_stream": ("EventStream",),
    ".inference.events": ("EventRule",),
    ".inference.onnx_classifier": ("OnnxAudioClassifier",),
    ".inference.pipeline": ("AudioClassificationPipeline",),
    ".inference.frames": ("FrameScores", "frame_scores"),
    ".inference.streaming": ("AudioStream", "FrameStream"),
    ".models": (
        "AudioCNNConfig",
        "AudioCNNFeatureExtractor",
        "AudioCNNForAudioClassification",
        "AudioCNNModel",
        "AudioEncoderConfig",
        "AudioEncoderForAudioClassification",
        "AudioEncoderModel",
        "AudioEnsembleConfig",
        "AudioEnsembleForAudioClassification",
    ),
    ".runs.card": ("TaskFacts",),
    ".runs.run": ("Run", "load_run"),
    ".training.fine_tune": ("fine_tune",),
    ".training.task": ("Task",),
}
_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}


class _RegisteringFinder(importlib.abc.MetaPathFinder):
    """Registers the models when transformers has been imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "transformers":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                importlib.import_module(".registration", __name__)

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


if sys.modules.get("transformers") is not None:
    importlib.import_module(".registration", __name__)
else:
    sys.meta_path.insert(0, _RegisteringFinder())


def _commands() -> list[str]:
    """Names of the commands, whose signatures are loaded for it: nothing heavy."""
    try:
        return importlib.import_module(".commands", __name__).__all__
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.commands":
            raise
        return []  # an endpoint of the Hub has only what asks a checkpoint


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(["__version__", *_MODULES, *_commands()])
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name], __name__), name)
    if not name.startswith("_") and name in _commands():
        return getattr(importlib.import_module(".commands", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "__all__", *__getattr__("__all__")})
