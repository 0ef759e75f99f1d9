"""A checkpoint as one ONNX file, waveform in, and the class that runs it with numpy and onnxruntime alone."""

import copy
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CheckpointError, ExportError
from ..files import temporary_folder_beside, written_whole
from ..inference.checkpoint import ONNX_SUFFIX
from ..inference.classifier import AudioClassifier
from ..inference.facts import Facts
from ..inference.onnx_classifier import EMBEDDINGS, FRAME_SCORES, INPUT, OUTPUT, OnnxAudioClassifier
from ..inference.torch_classifier import TorchAudioClassifier
from .comparison import TOLERANCE, Export, bound_of, compare, compare_embeddings, compare_frames
from .silence import quiet_tools

if TYPE_CHECKING:
    import torch

EXPORTABLE = ("audio_cnn", "audio_encoder", "audio_ensemble")
EXAMPLE_WINDOWS = 2.5  # of what a network hears at once, in the waveform by which it is traced


def export_onnx(
    checkpoint: str | os.PathLike,
    path: str | os.PathLike,
    clips: Sequence[str | os.PathLike | bytes] | None = None,
    *,
    labels: Sequence[str] | None = None,
    int8: bool = False,
    embeddings: bool = False,
) -> Export:
    """Write a checkpoint as one ONNX file: waveforms (batch, samples) in, logits (batch, labels) out.

    Of a network that scores frames, a second output, `frame_scores`, has their probabilities, (batch, frames, labels).
    Batch and length are free; labels, rate and windows are in its metadata. Before the file is written under its name,
    it is run on the clips and compared with torch.

    Args:
        checkpoint: a finished folder or a Hub id, of an AudioCNN, an ensemble of them, or an `AudioEncoder`.
        path: to write; ends in `.onnx`.
        clips: audio files, or their bytes, to check it on, by default those of `make_golden_clips`.
        labels: of the clips, classes or numbers, "" where unknown, to tell how accurate the file is on them.
        int8: quantise the convolutions to 8 bits, by what the clips make of them.
        embeddings: give a further output, `embeddings`, (batch, size), what `AutoModel` gives as `pooler_output`.

    Raises:
        CheckpointError: no such checkpoint, or one that does not hold its own front-end.
        ExportError: the file does not give torch's answers, or cannot be written.
        AudioError: a clip cannot be read.
    """
    path = Path(path)
    if path.suffix != ONNX_SUFFIX:
        raise ExportError(f"{path} must end in {ONNX_SUFFIX}.")
    if not path.parent.is_dir():
        raise ExportError(f"{path} is in no folder that exists: make it first.")
    from ..audio.loading import load_audio  # not needed to run what was exported
    from .golden_clips import make_golden_clips

    classifier = load_exportable(checkpoint)
    if int8 and not has_convolutions(classifier):
        raise ExportError(f"{checkpoint} has no convolutions, and all else stays as it is: leave --int8 out.")
    facts = classifier.facts
    if clips is None:
        golden = make_golden_clips(facts.sampling_rate, facts.clip_seconds)
        waveforms = [load_audio(clip, facts.sampling_rate) for clip in golden.values()]
    else:
        waveforms, labels = keep_spoken(facts, [load_audio(clip, facts.sampling_rate) for clip in clips], labels)
    with temporary_folder_beside(path) as folder:
        written = folder / path.name
        trace(classifier, written, embeddings)
        if int8:
            export = quantise(classifier, written, waveforms, labels)
        else:
            export = compare(written, OnnxAudioClassifier(written), classifier, waveforms, labels)
            difference = export.largest_difference
            if facts.frame_seconds is not None:
                difference = float(
                    np.max([difference, *compare_frames(OnnxAudioClassifier(written), classifier, waveforms)])
                )
            if embeddings:
                difference = float(np.max([difference, *compare_embeddings(written, classifier, waveforms)]))
            if not difference <= TOLERANCE:  # NaN is none
                raise ExportError(
                    f"{checkpoint} differs by {difference:.1e} in ONNX Runtime, more than {TOLERANCE}: "
                    "nothing was written; try another version of onnxruntime, and report it."
                )
        with written_whole(path) as temporary:
            os.replace(written, temporary)
    return replace(export, path=path)


def load_exportable(checkpoint: str | os.PathLike) -> TorchAudioClassifier:
    """A checkpoint whose network is all there is between waveform and logits, on the CPU.

    Raises:
        CheckpointError: no such checkpoint, or one that does not hold its own front-end.
    """
    classifier = TorchAudioClassifier(checkpoint, device="cpu")
    kind = classifier.model.config.model_type
    if kind not in EXPORTABLE:
        raise CheckpointError(
            f"{checkpoint}, a {kind}, leaves its features to an extractor outside of the network: only AudioCNNs, "
            "their ensembles and the encoders that packages bring can be exported."
        )
    return classifier


