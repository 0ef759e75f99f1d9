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

if TYPE_CHECKING:  # what `__getattr__` hands on
    from .arguments import RecipeArguments
    from .audio.loading import load_audio, stream_audio
    from .bulk.tagger import AudioTagger
    from .commands import (
        audit_labels,
        detect,
        embed,
        ensemble,
        evaluate,
        fit_events,
        inspect,
        make_numbers,
        make_soundscapes,
        page,
        predict,
        pseudo_label,
        push,
        serve,
        similar,
        stream,
        suggest,
        train,
        verify,
    )
    from .errors import ArgumentError, AudioError, CheckpointError, DataError, Refusal
    from .export.device import export_for_device
    from .export.onnx import export_onnx
    from .inference.checkpoint import load_classifier
    from .inference.classifier import AudioClassifier
    from .inference.embedder import AudioEmbedder, load_embedder
    from .inference.event_stream import EventStream
    from .inference.events import EventRule
    from .inference.frames import FrameScores, frame_scores
    from .inference.onnx_classifier import OnnxAudioClassifier
    from .inference.pipeline import AudioClassificationPipeline
    from .inference.streaming import AudioStream, FrameStream
    from .models import (
        AudioCNNConfig,
        AudioCNNFeatureExtractor,
        AudioCNNForAudioClassification,
        AudioCNNModel,
        AudioEncoderConfig,
        AudioEncoderForAudioClassification,
        AudioEncoderModel,
        AudioEnsembleConfig,
        AudioEnsembleForAudioClassification,
    )
    from .runs.card import TaskFacts
    from .runs.run import Run, load_run
    from .training.fine_tune import fine_tune
    from .training.task import Task

__version__ = "0.1.0"
__all__ = [
    "ArgumentError",
    "AudioCNNConfig",
    "AudioCNNFeatureExtractor",
    "AudioCNNForAudioClassification",
    "AudioCNNModel",
    "AudioClassificationPipeline",
    "AudioClassifier",
    "AudioEmbedder",
    "AudioEncoderConfig",
    "AudioEncoderForAudioClassification",
    "AudioEncoderModel",
    "AudioEnsembleConfig",
    "AudioEnsembleForAudioClassification",
    "AudioError",
    "AudioStream",
    "AudioTagger",
    "CheckpointError",
    "DataError",
    "EventRule",
    "EventStream",
    "FrameScores",
    "FrameStream",
    "OnnxAudioClassifier",
    "RecipeArguments",
    "Refusal",
    "Run",
    "Task",
    "TaskFacts",
    "__version__",
    "audit_labels",
    "detect",
    "embed",
    "ensemble",
    "evaluate",
    "export_for_device",
    "export_onnx",
    "fine_tune",
    "fit_events",
    "frame_scores",
    "inspect",
    "load_audio",
    "load_classifier",
    "load_embedder",
    "load_run",
    "make_numbers",
    "make_soundscapes",
    "page",
    "predict",
    "pseudo_label",
    "push",
    "serve",
    "similar",
    "stream",
    "stream_audio",
    "suggest",
    "train",
    "verify",
]

# Module -> the public names that it defines.
_PUBLIC = {
    ".arguments": ("RecipeArguments",),
    ".audio.loading": ("load_audio", "stream_audio"),
    ".bulk.tagger": ("AudioTagger",),
    ".commands": (
        "audit_labels",
        "detect",
        "embed",
        "ensemble",
        "evaluate",
        "fit_events",
        "inspect",
        "make_numbers",
        "make_soundscapes",
        "page",
        "predict",
        "pseudo_label",
        "push",
        "serve",
        "similar",
        "stream",
        "suggest",
        "train",
        "verify",
    ),
    ".errors": ("ArgumentError", "AudioError", "CheckpointError", "DataError", "Refusal"),
    ".export.device": ("export_for_device",),
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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
