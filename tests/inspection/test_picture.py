"""The picture of a collection shows what was given."""

import itertools

import numpy as np
from helpers.pictures import saved_figures

from hf_audio.inspection.picture import plot_collection


def test_a_collection_is_drawn_by_classes_lengths_levels_and_rates(tmp_path, monkeypatch):
    figures = saved_figures(monkeypatch)
    seconds, levels = np.array([1.0, 2.0, 2.0]), np.array([-20.0, -30.0, -200.0])
    plot_collection({"dog": 1, "cat": 2}, seconds, levels, np.array([8000, 16000, 16000]), tmp_path / "c.png")
    classes, lengths, loudness, rates = figures[0].axes
    assert [label.get_text() for label in classes.get_yticklabels()] == ["cat", "dog"]
    assert [bar.get_width() for bar in classes.patches] == [2, 1]
    assert sum(bar.get_height() for bar in lengths.patches) == sum(bar.get_height() for bar in loudness.patches) == 3
    assert [bar.get_width() for bar in rates.patches] == [1, 2]
    plot_collection({}, seconds, levels, np.array([8000]), tmp_path / "without_classes.png")
    plot_collection({str(n): n + 1 for n in range(300)}, seconds, levels, np.array([8000]), tmp_path / "many.png")
    assert len(figures[2].axes[0].patches) == 40 and "40 of 300" in figures[2].axes[0].get_xlabel()


def test_labels_of_many_rates_and_long_names_do_not_overlap(tmp_path, monkeypatch):
    figures = saved_figures(monkeypatch)
    names = {f"a class of sounds with a long name, number {n}": 2000 * n for n in range(60)}
    rates = np.repeat([8000 + 1000 * n for n in range(17)], np.arange(17) + 1)
    plot_collection(names, np.ones(len(rates)), np.full(len(rates), -20.0), rates, tmp_path / "c.png")
    (figure,) = figures
    assert round(figure.get_figwidth() * 120) <= 1020
    for axes in figure.axes:
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            boxes = [(label.get_text(), label.get_window_extent()) for label in labels if label.get_text()]
            pairs = itertools.pairwise(boxes)
            assert [(one, other) for (one, box), (other, beside) in pairs if box.overlaps(beside)] == []
    classes, *_, kinds = figure.axes
    assert len({label.get_text() for label in classes.get_yticklabels()}) == 40
    assert [label.get_text() for label in kinds.get_yticklabels()][-2:] == ["24000 Hz", "9 other rates"]
    assert sum(bar.get_width() for bar in kinds.patches) == len(rates)
