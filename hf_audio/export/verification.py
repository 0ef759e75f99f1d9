"""One checkpoint run in every way there is, and by how much their answers differ: the certificate."""

import base64
import io
import json
import os
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from transformers import pipeline

from ..audio.levels import INT16_FULL_SCALE
from ..audio.loading import load_audio
from ..audio.windows import running_windows
from ..bulk.decoding import Cut
from ..bulk.scoring import judge_clips
from ..errors import AudioError, CheckpointError, NoSpeechError
from ..inference.classifier import AudioClassifier
from ..inference.embedder import OnnxAudioEmbedder, embedder_of
from ..inference.facts import Answer, Facts
from ..inference.frames import FrameScores, frame_scores
from ..inference.onnx_classifier import OnnxAudioClassifier
from ..inference.streaming import AudioStream, FrameStream
from ..inference.torch_classifier import TorchAudioClassifier
from .browser import find_browser, frames_in_browser, scores_in_browser
from .comparison import TOLERANCE, bound_of, compare_frames, distance
from .devices.device import TOOLS, find_tool, is_installed, largest_difference, open_exported, write_file
from .devices.static import split, why_not_static
from .golden_clips import make_golden_clips
from .onnx import has_convolutions, keep_spoken, load_exportable, quantise, trace
from .site import make_site

# Samples of a stream's blocks: a prime, 20 ms of a telephone, a sound card's buffer, and all at once.
BLOCKS = (997, 160, 4096, None)
SOCKET_BLOCK = 997
BOUNDARY = "hf-audio-verify-6f1d0c"  # of a form's parts
# Of a browser's scores where the page has resampled the clip, by another filter than Python's.
RESAMPLED_TOLERANCE = 2e-2


