"""What recordings are like, by their headers."""

import numpy as np
import pytest
import soundfile
from helpers.containers import encode, mp3, sound, wav, without_tag
from helpers.recordings import RATE, tone, write_parquet

from hf_audio.data import survey
from hf_audio.data.bands import unheard
from hf_audio.data.rows import from_rows
from hf_audio.data.shards import index_shards
from hf_audio.data.tables.columns import Columns
from hf_audio.errors import DataError


def test_mixed_recordings_and_unreadable_ones(tmp_path):
    formats = [
        ("a.wav", 8000, 0.5),
        ("b.flac", 44100, 1),
        ("c.ogg", 16000, 2),
        ("d.mp3", 22050, 1),
        ("e.wav", 48000, 1),
    ]
    for name, rate, seconds in formats:
        soundfile.write(tmp_path / name, np.stack([tone(300, seconds, rate)] * 2, axis=1), rate)
    (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")
    (tmp_path / "f.wav").write_bytes((tmp_path / "b.flac").read_bytes())  # what a name says does not count
    names = [*(name for name, _, _ in formats), "broken.wav", "gone.wav", "f.wav"]
    dataset = from_rows([tmp_path / name for name in names], [str(i % 2) for i in range(len(names))])
    found = survey.survey_recordings(dataset, np.array([*[True] * 7, False]))
    assert sorted(found.rates) == [8000, 16000, 22050, 44100, 48000] and found.n_clips == 7
    assert sorted(found.seconds) == pytest.approx([0.5, 1, 1, 1, 2], abs=0.06)  # MP3 is padded
    found = survey.survey_recordings(dataset, np.array([*[False] * 7, True]))
    assert found.rates.tolist() == [44100]
    with pytest.raises(DataError, match=r"None of 2 recordings can be read; the first: .*broken.wav is not audio"):
        survey.survey_recordings(dataset, np.array([name in ("broken.wav", "gone.wav") for name in names]))


def test_where_the_sounds_of_some_lie(tmp_path, monkeypatch):
    for number in range(8):
        soundfile.write(tmp_path / f"{number}.wav", tone((2000, 6000)[number % 2], 0.3, 16000), 16000)
    (tmp_path / "1.wav").write_bytes(b"no sound")
    dataset = from_rows([tmp_path / f"{number}.wav" for number in range(8)], [str(i % 2) for i in range(8)])
    bands = survey.survey_recordings(dataset, np.ones(8, dtype=bool)).bands
    assert unheard(bands, 4000).sum() == 3 and len(bands) == 7
    monkeypatch.setattr(survey, "MOST_MEASURED", 2)
    assert len(survey.survey_recordings(dataset, np.ones(8, dtype=bool)).bands) == 2


def test_of_many_recordings_a_sample_is_read(tmp_path, monkeypatch):
    for number in range(12):
        soundfile.write(tmp_path / f"{number}.wav", tone(300, 0.1 + number / 100), RATE)
    dataset = from_rows([tmp_path / f"{number}.wav" for number in range(12)], [str(i % 2) for i in range(12)])
    monkeypatch.setattr(survey, "MOST_FILES", 5)
    found, again, other = (survey.survey_recordings(dataset, np.ones(12, dtype=bool), seed) for seed in (0, 0, 1))
    assert len(found.seconds) == 5 and found.n_clips == 12
    assert found.seconds.tolist() == again.seconds.tolist() != other.seconds.tolist()


def test_of_a_stream_the_first_rows_of_some_row_groups_are_read(tmp_path, monkeypatch):
    rows = []
    for number in range(20):
        soundfile.write(tmp_path / "clip.wav", tone(300, 0.1 + number / 100, 8000 + number), 8000 + number)
        rows.append(((tmp_path / "clip.wav").read_bytes(), "clip.wav", str(number % 2)))
    rows[0] = (b"no sound", "clip.wav", "0")
    split = index_shards([str(write_parquet(tmp_path / "0.parquet", rows, group=5))], Columns())
    assert sorted(survey.survey_stream(split).rates) == list(range(8001, 8020))
    assert len(survey.survey_stream(split).bands) == 19
    monkeypatch.setattr(survey, "BLOCKS", 2)
    monkeypatch.setattr(survey, "ROWS_A_BLOCK", 3)
    found = survey.survey_stream(split)
    assert found.n_clips == 20 and len(found.rates) in (5, 6)
    assert {(rate - 8000) % 5 for rate in found.rates} <= {0, 1, 2}


def test_lengths_are_the_truth_where_headers_are_not(tmp_path):
    samples = sound(3.0, 44100)
    contents = [
        without_tag(mp3()),
        mp3() + mp3(),
        wav(0, (sound(3.0) * 32767).astype("<i2").tobytes()),
        encode(samples, "OGG", rate=44100) * 2,
    ]
    files = []
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.bin").write_bytes(content)
        files.append(str(tmp_path / f"{number}.bin"))
    found = survey.survey_recordings(from_rows(files, [*"abab"]), np.ones(4, dtype=bool))
    assert found.seconds == pytest.approx([3, 6, 3, 6], abs=0.1)
