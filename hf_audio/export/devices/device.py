"""Files for small devices: one window of one checkpoint, in the format of a device's runtime, checked before kept."""

import importlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from ...audio.loading import load_audio, open_audio
from ...errors import ExportError, MissingExtraError, Refusal
from ...files import temporary_folder_beside, written_whole
from ...inference.classifier import AudioClassifier
from ..comparison import TOLERANCE, Export, bound_of, compare, compare_frames
from ..golden_clips import make_golden_clips
from ..onnx import load_exportable, set_metadata
from .c_header import write_header
from .frontend_reference import FrontEnd
from .static import StaticParts, measure, split, write_reference
from .static_classifier import StaticClassifier, whole_windows

logger = logging.getLogger(__name__)

Format = Literal["onnx", "litert", "executorch"]


@dataclass(frozen=True)
class Tool:
    """What writes a format, and what it takes."""

    title: str
    module: str
    """Of this package."""
    packages: tuple[str, ...]
    """To import."""
    extra: str


TOOLS: Mapping[str, Tool] = {
    "onnx": Tool("ONNX", "onnx_static", ("onnx", "onnxruntime", "onnxscript"), "export"),
    "litert": Tool("LiteRT", "litert", ("litert_torch", "ai_edge_litert", "ai_edge_quantizer"), "litert"),
    "executorch": Tool("ExecuTorch", "executorch", ("executorch", "torchao"), "executorch"),
}


def find_tool(format: str) -> ModuleType:
    """The module of this package that writes a format.

    Raises:
        MissingExtraError: what it needs is not installed.
    """
    tool = TOOLS[format]
    missing = [name for name in tool.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{tool.title} needs {', '.join(missing).replace('_', '-')}: pip install 'hf-audio[{tool.extra}]'."
        )
    return importlib.import_module(f".{tool.module}", __package__)


def is_installed(format: str) -> bool:
    """Whether a format can be written and run here."""
    try:
        find_tool(format)
    except MissingExtraError:
        return False
    return True


def export_for_device(
    checkpoint: str | os.PathLike,
    path: str | os.PathLike,
    clips: Sequence[str | os.PathLike | bytes] | None = None,
    *,
    labels: Sequence[str] | None = None,
    format: Format = "onnx",
    int8: bool = False,
    without_frontend: bool = False,
    c_header: bool = False,
) -> Export:
    """Write a checkpoint as a file of one window, without varying shapes or branches, for a device's runtime.

    A window, (1, samples), goes in, and logits, (1, labels), come out; of a network that scores frames, their
    probabilities too. The file is run by its format's own runtime and compared with torch before it gets its name.

    Args:
        checkpoint: a finished folder or a Hub id of an AudioCNN.
        path: to write; ends in `.onnx`, `.tflite` or `.pte`, as the format has it.
        clips: audio files, or their bytes, to check it on, by default those of `make_golden_clips`.
        labels: of the clips, "" where unknown, to tell how accurate the file is on them.
        format: of the file.
        int8: bring weights and activations of the network to 8 bits, by what the clips make of them.
        without_frontend: leave the features to the device; their constants and a reference in numpy lie beside then.
        c_header: write the file as a C header too, beside it, with labels and numbers.

    Raises:
        CheckpointError: no such checkpoint.
        ExportError: it has no one shape, or the file does not give torch's answers, or cannot be written.
        MissingExtraError: the format's tool is not installed.
        AudioError: a clip cannot be read.
    """
    path, tool = Path(path), find_tool(format)
    if path.suffix != tool.SUFFIX:
        raise ExportError(f"{path} must end in {tool.SUFFIX}, as {TOOLS[format].title} has it.")
    if not path.parent.is_dir():
        raise ExportError(f"{path} is in no folder that exists: make it first.")
    classifier = load_exportable(checkpoint)
    parts = split(classifier, checkpoint)
    facts = classifier.facts
    if clips is None:
        sources: Sequence[str | os.PathLike | bytes] = list(
            make_golden_clips(facts.sampling_rate, facts.clip_seconds).values()
        )
    else:
        sources = clips
        if int8:
            warn_of_rates(sources, facts.sampling_rate)
    waveforms = [load_audio(clip, facts.sampling_rate) for clip in sources]
    with temporary_folder_beside(path) as folder:
        written = folder / path.name
        in_floats = write_file(format, parts, written, not without_frontend, waveforms if int8 else None)
        beside = write_reference(parts, folder, path.stem) if without_frontend else []
        exported = open_exported(format, parts, written, folder if without_frontend else None)
        export = compare(path, exported, classifier, waveforms, labels)
        difference = largest_difference(exported, classifier, parts.windows(waveforms))
        check(export, difference, in_floats, format)
        if in_floats is not None and format == "onnx":
            set_metadata(written, {"int8_bound": bound_of(difference)})
        footprint = measure(parts, written, in_floats, not without_frontend)
        if c_header:
            beside.append(write_header(parts, written, with_frontend=not without_frontend))
        for file in [*beside, written]:
            with written_whole(path.with_name(file.name)) as temporary:
                shutil.move(file, temporary)
    return replace(export, largest_difference=difference, footprint=footprint)