@dataclass
class Verdict:
    """How far one way of running a checkpoint is from torch's answers."""

    way: str
    n_clips: int
    largest_difference: float
    """Of a probability; 1 where a number was read otherwise."""
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the answers are the same."""
        return self.largest_difference <= self.bound


def verify(checkpoint: str | os.PathLike, clips: Mapping[str, bytes] | None = None) -> Iterator[Verdict]:
    """Run a checkpoint in every way there is, and compare each with torch, one after the other.

    Ways: the pipeline, the bulk engine, ONNX Runtime, by recordings in windows and uncut, ONNX Runtime in 8 bits where
    there are convolutions, files for devices in each format that is installed, the page, where a browser is, the
    service over HTTP and WebSocket, and streams in blocks of several sizes; of embeddings, ONNX Runtime and the
    service; of a network that scores frames, these too.

    Args:
        checkpoint: a finished folder or a Hub id, as of `export_onnx`.
        clips: audio files as bytes by their names, by default those of `make_golden_clips`; they calibrate the 8 bits.

    Raises:
        CheckpointError: no such checkpoint, or one that cannot be exported.
        AudioError: a clip cannot be read.
    """
    classifier = load_exportable(checkpoint)
    facts = classifier.facts
    golden = make_golden_clips(facts.sampling_rate, facts.clip_seconds)
    if facts.speech_only and clips is None:
        raise CheckpointError(
            f"{checkpoint} is of speech alone: give some recordings of it, CLIPS, to be verified by."
        )
    clips = golden if clips is None else clips
    expected = {name: _answer(classifier, name, clip) for name, clip in clips.items()}

    def read(clip: bytes) -> np.ndarray:
        return load_audio(clip, facts.sampling_rate)

    def compare(way: str, ask: Callable[[bytes], Answer]) -> Verdict:
        differences = [difference(ask(clip), expected[name]) for name, clip in clips.items()]
        return Verdict(way, len(clips), largest(differences), TOLERANCE)

    classify = pipeline("audio-classification", model=str(checkpoint), top_k=None, device="cpu")
    yield compare("pipeline", classify)
    yield Verdict("files", len(clips), largest(_differences_of_files(classifier, clips, expected)), TOLERANCE)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        trace(classifier, whole, embeddings=True)
        shutil.copyfile(whole, small)
        exported = OnnxAudioClassifier(whole)
        yield compare("ONNX", lambda clip: exported(clip, top_k=None))
        waveforms = [read(clip) for clip in clips.values()]
        if facts.frame_seconds is not None:
            yield _compare_frames("ONNX, frames", exported, classifier, waveforms)
        embed = OnnxAudioEmbedder(exported).embed_recording
        yield _compare_embeddings("ONNX, embeddings", lambda clip: embed(read(clip)), classifier, clips)
        # As other programs may run it; not with the caller's clips, which may last for hours.
        uncut = [read(clip) for clip in golden.values()]
        pairs = [(exported.score([each])[0], classifier.score([each])[0]) for each in uncut]
        yield _compare_scores("ONNX, uncut", pairs, TOLERANCE)
        if has_convolutions(classifier):
            quantise(classifier, small, keep_spoken(facts, waveforms, None)[0])
            eight_bits = OnnxAudioClassifier(small)
            assert eight_bits.int8_bound is not None
            # Scores, not answers: where two digits are about as probable, the other one may well be read.
            pairs = [(eight_bits.judge_recording(each), classifier.judge_recording(each)) for each in waveforms]
            yield _compare_scores("ONNX, 8 bits", pairs, eight_bits.int8_bound)
            if facts.frame_seconds is not None:
                bound = eight_bits.int8_bound
                yield _compare_frames("ONNX, 8 bits, frames", eight_bits, classifier, waveforms, bound)
        yield from _compare_device_files(Path(folder), classifier, waveforms)
        if find_browser() is not None and not facts.speech_only:
            yield from _compare_page(whole, classifier, golden)
    with _service(checkpoint) as address:
        yield compare("REST", lambda clip: _post(address, clip, facts))
        yield _compare_embeddings("REST, embeddings", lambda clip: _post_to_embed(address, clip), classifier, clips)
        yield _compare_socket(address, classifier, clips)
        if facts.frame_seconds is not None:
            yield _compare_rest_frames(address, classifier, clips)
            yield _compare_socket_frames(address, classifier, clips)
    for block in BLOCKS:
        yield _compare_stream(classifier, clips, block)


def _compare_device_files(
    folder: Path, classifier: TorchAudioClassifier, waveforms: Sequence[np.ndarray]
) -> Iterator[Verdict]:
    """Files of one window, in floats and in 8 bits, by each format that can be written here."""
    if why_not_static(classifier) is not None:
        return
    parts = split(classifier, "")
    windows = parts.windows(waveforms)
    for name, tool in TOOLS.items():
        if not is_installed(name):
            continue
        for clips, title in ((None, f"{tool.title}, static"), (waveforms, f"{tool.title}, static, 8 bits")):
            path = folder / f"device{find_tool(name).SUFFIX}"
            write_file(name, parts, path, True, clips)
            found = largest_difference(open_exported(name, parts, path, None), classifier, windows)
            yield Verdict(title, len(waveforms), found, TOLERANCE if clips is None else bound_of(found))


def _answer(classifier: AudioClassifier, name: str, clip: bytes) -> Answer:
    try:
        return classifier(clip, top_k=None)
    except AudioError as error:
        raise AudioError(f"{name}: {error}") from error


def difference(answer: Answer, expected: Answer) -> float:
    """The largest difference of a probability between two answers that name all labels, or two numbers."""
    if isinstance(answer, dict) or isinstance(expected, dict):
        if not (isinstance(answer, dict) and isinstance(expected, dict)) or answer["text"] != expected["text"]:
            return 1.0
        return abs(answer["score"] - expected["score"])
    scores = {row["label"]: row["score"] for row in answer}
    others = {row["label"]: row["score"] for row in expected}
    if scores.keys() != others.keys():
        return 1.0
    return largest([abs(scores[label] - others[label]) for label in others])


def largest(differences: Sequence[float]) -> float:
    """The largest of some differences; NaN if one is NaN, which Python's `max` would pass over."""
    return float(np.max([0.0, *differences]))


def _differences_of_files(
    classifier: AudioClassifier, clips: Mapping[str, bytes], expected: Mapping[str, Answer]
) -> list[float]:
    """Differences of the bulk engine's answers, which it gives to files."""
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(place) for place in range(len(clips))]
        for file, clip in zip(files, clips.values(), strict=True):
            file.write_bytes(clip)
        answers = list(expected.values())
        for judgement in judge_clips(classifier, list(enumerate(map(str, files))), Cut(classifier.facts), 0):
            answer = classifier.facts.name(judgement.scores[0], top_k=None)
            differences.append(difference(answer, answers[judgement.clip]))
    return differences


