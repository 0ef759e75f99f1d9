"""Where somebody speaks: Silero's detector of voice activity, whose weights come in the wheel of `silero-vad`.

Its network is rebuilt here from those weights. The package's own code sets the threads of the whole process, calls
the network once for every 32 ms, and reads files by torchaudio.
"""

import functools
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from ..errors import MissingExtraError, NoSpeechError

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as missing:  # where exported files are served without it
    raise MissingExtraError(
        "To tell speech from silence, torch and silero-vad are needed: pip install torch 'hf-audio[speech]'."
    ) from missing

RATE = 16000  # Hz, of what the network hears
BLOCK = 512  # samples that get one probability, 32 ms
CONTEXT = 64  # samples before a block that are heard with it
VERSION = 1  # raised whenever the same clip would be cut otherwise
# Speech begins above the first and goes on above the second, as in silero-vad.
BEGINS, GOES_ON = 0.5, 0.35
SHORTEST_PAUSE = 0.3  # seconds; shorter ones belong to the speech
SHORTEST_SPEECH = 0.1  # seconds; a click may be taken for less
MARGIN = 0.064  # seconds kept before and after speech: its soft beginnings and ends

State = tuple[torch.Tensor, torch.Tensor]


class VoiceActivity(nn.Module):
    """The probability of speech in every block of a waveform, by Silero's network for 16 kHz.

    Source: Silero Team 2024, https://github.com/snakers4/silero-vad (MIT).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stft = nn.Conv1d(1, 258, 256, stride=128, bias=False)
        self.encoder = nn.Sequential(
            nn.Conv1d(129, 128, 3, padding=1),
            nn.Conv1d(128, 64, 3, stride=2, padding=1),
            nn.Conv1d(64, 64, 3, stride=2, padding=1),
            nn.Conv1d(64, 128, 3, padding=1),
        )
        self.lstm = nn.LSTM(128, 128)
        self.output = nn.Conv1d(128, 1, 1)

    def forward(self, blocks: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        """Consecutive blocks with their contexts, and what came before them, to probabilities and what comes after.

        blocks: (blocks, CONTEXT + BLOCK) -> (blocks,); state: of the LSTM, two of (1, LSTM's width).
        """
        x = self.stft(F.pad(blocks, (0, CONTEXT), mode="reflect")[:, None])
        real, imaginary = x.chunk(2, dim=1)
        x = (real.square() + imaginary.square()).sqrt()
        for layer in self.encoder:
            x = torch.relu(layer(x))
        x, state = self.lstm(x[:, :, 0], state)
        return torch.sigmoid(self.output(torch.relu(x)[:, :, None]))[:, 0, 0], state


@functools.cache
def load_voice_activity() -> VoiceActivity:
    """The network with its weights, read once.

    Raises:
        MissingExtraError: `silero-vad` is not installed.
    """
    found = importlib.util.find_spec("silero_vad")  # not imported: that would change torch's threads
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(
            "To tell speech from silence, silero-vad is needed: pip install 'hf-audio[speech]' (without torchaudio)."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's, of a format in which the weights just come
        archive = torch.jit.load(Path(found.submodule_search_locations[0]) / "data" / "silero_vad.jit", "cpu")
    names = {f"encoder.{layer}.reparam_conv": f"encoder.{layer}" for layer in range(4)}
    names |= {"stft.forward_basis_buffer": "stft.weight", "decoder.decoder.2": "output"}
    names |= {f"decoder.rnn.{part}": f"lstm.{part}_l0" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    weights = {}
    for name, value in archive.state_dict().items():
        model, _, rest = name.partition(".")
        if model == "_model":  # the other one is for 8 kHz
            old = next(old for old in names if rest.startswith(old))
            weights[rest.replace(old, names[old])] = value
    network = VoiceActivity()
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


@contextmanager
def _one_thread() -> Iterator[None]:
    # More gain nothing here, and a process that was forked from one with several would wait for them for ever.
    before = torch.get_num_threads()
    if before == 1:  # and so it stays, whatever other threads are set to
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def speech_probabilities(waveform: np.ndarray) -> np.ndarray:
    """(samples,) at `RATE` -> (blocks,), one for every 32 ms; the last block is filled up with zeros."""
    n_blocks = -(-len(waveform) // BLOCK)
    padded = np.zeros(CONTEXT + n_blocks * BLOCK, dtype=np.float32)
    padded[CONTEXT : CONTEXT + len(waveform)] = waveform
    blocks = torch.from_numpy(padded).unfold(0, CONTEXT + BLOCK, BLOCK)
    network, state, parts = load_voice_activity(), None, []
    with _one_thread():
        for part in blocks.split(1024):  # half a minute: memory stays flat however long the recording
            probabilities, state = network(part, state)
            parts.append(probabilities)
    return torch.cat(parts).numpy()


def find_speech(probabilities: np.ndarray) -> list[tuple[int, int]]:
    """(blocks,) of `speech_probabilities` -> first block of every stretch of speech, and the one behind its last."""
    stretches: list[tuple[int, int]] = []
    start, block = None, BLOCK / RATE
    for place, probability in enumerate([*probabilities, 0.0]):
        if start is None and probability >= BEGINS:
            start = place
        elif start is not None and probability < GOES_ON:
            if stretches and (start - stretches[-1][1]) * block < SHORTEST_PAUSE:
                start = stretches.pop()[0]
            stretches.append((start, place))
            start = None
    return [(first, last) for first, last in stretches if (last - first) * block >= SHORTEST_SPEECH]


@dataclass(frozen=True)
class Turn:
    """The moment at which speech begins or ends in a stream."""

    second: float
    """Since the stream began; a little before the first sound, and behind the last one."""
    speaks: bool
    """From then on."""


class SpeechGate:
    """Tells of a stream when somebody begins to speak and when they have stopped, as `find_speech` tells of a whole.

    That somebody begins is told with the first block that sounds so; that they stopped, after `SHORTEST_PAUSE`. What
    lasts less than `SHORTEST_SPEECH`, which only the future tells, counts too.
    """

    def __init__(self) -> None:
        self.network = load_voice_activity()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; the next sample is the first of another stream."""
        self._state: State | None = None
        self._heard = np.zeros(CONTEXT, dtype=np.float32)  # what is no whole block yet, and its context
        self._n_blocks = 0
        self._speaks, self._last_speech = False, 0  # the block behind the last one with speech

    @torch.inference_mode()
    def push(self, samples: np.ndarray) -> list[Turn]:
        """(samples,) float32 at `RATE`, any number -> the turns that they complete."""
        self._heard = np.concatenate([self._heard, samples])
        n_blocks = (len(self._heard) - CONTEXT) // BLOCK
        if n_blocks == 0:
            return []
        blocks = torch.from_numpy(self._heard[: CONTEXT + n_blocks * BLOCK]).unfold(0, CONTEXT + BLOCK, BLOCK)
        probabilities, self._state = self.network(blocks, self._state)
        self._heard = self._heard[n_blocks * BLOCK :].copy()  # not a view, which would keep the whole block
        turns = []
        for probability in probabilities.tolist():
            sounds = probability >= (GOES_ON if self._last_speech == self._n_blocks and self._speaks else BEGINS)
            if sounds and not self._speaks:
                turns.append(Turn(max(self._n_blocks * BLOCK / RATE - MARGIN, 0), True))
            self._n_blocks += 1
            if sounds:
                self._speaks, self._last_speech = True, self._n_blocks
            elif self._speaks and (self._n_blocks - self._last_speech) * BLOCK / RATE >= SHORTEST_PAUSE:
                self._speaks = False
                turns.append(Turn(self._last_speech * BLOCK / RATE + MARGIN, False))
        return turns


def keep_speech(waveform: np.ndarray, sampling_rate: int, name: str = "the audio") -> np.ndarray:
    """(samples,) -> (at most as many,): what is spoken, without silence before, after and in long pauses.

    Raises:
        NoSpeechError: nobody speaks in it.
        MissingExtraError: `silero-vad` is not installed.
    """
    resampled = waveform if sampling_rate == RATE else soxr.resample(waveform, sampling_rate, RATE)
    probabilities = speech_probabilities(resampled)
    stretches = find_speech(probabilities)
    if not stretches:
        raise NoSpeechError(name, float(probabilities.max(initial=0)))
    kept = np.zeros(len(waveform), dtype=bool)
    for first, last in stretches:
        start, end = first * BLOCK / RATE - MARGIN, last * BLOCK / RATE + MARGIN
        kept[max(round(start * sampling_rate), 0) : round(end * sampling_rate)] = True
    return waveform[kept]