def warn_of_rates(sources: Sequence[str | os.PathLike | bytes], rate: int) -> None:
    """Tell of recordings that hold less than a network hears: they say nothing of what lies above."""
    for source in sources:
        with open_audio(source) as recording:
            if recording.rate < rate:
                logger.warning(
                    "%s holds %d Hz, and the network hears %d Hz: if the device records what lies above %d Hz, give "
                    "clips that hold it too, or 8 bits are chosen without it.",
                    recording.name, recording.rate, rate, recording.rate // 2,
                )  # fmt: skip
                return


def write_file(
    format: str, parts: StaticParts, path: Path, with_frontend: bool, clips: Sequence[np.ndarray] | None
) -> str | None:
    """Write a checkpoint in a format; clips, (samples,) each, bring it to 8 bits -> what then stays in floats.

    Raises:
        ExportError: the format's tool refuses it.
    """
    tool = find_tool(format)
    try:
        return tool.write(parts, path, with_frontend, None if clips is None else parts.windows(clips))
    except Refusal:
        raise
    except Exception as error:  # of a tool, whose exceptions have no ancestor of their own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ExportError(
            f"{TOOLS[format].title} does not take this network ({reason}): choose another --format, or report it."
        ) from error


def open_exported(format: str, parts: StaticParts, path: Path, beside: Path | None) -> StaticClassifier:
    """A file, run by its format's own runtime.

    beside: of a file without its front-end, the folder with the reference, which then makes its features.
    """
    run = find_tool(format).open_file(path)
    frontend: Callable[[np.ndarray], Any] = lambda window: window  # noqa: E731
    if beside is not None:
        reference = FrontEnd(beside / f"{path.stem}_frontend.npz")
        frontend = lambda window: reference.features(window[0])  # noqa: E731
    return StaticClassifier(parts.facts, lambda window: dict(zip(parts.outputs, run(frontend(window)), strict=True)))


def largest_difference(exported: AudioClassifier, classifier: AudioClassifier, windows: Sequence[np.ndarray]) -> float:
    """The largest difference of a probability between a file's answers to windows, (window,) each, and PyTorch's."""
    torchs = whole_windows(classifier)
    differences = [float(np.abs(exported.score([each]) - torchs.score([each])).max()) for each in windows]
    if classifier.facts.frame_seconds is not None:
        differences += compare_frames(exported, torchs, windows)
    return float(np.max(differences))


def check(export: Export, difference: float, in_floats: str | None, format: str) -> None:
    """Refuse a file that does not answer as torch.

    Raises:
        ExportError: it does not.
    """
    title = TOOLS[format].title
    if in_floats is not None:
        if not np.isfinite(difference):
            raise ExportError(f"{export.path.name} answers NaN in 8 bits: calibrate it on other clips.")
    elif not difference <= TOLERANCE:  # NaN is none
        raise ExportError(
            f"{export.path.name} differs by {difference:.1e} in {title}, more than {TOLERANCE}: nothing was written; "
            "try another version of it, and report it."
        )