def keep_spoken(
    facts: Facts, clips: Sequence[np.ndarray], labels: Sequence[str] | None
) -> tuple[list[np.ndarray], list[str] | None]:
    """What of the clips is scored, and their labels: where speech alone is, without clips that hold none.

    Raises:
        ExportError: no clip holds any.
    """
    pairs = [facts.keep_speech(clip) for clip in clips]
    places = [place for place, (_, speech) in enumerate(pairs) if speech is None]
    if not places:
        raise ExportError("Nobody speaks in any of the clips: give recordings of speech.")
    return [pairs[place][0] for place in places], None if labels is None else [labels[place] for place in places]


def trace(classifier: TorchAudioClassifier, path: Path, embeddings: bool = False) -> None:
    """Write a classifier as an ONNX file, with or without its embeddings; nobody has compared it yet."""
    import torch

    from ..models.frontends import MelSpectrogram
    from .onnx_frontend import FactoredMelSpectrogram, OutputsByName

    model = copy.deepcopy(classifier.model)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, MelSpectrogram):
                setattr(module, name, FactoredMelSpectrogram(child))
    facts = classifier.facts
    outputs = [OUTPUT, *([FRAME_SCORES] if facts.frame_seconds else []), *([EMBEDDINGS] if embeddings else [])]
    example = torch.zeros(2, round(_example_seconds(classifier) * facts.sampling_rate))
    with quiet_tools():
        program = torch.onnx.export(
            OutputsByName(model, outputs) if outputs != [OUTPUT] else model,
            (example,),
            dynamo=True,
            dynamic_shapes={INPUT: {0: "batch", 1: "samples"}},
            input_names=[INPUT],
            output_names=outputs,
            verbose=False,
        )
    save(program, path)
    set_metadata(path, facts.to_dict())


def save(program: "torch.onnx.ONNXProgram | None", path: Path) -> None:
    """Write a traced network, without what the exporter remarks on every operation.

    The line of Python that an operation comes of, with the path of that file on this machine, can take as much room as
    the weights, and is nobody's business.
    """
    assert program is not None
    model = program.model
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        for node in graph.all_nodes():
            for each in (node, *node.outputs):
                each.metadata_props.clear()
    program.save(path)


def _example_seconds(classifier: TorchAudioClassifier) -> float:
    """How long a waveform shall be by which a network is traced.

    Of an ensemble or an encoder it has several windows: where one window is enough, the number of windows would become
    a constant of the graph, which then takes nothing longer.
    """
    seconds, config = classifier.facts.stream_seconds, classifier.model.config
    if config.model_type == "audio_ensemble":
        return EXAMPLE_WINDOWS * seconds
    return max(seconds, EXAMPLE_WINDOWS * getattr(config, "window_seconds", 0))


def has_convolutions(classifier: TorchAudioClassifier) -> bool:
    """Whether a network has any, which are what 8 bits are for."""
    return any("Conv" in type(module).__name__ for module in classifier.model.modules())


def quantise(
    classifier: AudioClassifier, path: Path, clips: Sequence[np.ndarray], labels: Sequence[str] | None = None
) -> Export:
    """Bring the convolutions of a traced file to 8 bits, in place, and write into it how far its answers then are.

    Args:
        classifier: that was traced.
        path: of the file.
        clips: waveforms, (samples,) each, which calibrate it.
        labels: of the clips, "" where unknown.

    Raises:
        ExportError: it answers NaN.
    """
    _quantise(path, classifier.facts, clips)
    export = compare(path, OnnxAudioClassifier(path), classifier, clips, labels)
    differences = [export.largest_difference]
    if classifier.facts.frame_seconds is not None:  # which differ more than clips, whose scores are means of them
        differences += compare_frames(OnnxAudioClassifier(path), classifier, clips)
    if not np.isfinite(differences).all():
        raise ExportError(f"{path.name} answers NaN in 8 bits: calibrate it on other clips, or leave --int8 out.")
    set_metadata(path, {"int8_bound": bound_of(max(differences))})
    return export


def _quantise(path: Path, facts: Facts, clips: Sequence[np.ndarray]) -> None:
    """The convolutions of the network, in place; what makes the features stays as it is."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Windows(CalibrationDataReader):
        def __init__(self) -> None:
            self.windows = (window for clip in clips for window in facts.cut(clip))

        def get_next(self) -> dict[str, np.ndarray] | None:
            window = next(self.windows, None)
            return None if window is None else {INPUT: window[None]}

    folded = path.with_suffix(".folded.onnx")
    with quiet_tools():
        quant_pre_process(str(path), str(folded), skip_symbolic_shape=True)  # batch normalisation into convolutions
        # A resampler's filters read the waveform itself: sixteen bits would be too few for it.
        filters = [
            node.name for node in onnx.load(folded).graph.node if node.op_type == "Conv" and _reads_waveform(node)
        ]
        quantize_static(
            str(folded),
            str(path),
            Windows(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=filters,
        )
    folded.unlink()
    set_metadata(path, facts.to_dict())


def _reads_waveform(node: Any) -> bool:
    return any("kernels" in name for name in node.input)


def set_metadata(path: Path, values: Mapping[str, Any]) -> None:
    """Add facts to those that an ONNX file holds."""
    import onnx

    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    metadata |= {name: json.dumps(value) for name, value in values.items()}
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
