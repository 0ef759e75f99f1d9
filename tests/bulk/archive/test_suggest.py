"""`hf-audio suggest`: what is unsure and new comes first, and nothing that is labelled already."""

import csv

import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone

import hf_audio
from hf_audio import cli
from hf_audio.bulk.archive.suggest import _choose, _find_labelled, _Windows, measure_uncertainty
from hf_audio.errors import ArgumentError, AudioError, DataError


@pytest.fixture
def recordings(tmp_path):
    """Two recordings of three tones of a second each, and one that cannot be read."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, pitches in (("a", (300, 305, 2500)), ("b", (900, 310, 2520))):
        soundfile.write(folder / f"{name}.wav", np.concatenate([tone(hertz, 1.0) for hertz in pitches]), RATE)
    (folder / "broken.wav").write_text("no sound")
    return folder


def test_uncertainty_is_the_margin_of_two_labels_or_the_doubt_in_a_tag():
    scores = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.4, 0.3, 0.3]])
    assert measure_uncertainty(scores, multi_label=False) == pytest.approx([1.0, 0.2, 0.9])
    assert measure_uncertainty(np.array([[0.5, 0.0], [0.9, 0.1]]), multi_label=True) == pytest.approx([1.0, 0.2])
    assert measure_uncertainty(np.ones((2, 1)), multi_label=False).tolist() == [0, 0]


def test_each_window_is_the_least_sure_and_least_like_those_before():
    angles = np.deg2rad([0, 2, 120, 122, 240, 242])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    spans = np.stack([np.arange(6.0), np.arange(6.0) + 1], axis=1)
    windows = _Windows(["a.wav"] * 6, spans, np.zeros((6, 2)), vectors)
    uncertainty = np.array([0.9, 1.0, 0.8, 0.5, 0.5, 0.6])
    nothing = np.zeros(0, dtype=int)
    order, novelty = _choose(windows, np.arange(6), nothing, uncertainty, 6)
    assert order[:3] == [1, 2, 5] and min(novelty[:3]) > 0.7 and max(novelty[3:]) < 0.001
    order, _ = _choose(windows, np.array([0, 2, 3, 4, 5]), np.array([1]), uncertainty, 2)
    assert order == [2, 5]  # the first is like what is labelled
    spans[4] = 3.5, 4.5  # over the fourth
    order, _ = _choose(windows, np.arange(6), nothing, uncertainty, 6)
    assert len(order) == 5 and len({3, 4} & set(order)) == 1


def test_labelled_windows_are_not_suggested_and_others_like_them_come_last(checkpoint, recordings, tmp_path, capsys):
    table = tmp_path / "labelled.csv"
    table.write_text(
        f"path,onset,offset,label\n{recordings / 'a.wav'},0.1,0.9,low\n{recordings / 'a.wav'},2.0,3.0,x\n"
    )
    everything = hf_audio.suggest(checkpoint, recordings, count=20)
    assert len(everything) == 6 and [each.rank for each in everything] == list(range(1, 7))
    chosen = hf_audio.suggest(checkpoint, recordings, count=20, labelled=table, output=tmp_path / "chosen.csv")
    spans = [(each.path[-5:], each.start) for each in chosen]
    assert sorted(spans) == [("a.wav", 1.0), ("b.wav", 0.0), ("b.wav", 1.0), ("b.wav", 2.0)]
    assert spans[0] == ("b.wav", 0.0)  # the only pitch that nobody has labelled
    with (tmp_path / "chosen.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], float(row["start"])) for row in rows] == [(each.path, each.start) for each in chosen]
    assert all(0 <= each.novelty <= 1 and 0 <= each.uncertainty <= 1 for each in chosen)

    cli.main(["suggest", str(checkpoint), str(recordings), "--count", "2"])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and everything[0].guess in printed[1]


def test_rows_of_a_table_without_a_label_are_not_labelled(tmp_path):
    table = tmp_path / "labelled.csv"
    table.write_text("path,label\na.wav,dog\nb.wav,\nc.wav,nan\n")
    assert list(_find_labelled(table)) == [str(tmp_path / "a.wav")]
    table.write_text("path\na.wav\nb.wav\n")  # a list of what is labelled
    assert list(_find_labelled(table)) == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]


def test_what_cannot_be_suggested_is_refused(checkpoint, recordings, tmp_path):
    with pytest.raises(ArgumentError, match="--count 0"):
        hf_audio.suggest(checkpoint, recordings, count=0)
    with pytest.raises(DataError, match="labelled already"):
        hf_audio.suggest(checkpoint, recordings, labelled=recordings)
    with pytest.raises(AudioError, match=r"broken\.wav"):
        hf_audio.suggest(checkpoint, recordings / "broken.wav")
    with pytest.raises(DataError, match=r"must end in \.csv or \.html"):
        hf_audio.suggest(checkpoint, recordings, output=tmp_path / "page.pdf")