@contextmanager
def _service(checkpoint: str | os.PathLike) -> Iterator[str]:
    """Its address."""
    from ..serving.app import make_app
    from ..serving.connections import Server
    from ..serving.service import Service
    from ..serving.settings import Limits

    service = Service({"checkpoint": checkpoint}, Limits(max_seconds=3600))
    server = Server(make_app(service), service, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while thread.is_alive() and not _is_ready(server.url):
            time.sleep(0.05)
        yield server.url
    finally:
        server.should_exit = True
        thread.join()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=10):
            return True
    except urllib.error.HTTPError:
        return False


def _compare_scores(way: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]], bound: float) -> Verdict:
    """Verdict on scores, (labels,), each beside torch's."""
    return Verdict(
        way, len(pairs), largest([float(np.abs(scores - expected).max()) for scores, expected in pairs]), bound
    )


def _post(address: str, clip: bytes, facts: Facts) -> Answer:
    body = {"inputs": base64.b64encode(clip).decode(), "parameters": {"top_k": len(facts.labels)}}
    request = urllib.request.Request(
        address, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as response:
        rows = json.load(response)
    return {"text": rows[0]["label"], "score": rows[0]["score"]} if facts.num_digits else rows


def _post_to_embed(address: str, clip: bytes) -> np.ndarray:
    """The embedding of a clip, (size,)."""
    return np.array(_post_form(f"{address}/v1/embed", clip)["embedding"], dtype=np.float32)


def _post_form(address: str, clip: bytes, **fields: str) -> dict[str, Any]:
    """The answer to an upload of a clip with further fields."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    parts += [f'{head}"file"; filename="clip"\r\n\r\n'.encode(), clip, f"\r\n--{BOUNDARY}--\r\n".encode()]
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    request = urllib.request.Request(address, data=b"".join(parts), headers=kind)
    with urllib.request.urlopen(request, timeout=600) as response:
        return json.load(response)


def _compare_embeddings(
    way: str, embed: Callable[[bytes], np.ndarray], classifier: AudioClassifier, clips: Mapping[str, bytes]
) -> Verdict:
    """Verdict on vectors, as shares of the lengths of torch's; not on clips that have none, as nobody speaks."""
    embedder, differences = embedder_of(classifier), []
    for clip in clips.values():
        with suppress(NoSpeechError):
            expected = embedder.embed_recording(load_audio(clip, classifier.sampling_rate))
            differences.append(distance(embed(clip), expected))
    return Verdict(way, len(differences), largest(differences), TOLERANCE)


def _sixteen_bits(waveform: np.ndarray) -> np.ndarray:
    """(samples,) float32 -> int16."""
    return np.clip(np.rint(waveform * INT16_FULL_SCALE), -INT16_FULL_SCALE, INT16_FULL_SCALE - 1).astype(np.int16)


def _converse(address: str, samples: np.ndarray) -> list[dict[str, Any]]:
    """What a stream of 16-bit samples, (samples,), is answered, message by message."""
    from websockets.sync.client import connect

    sent = samples.astype("<i2")
    with connect(f"ws{address.removeprefix('http')}") as socket:
        for first in range(0, len(sent), SOCKET_BLOCK):
            socket.send(sent[first : first + SOCKET_BLOCK].tobytes())
        socket.send(json.dumps({"type": "end"}))
        return [json.loads(message) for message in socket]


def _compare_socket(address: str, classifier: AudioClassifier, clips: Mapping[str, bytes]) -> Verdict:
    facts, differences = classifier.facts, []
    query = f"?sampling_rate={facts.sampling_rate}&top_k={len(facts.labels)}"
    for clip in clips.values():
        samples = _sixteen_bits(load_audio(clip, facts.sampling_rate))
        stream = AudioStream(classifier)
        expected = [*stream.push(samples), *stream.flush()]
        messages = _converse(f"{address}/v1/stream{query}", samples)
        if [message["end"] for message in messages] != [event.end for event in expected]:
            differences.append(1.0)
        else:
            pairs = zip(messages, expected, strict=True)
            differences += [difference(message["answer"], facts.name(event.scores, None)) for message, event in pairs]
    return Verdict("WebSocket", len(clips), largest(differences), TOLERANCE)


def _compare_frames(
    way: str,
    exported: AudioClassifier,
    classifier: AudioClassifier,
    waveforms: Sequence[np.ndarray],
    bound: float = TOLERANCE,
) -> Verdict:
    differences = list(compare_frames(exported, classifier, waveforms))
    return Verdict(way, len(waveforms), largest(differences), bound)


def _difference_of_clip(classifier: AudioClassifier, clip: bytes, scores: np.ndarray) -> float:
    """The largest difference of a clip's frames, (frames, labels), from PyTorch's."""
    waveform = load_audio(clip, classifier.sampling_rate)
    return _difference_of_moments(frame_scores(classifier, [waveform]), scores)


def _difference_of_moments(stretches: Iterable[FrameScores], scores: Sequence[Sequence[float]] | np.ndarray) -> float:
    """The largest difference of the scores of moments, (frames, labels), from those expected, in stretches."""
    expected = np.concatenate([stretch.scores for stretch in stretches])
    return float(np.abs(scores - expected).max()) if np.shape(scores) == expected.shape else 1.0


def _compare_rest_frames(address: str, classifier: AudioClassifier, clips: Mapping[str, bytes]) -> Verdict:
    differences = []
    for clip in clips.values():
        answer = _post_form(f"{address}/v1/predict", clip, frames="true")
        differences.append(_difference_of_clip(classifier, clip, answer["frames"]["scores"]))
    return Verdict("REST, frames", len(clips), largest(differences), TOLERANCE)


def _compare_socket_frames(address: str, classifier: AudioClassifier, clips: Mapping[str, bytes]) -> Verdict:
    rate, differences = classifier.sampling_rate, []
    for clip in clips.values():
        samples = _sixteen_bits(load_audio(clip, rate))
        stream = FrameStream(classifier)
        expected = [*stream.push(samples), *stream.flush()]
        messages = _converse(f"{address}/v1/stream?sampling_rate={rate}&frames=true", samples)
        received = [row for message in messages for row in message["scores"]]
        differences.append(_difference_of_moments(expected, received))
    return Verdict("WebSocket, frames", len(clips), largest(differences), TOLERANCE)


def _compare_stream(classifier: AudioClassifier, clips: Mapping[str, bytes], block: int | None) -> Verdict:
    facts, differences = classifier.facts, []
    rate = facts.sampling_rate
    for clip in clips.values():
        waveform = load_audio(clip, rate)
        stream = AudioStream(classifier)
        cuts = range(0, len(waveform), block or len(waveform))
        events = [event for first in cuts for event in stream.push(waveform[first : first + (block or len(waveform))])]
        events += stream.flush()
        spans = list(running_windows(len(waveform), *facts.stream_windows()))
        if [(round(event.start * rate), round(event.end * rate)) for event in events] != spans:
            differences.append(1.0)
        else:
            expected = classifier.judge_windows([waveform[start:end] for start, end in spans])
            pairs = zip(events, expected, strict=True)
            differences += [
                difference(facts.name(event.scores, None), facts.name(scores, None)) for event, scores in pairs
            ]
    name = "stream, whole" if block is None else f"stream, blocks of {block}"
    return Verdict(name, len(clips), largest(differences), TOLERANCE)


def _compare_page(exported: Path, classifier: AudioClassifier, clips: Mapping[str, bytes]) -> Iterator[Verdict]:
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(exported, Path(folder) / "site")
        files = {name: Path(folder) / f"{name}.wav" for name in clips}
        for name, clip in clips.items():
            files[name].write_bytes(clip)
        rows = scores_in_browser(site, list(files.values()))
        if classifier.facts.frame_seconds is not None:
            kept = {name: clip for name, clip in clips.items() if _rate(clip) == classifier.sampling_rate}
            moments = zip(kept.values(), frames_in_browser(site, [files[name] for name in kept]), strict=True)
            differences_of_clips = [_difference_of_clip(classifier, clip, scores) for clip, scores in moments]
            yield Verdict("page, frames", len(differences_of_clips), largest(differences_of_clips), TOLERANCE)
    differences: dict[bool, list[float]] = {False: [], True: []}
    for clip, scores in zip(clips.values(), rows, strict=True):
        expected = classifier.judge([load_audio(clip, classifier.sampling_rate)])[0]
        differences[_rate(clip) != classifier.sampling_rate].append(float(np.abs(scores - expected).max()))
    yield Verdict("page", len(differences[False]), largest(differences[False]), TOLERANCE)
    yield Verdict("page, resampled", len(differences[True]), largest(differences[True]), RESAMPLED_TOLERANCE)


def _rate(clip: bytes) -> int:
    """The sampling rate of a file, in Hz."""
    with closing(soundfile.SoundFile(io.BytesIO(clip))) as file:
        return file.samplerate


def read_clips(paths: Sequence[str | os.PathLike]) -> dict[str, bytes]:
    """Files -> their bytes, by their names."""
    return {str(path): Path(path).read_bytes() for path in paths}
