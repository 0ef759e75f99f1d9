"""What phones and browsers write: decoded where PyAV or ffmpeg is installed, else a sentence with the remedy."""

import io
import os
import shutil
import stat
import sys

import numpy as np
import pytest
from helpers.containers import RATE, decode, encode, sound

from hf_audio import folders
from hf_audio.audio import foreign
from hf_audio.audio.foreign import find_demuxer
from hf_audio.audio.loading import load_audio, open_audio
from hf_audio.data.cache import cache_audio
from hf_audio.data.rows import from_rows
from hf_audio.data.survey import survey_recordings
from hf_audio.errors import AudioError, LongAudioError, UndecodableAudioError

av = pytest.importorskip("av")

KINDS = {  # container and coding, FFmpeg's demuxer, and how near the samples are to what was encoded
    "a.mka": ("matroska", "pcm_s16le", "matroska", 1e-4),
    "a.mov": ("mov", "pcm_s16le", "mov", 1e-4),
    "a.m4a": ("ipod", "alac", "mov", 1e-4),
    "a.wv": ("wv", "wavpack", "wv", 1e-4),
    "b.m4a": ("ipod", "aac", "mov", None),
    "a.webm": ("webm", "libopus", "matroska", None),
    "a.aac": ("adts", "aac", "aac", None),
    "a.ac3": ("ac3", "ac3", "ac3", None),
    "a.wma": ("asf", "wmav2", "asf", None),
}


