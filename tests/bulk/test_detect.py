"""`hf-audio detect` as users run it: events of many recordings, by the clock, in every format."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.killed_runs import break_off

from hf_audio import cli
from hf_audio.audio.loading import stream_audio
from hf_audio.bulk import moments
from hf_audio.bulk import tagger as tagger_module
from hf_audio.bulk.scoring import judge_clips
from hf_audio.commands import detect
from hf_audio.data.annotations.finding import find_annotations
from hf_audio.errors import ArgumentError, DataError
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.inference.events import EventRule, find_events
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import frame_scores

RATE = 8000


class Ear(AudioClassifier):
    """Hears every frame of 0.1 s: how loud it is, and whether it is below or above zero in the mean."""

    def __init__(self, rule: EventRule | None = None):
        labels = ("above", "below", "none of these")
        facts = Facts(labels, RATE, 1.0, multi_label=True, frame_seconds=0.1, event_rule=rule)
        super().__init__(facts)

    def score(self, windows):
        return np.stack([frames.max(0) for frames in self.score_frames(windows)])

    def score_frames(self, windows):
        scores = []
        for window in windows:
            means = window[: len(window) // 800 * 800].reshape(-1, 800).mean(1)
            scores.append(np.stack([means, -means, 1 - abs(means)], 1).clip(0, 1).astype(np.float32))
        return scores


@pytest.fixture(autouse=True)
def ear(monkeypatch) -> Ear:
    classifier = Ear(EventRule((0.5, 0.6, 0.5), gap_seconds=0.1))
    monkeypatch.setattr(moments, "load_classifier", lambda _: classifier)
    return classifier


def record(path, *events: tuple[float, float, float], seconds: float = 8.0) -> None:
    samples = np.zeros(round(seconds * RATE), dtype=np.float32)
    for onset, offset, level in events:
        samples[round(onset * RATE) : round(offset * RATE)] = level
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="FLOAT")


@pytest.fixture
def field(tmp_path, monkeypatch):
    """Two sites, and a recording in which nothing sounds."""
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "field" / "pond" / "20240131_065956.wav", (1.0, 1.5, 0.9), (5.0, 8.0, 0.7), (5.5, 6.0, -0.7))
    record(tmp_path / "field" / "wood" / "20240131_060000.wav", (0.0, 0.4, 0.55), (2.0, 2.5, -0.55))
    record(tmp_path / "field" / "wood" / "20240201_060000.wav", seconds=3.0)
    return tmp_path / "field"


EVENTS = [
    ("pond/20240131_065956.wav", 1.0, 1.5, "above", 0.9, "2024-01-31T06:59:57.000"),
    ("pond/20240131_065956.wav", 5.0, 5.5, "above", 0.7, "2024-01-31T07:00:01.000"),
    ("pond/20240131_065956.wav", 5.5, 6.0, "below", 0.7, "2024-01-31T07:00:01.500"),
    ("pond/20240131_065956.wav", 6.0, 8.0, "above", 0.7, "2024-01-31T07:00:02.000"),
    ("wood/20240131_060000.wav", 0.0, 0.4, "above", 0.55, "2024-01-31T06:00:00.000"),
]


def test_events_of_many_recordings_are_one_table_and_none_is_of_silence(field, ear):
    table = detect("CK", [field])
    assert list(table.columns) == ["path", "onset", "offset", "label", "confidence", "time", "error"]
    rows = [(row.path.split("/field/")[1], row.onset, row.offset, row.label, row.confidence, row.time)
            for row in table.itertuples()]  # fmt: skip
    assert [(*row[:4], round(row[4], 4), row[5]) for row in rows] == EVENTS
    path = field / "pond" / "20240131_065956.wav"
    stretches = list(frame_scores(ear, stream_audio(path, RATE)))
    scores = np.concatenate([stretch.scores for stretch in stretches])
    expected = find_events(scores, 0.1, ear.labels, ear.facts.event_rule)
    assert [row[1:4] for row in rows[:4]] == [(*tuple(np.round(e[:2], 6)), e.label) for e in expected]


def test_thresholds_gaps_and_shortest_events_are_changed_for_all_or_some_labels(field):
    def found(**changes):
        return detect("CK", [field / "wood"], **changes)["label"].tolist()

    assert found() == ["above"] and found(threshold=0.5) == ["above", "below"]
    assert found(threshold=["below=0.5", "0.8"]) == ["below"] and found(min_seconds=0.45, threshold=0.5) == ["below"]
    table = detect("CK", [field / "pond"], gap_seconds=0.5)
    assert table[table["label"] == "above"]["offset"].tolist() == [1.5, 8.0]
    for words in (["2"], ["cat=0.5"], ["below=loud"], ["0"]):
        with pytest.raises(ArgumentError, match="--threshold"):
            found(threshold=words)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".selections.txt"])
def test_a_table_of_events_is_read_as_annotations(field, suffix):
    output = detect("CK", [field], output=field.parent / f"events{suffix}")
    if suffix in (".csv", ".selections.txt"):
        annotated = find_annotations(output)
        found = [(r.path.name, a.onset, a.offset, a.label) for r in annotated.recordings for a in r.annotations]
        assert sorted(found) == sorted((row[0].split("/")[1], *row[1:4]) for row in EVENTS)
    else:
        table = pd.read_parquet(output) if suffix == ".parquet" else pd.read_json(output, lines=True)
        assert table["onset"].tolist() == [row[1] for row in EVENTS] and table["error"].isna().all()


def test_a_file_beside_each_recording_and_nothing_of_a_person_is_overwritten(field, capsys):
    (field / "wood" / "broken.wav").write_bytes(b"no sound")
    cli.main(["detect", "CK", str(field), "--beside", ".txt"])
    assert "1 of 4 recordings cannot be read: they have no file." in capsys.readouterr().err
    lines = (field / "pond" / "20240131_065956.txt").read_text().splitlines()
    assert lines[0] == "1.000000\t1.500000\tabove" and len(lines) == 4
    annotated = find_annotations(field)
    found = [(r.path.name, a.onset, a.offset, a.label) for r in annotated.recordings for a in r.annotations]
    assert sorted(found) == sorted((row[0].split("/")[1], *row[1:4]) for row in EVENTS)
    assert (field / "wood" / "20240201_060000.txt").read_text() == ""
    assert not (field / "wood" / "broken.txt").exists()
    assert sorted(path.suffix for path in field.rglob("*.*")) == [".txt"] * 3 + [".wav"] * 4
    with pytest.raises(DataError, match="exists already, and may hold somebody's labels"):
        detect("CK", [field], beside=".txt")
    detect("CK", [field / "pond"], beside=".TextGrid")
    grid = (field / "pond" / "20240131_065956.TextGrid").read_text()
    assert grid.count('class = "IntervalTier"') == 2 and "xmax = 8.0\ntiers?" in grid
    with pytest.raises(DataError, match=r"give --beside \.txt for a file beside each"):
        detect("CK", [field], output=field.parent / "all.txt")
    with pytest.raises(ArgumentError, match="leave one out"):
        detect("CK", [field], beside=".txt", output=field.parent / "a.csv")


def test_a_killed_run_goes_on_where_it_was(field, monkeypatch):
    output = field.parent / "events.csv"
    monkeypatch.setattr(tagger_module, "judge_clips", break_off)
    with pytest.raises(KeyboardInterrupt):
        detect("CK", [field], output=output)
    monkeypatch.setattr(tagger_module, "judge_clips", judge_clips)
    with pytest.raises(DataError, match="was begun with other --threshold"):
        detect("CK", [field], output=output, threshold=0.4, resume=True)
    detect("CK", [field], output=output, resume=True)
    assert pd.read_csv(output)["onset"].tolist() == [row[1] for row in EVENTS]


def test_activity_by_hour_day_and_site_as_a_table_and_a_picture(field, caplog):
    detect("CK", [field], output=field.parent / "e.csv", summary=[field.parent / "s.csv", field.parent / "s.png"])
    table = pd.read_csv(field.parent / "s.csv").set_index(["site", "date", "hour", "label"])
    assert table.loc[("pond", "2024-01-31", 6, "above")].tolist() == [1, 0.5, 4]  # up to seven o'clock
    assert table.loc[("pond", "2024-01-31", 7, "above")].tolist() == [2, 2.5, 4]
    assert table.loc[("wood", "2024-02-01", 6, "below")].tolist() == [0, 0, 3] and len(table) == 8
    assert (field.parent / "s.png").read_bytes().startswith(b"\x89PNG")
    rows = "path,began,site\nwood/20240131_060000.wav,2023-05-01 23:00:00Z,W\n"
    (field / "t.csv").write_text(rows)
    table = detect("CK", [field / "t.csv"], start_column="began", summary=field.parent / "s.csv")
    assert table["time"].tolist() == ["2023-05-01T23:00:00.000+00:00"] and table["site"].tolist() == ["W"]
    assert pd.read_csv(field.parent / "s.csv")["site"].tolist() == ["W"]
    with pytest.raises(DataError, match="start is no column of the table: began, site"):
        detect("CK", [field / "t.csv"], start_column="start")
    record(field / "x" / "a.wav")
    with pytest.raises(DataError, match="no recording tells in its file or its name"):
        detect("CK", [field / "x"], summary=field.parent / "s.csv")
    detect("CK", [field], summary=field.parent / "s.csv")
    assert "Recordings that do not tell when they began, and so are not in --summary: 1." in caplog.text
    with pytest.raises(DataError, match=r"must end in \.csv or \.png"):
        detect("CK", [field], summary=field.parent / "s.pdf")


def test_annotated_recordings_are_listened_to_once_each(field):
    cells = [("wood/20240131_060000.wav", 0, 1, "x", "W"), ("wood/20240131_060000.wav", 2, 3, "y", "W")]
    rows = ["path,onset,offset,label,site", *(",".join(map(str, row)) for row in cells)]
    (field / "t.csv").write_text("\n".join(rows) + "\n")
    table = detect("CK", [field / "t.csv"])
    assert len(table) == 1 and table["site"].tolist() == ["W"] and "table_onset" not in table


def test_a_network_that_calls_every_noise_something_is_told(field, monkeypatch, caplog):
    classifier = Ear()
    object.__setattr__(classifier.facts, "labels", ("above", "below", "zero"))
    object.__setattr__(classifier.facts, "multi_label", False)
    monkeypatch.setattr(moments, "load_classifier", lambda _: classifier)
    detect("CK", [field / "wood"])
    assert "knows no 'none of these', so it calls every noise by one of its 3 labels" in caplog.text
    assert json.loads(json.dumps(classifier.facts.to_dict()))["event_rule"] is None
