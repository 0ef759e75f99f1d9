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
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "AudioCNNConfig",
    "AudioCNNFeatureExtractor",
    "AudioCNNForAudioClassification",
    "AudioClassificationPipeline",
    "AudioEnsembleConfig",
    "AudioEnsembleForAudioClassification",
    "__version__",
]


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
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = ".inference.pipeline" if name == "AudioClassificationPipeline" else ".models"
    return getattr(importlib.import_module(module, __name__), name)
