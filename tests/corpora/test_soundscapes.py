"""Annotated soundscapes: what is laid where, how loud, and out of which recordings."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.recordings import REAL_DATA

from hf_audio.corpora.soundscapes import (
    ESC50_BACKGROUNDS,
    ESC50_EVENTS,
    RATE,
    ESC50Sounds,
    find_event,
    lay_soundscape,
    make_soundscapes,
)
from hf_audio.errors import ArgumentError, DataError


class Tones:
    """Tones of a second, in a recording of two, over faint noise; tests have other pitches than training."""

    labels: Sequence[str] = ("high", "low")
    description: Mapping[str, str] = {"sounds": "tones"}
    pitches: Mapping[str, int] = {"high": 4000, "low": 500}

    def event(self, label, split, random):
        time = np.arange(2 * RATE) / RATE
        return np.sin(2 * np.pi * self.pitches[label] * time) * ((time > 0.5) & (time < 1.5))

    def background(self, split, n_samples, random):
        return random.standard_normal(n_samples)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_events_lie_where_they_are_annotated_as_loud_as_stated():
    random = np.random.default_rng(3)
    samples, events = lay_soundscape(Tones(), "train", random)
    assert len(samples) == 10 * RATE and np.abs(samples).max() <= 1 and len(events) >= 2
    assert events == sorted(events) and {event.label for event in events} <= {"high", "low"}
    for event in events:
        assert event.offset - event.onset == pytest.approx(1.0, abs=0.02)
    event = max(events, key=lambda event: event.signal_to_noise)
    part = samples[round(event.onset * RATE) : round(event.offset * RATE)]
    spectrum = np.abs(np.fft.rfft(part)) ** 2
    pitch = Tones.pitches[event.label]
    near = np.abs(np.fft.rfftfreq(len(part), 1 / RATE) - pitch) < 50
    others = np.abs(np.fft.rfftfreq(len(part), 1 / RATE) - Tones.pitches["low" if pitch > 1000 else "high"]) < 50
    ratio = 10 * np.log10(spectrum[near].sum() / spectrum[~near & ~others].sum())
    assert ratio == pytest.approx(event.signal_to_noise, abs=0.5)


def test_a_corpus_is_made_whole_and_the_same_each_time(tmp_path):
    first = make_soundscapes(tmp_path / "first", sounds=Tones(), count=4, seed=1)
    larger = make_soundscapes(tmp_path / "larger", sounds=Tones(), count=6, seed=1)
    assert sorted(path.name for path in first.iterdir()) == [
        "soundscapes.json", "test", "test.csv", "train", "train.csv",
    ]  # fmt: skip
    rows = read_table(first / "train.csv")
    assert list(rows[0]) == ["path", "onset", "offset", "label", "signal_to_noise_db"]
    assert {row["path"] for row in rows} <= {f"train/{position:04d}.wav" for position in range(4)}
    assert all(0 <= float(row["onset"]) < float(row["offset"]) <= 10 for row in rows)
    assert rows == read_table(larger / "train.csv")[: len(rows)]
    assert (first / "train" / "0003.wav").read_bytes() == (larger / "train" / "0003.wav").read_bytes()
    assert soundfile.info(first / "test" / "0000.wav").samplerate == RATE
    assert (first / "train" / "0000.wav").read_bytes() != (first / "test" / "0000.wav").read_bytes()
    with pytest.raises(DataError, match="holds something else"):
        make_soundscapes(first, sounds=Tones(), count=4, seed=2)
    with pytest.raises(ArgumentError, match="--count 0"):
        make_soundscapes(tmp_path / "none", count=0)
    assert not (tmp_path / "none").exists()


def test_the_demo_has_events_of_instruments(tmp_path):
    rows = read_table(make_soundscapes(tmp_path / "demo", count=1) / "train.csv")
    assert rows and all(row["path"] == "train/0000.wav" for row in rows)


def test_an_event_is_found_by_its_loudness():
    silence = np.zeros(RATE)
    burst = np.random.default_rng(0).standard_normal(RATE // 2)
    found = find_event(np.concatenate([silence, burst, silence, 0.2 * burst]))
    assert (found.start / RATE, found.stop / RATE) == pytest.approx((1.0, 1.5), abs=0.02)
    paused = find_event(np.concatenate([silence, burst, silence[: RATE // 5], burst, silence]))
    assert (paused.start / RATE, paused.stop / RATE) == pytest.approx((1.0, 2.2), abs=0.02)
    assert find_event(np.tile(burst, 10)) is None  # no end
    assert find_event(silence) is None


def test_recordings_of_esc50_stay_in_their_folds(tmp_path):
    if not (REAL_DATA / "esc50").is_dir():
        pytest.skip("the real recordings are not here: esc50")
    sounds = ESC50Sounds(REAL_DATA / "esc50", "2")
    sources = {
        split: {
            path.name.split("-")[1] for (name, _), paths in sounds.clips.items() if name == split for path in paths
        }
        for split in ("train", "test")
    }
    assert not sources["train"] & sources["test"]
    assert all((split, label) in sounds.clips for split in sources for label in (*ESC50_EVENTS, *ESC50_BACKGROUNDS))
    samples, events = lay_soundscape(sounds, "test", np.random.default_rng(0))
    assert np.isfinite(samples).all() and {event.label for event in events} <= set(ESC50_EVENTS)


def test_what_is_not_esc50_is_told(tmp_path):
    with pytest.raises(DataError, match="audio and meta"):
        ESC50Sounds(tmp_path, "1")
    with pytest.raises(ArgumentError, match="folds 1 to 5"):
        ESC50Sounds(tmp_path, "6")
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text("filename,fold,category,src_file\n1-1-A-0.wav,1,dog,1\n")
    with pytest.raises(DataError, match="has no clips of dog, rooster"):
        ESC50Sounds(tmp_path, "1")