def written(container, coding, samples, rate=48000):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(coding, rate=rate, layout="mono" if samples.ndim == 1 else "stereo")
        stream.bit_rate = 128_000
        if coding == "wavpack":
            stream.format = "s16p"
        words = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(words, format="s16", layout=stream.layout.name)
        frame.sample_rate, frame.pts = rate, 0
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, stream.layout.name, rate, size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture(scope="module")
def recordings():
    samples = sound(3.0, 48000)
    return samples, {name: written(*kind[:2], samples) for name, kind in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_pyav_gives_the_samples(tmp_path, recordings, name):
    samples, data = recordings[0], recordings[1][name]
    *_, demuxer, tolerance = KINDS[name]
    assert find_demuxer(io.BytesIO(data)) == demuxer
    path = tmp_path / "named.anyhow"
    path.write_bytes(data)
    heard = load_audio(path, 48000)
    np.testing.assert_array_equal(heard, load_audio(data, 48000))
    assert abs(len(heard) - len(samples)) < 4096 and np.abs(heard).max() <= 1
    if tolerance is not None:
        np.testing.assert_allclose(heard, samples, atol=tolerance)
    else:
        spectra = [np.abs(np.fft.rfft(signal[-60_000:-5000]))[:3000] for signal in (heard, samples)]
        assert np.corrcoef(*spectra)[0, 1] > 0.6
    with open_audio(data) as recording:
        assert recording.frames is None or abs(recording.frames - len(heard)) < 4096
    with pytest.raises(LongAudioError):
        load_audio(data, 16000, max_seconds=2)


def test_aac_in_mp4_ends_where_its_header_says(recordings):
    samples, files_ = recordings
    assert len(load_audio(files_["b.m4a"], 48000)) == len(samples)


def test_channels_and_rates_are_as_elsewhere():
    stereo = np.stack([sound(1.0), -sound(1.0)], 1)
    data = written("matroska", "pcm_s16le", stereo, RATE)
    np.testing.assert_allclose(load_audio(data, RATE), sound(1.0), atol=1e-4)
    assert len(load_audio(data, 8000)) == 8000


@pytest.mark.parametrize("name", ["a.m4a", "a.wv", "a.mka"])
def test_what_is_cut_off_is_refused(recordings, name):
    data = recordings[1][name]
    with pytest.raises(AudioError, match=r"is cut off or damaged"):
        load_audio(data[: len(data) // 2], RATE)


@pytest.mark.usefixtures("libsndfile_alone")
def test_without_a_decoder_the_sentence_names_one(tmp_path, recordings):
    path = tmp_path / "memo.m4a"
    path.write_bytes(recordings[1]["a.m4a"])
    with pytest.raises(
        UndecodableAudioError, match=r"memo\.m4a is not audio .*: convert to .*pip install 'hf-audio\[av\]'"
    ):
        load_audio(path, RATE)
    with pytest.raises(UndecodableAudioError) as error:
        load_audio(b"a letter" * 100, RATE)
    assert "av" not in str(error.value).split()
    assert folders.search_folder(tmp_path).unreadable == [path] and not folders.is_readable(path)


def test_folders_and_training_take_them(tmp_path, recordings):
    (tmp_path / "memo.m4a").write_bytes(recordings[1]["a.m4a"])
    (tmp_path / "stream.webm").write_bytes(recordings[1]["a.webm"])
    found = folders.search_folder(tmp_path)
    assert len(found.audio) == 2 and found.left_out() == []
    rows = from_rows(found.audio, ["a", "b"])
    cached, skipped = cache_audio(rows, RATE)
    assert len(cached) == 2 and skipped == []
    survey = survey_recordings(rows, np.array([True, True]))
    assert survey.rates.tolist() == [48000, 48000] and np.abs(survey.seconds - 3).max() < 0.1


def test_what_names_other_files_is_never_opened():
    """FFmpeg's demuxers of lists would read them."""
    for text in (
        "#EXTM3U\nfile:///etc/passwd\n",
        "ffconcat version 1.0\nfile /etc/passwd\n",
        "v=0\no=- 0 0 IN IP4 ::1\n",
    ):
        assert find_demuxer(io.BytesIO(text.encode())) is None
        with pytest.raises(UndecodableAudioError):
            load_audio(text.encode(), RATE)


FAKE = """#!{python}
import struct, sys
assert sys.argv[-1] == "pipe:1" and sys.argv[sys.argv.index("-f") + 1] == "mov"
data = open(sys.argv[sys.argv.index("-i") + 1].removeprefix("file:"), "rb").read()
sys.stdout.buffer.write(struct.pack(">4s6I", b".snd", 28, 0xFFFFFFFF, 6, 8000, 2, 0))
sys.stdout.buffer.write(struct.pack(">f", 0.25) * 2 * 3000)
sys.exit(b"broken" in data)
"""


@pytest.mark.skipif(os.name == "nt", reason="a script is a program by its rights")
def test_the_program_is_asked_where_pyav_is_not_installed(monkeypatch, tmp_path):
    program = tmp_path / "ffmpeg"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(folders, "foreign_decoder", lambda: "ffmpeg")
    data = bytes(4) + b"ftypM4A " + bytes(100)
    path = tmp_path / "a.m4a"
    path.write_bytes(data)
    for source in (data, path):
        np.testing.assert_array_equal(load_audio(source, 8000), np.full(3000, 0.25, np.float32))
    with pytest.raises(AudioError, match="cut off or damaged"):
        load_audio(data + b"broken", 8000)


def test_the_installed_program_gives_the_same_samples(monkeypatch, recordings):
    if shutil.which("ffmpeg") is None:
        pytest.skip("the ffmpeg program is not installed")
    for name, data in recordings[1].items():
        heard = load_audio(data, 48000)
        monkeypatch.setattr(folders, "foreign_decoder", lambda: "ffmpeg")
        other = load_audio(data, 48000)
        monkeypatch.undo()
        assert abs(len(heard) - len(other)) < 2048, name
        size = min(len(heard), len(other))
        np.testing.assert_allclose(heard[:size], other[:size], atol=1e-6, err_msg=name)


def test_libsndfile_comes_first():
    data = encode(sound(), "OGG", "OPUS")
    np.testing.assert_array_equal(load_audio(data, RATE), np.clip(decode(data), -1, 1))
    assert foreign.find_demuxer(io.BytesIO(data)) is None
