"""Files, standard input and the microphone as live sound."""

import io
import sys
import types

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone

from hf_audio.errors import AudioError
from hf_audio.inference import sources
from hf_audio.inference.sources import hear_microphone, play_file, read_samples


@pytest.fixture
def clock(monkeypatch):
    """Time that passes in sleep alone."""
    now = [0.0]
    monkeypatch.setattr(sources.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_a_file_is_heard_whole_and_no_faster_than_it_sounds(tmp_path, clock):
    soundfile.write(tmp_path / "a.wav", tone(300, 0.5), RATE, subtype="FLOAT")
    heard, n_samples = [], 0
    for block in play_file(tmp_path / "a.wav", RATE, clock):
        heard.append(block)
        n_samples += len(block)
        assert sources.time.monotonic() == pytest.approx(n_samples / RATE)
    np.testing.assert_allclose(np.concatenate(heard), tone(300, 0.5), atol=1e-6)
    with pytest.raises(AudioError, match=r"gone\.wav cannot be read"):
        play_file(tmp_path / "gone.wav", RATE)


def test_samples_of_standard_input(clock):
    samples = (tone(300, 0.3) * 32767).astype("<i2")
    heard = np.concatenate(list(read_samples(io.BytesIO(samples.tobytes() + b"\x00"), RATE, clock)))
    np.testing.assert_allclose(heard, samples / 32768)
    assert sources.time.monotonic() == pytest.approx(0.3)


def test_a_microphone_gives_its_blocks_and_what_is_missing_is_named(monkeypatch):
    class Stream:
        def __init__(self, callback, blocksize, **options):
            self.callback, self.blocksize = callback, blocksize
            if options["samplerate"] != 16000:
                raise fake.PortAudioError("Invalid sample rate")

        def __enter__(self):
            for number in range(3):
                self.callback(np.full((self.blocksize, 1), number, np.float32), self.blocksize, None, None)

        def __exit__(self, *_):
            pass

    fake = types.ModuleType("sounddevice")
    fake.InputStream, fake.PortAudioError = Stream, type("PortAudioError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    blocks = hear_microphone(16000)
    assert [next(blocks)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"The microphone cannot be opened \(Invalid sample rate\): plug one in"):
        next(hear_microphone(8000))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ImportError, match=r"pip install 'hf-audio\[stream\]', or name a file"):
        next(hear_microphone(16000))
