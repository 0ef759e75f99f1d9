"""Pictures that show what was given."""

import itertools
import warnings

import numpy as np
import pytest
from helpers.pictures import saved_figures
from matplotlib.figure import Figure

from hf_audio.runs.plots import plot_confusion_matrix, plot_curves, plot_pitch_scores, plot_roc_curve


def test_confusion_matrix_counts(tmp_path, monkeypatch):
    figures = saved_figures(monkeypatch)
    references, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0])
    plot_confusion_matrix(references, predictions, ["a", "b", "c"], tmp_path / "m.png")
    (axes,) = figures[0].axes
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 2): "2", (2, 0): "1"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert (tmp_path / "m.png").stat().st_size > 1000


def test_curves_show_losses_and_scores_apart(tmp_path, monkeypatch):
    figures = saved_figures(monkeypatch)
    history = [
        {"epoch": 1.0, "loss": 2.0},
        {"epoch": 1.0, "eval_loss": 2.1, "eval_accuracy": 0.3, "eval_runtime": 4.0},
        {"epoch": 2.0, "loss": 1.0},
        {"epoch": 2.0, "eval_loss": 1.4, "eval_accuracy": 0.6, "eval_samples_per_second": 9.0},
        {"epoch": 2.0, "train_runtime": 3.0},
    ]
    plot_curves(history, tmp_path / "c.png")
    losses, scores = figures[0].axes
    drawn = {line.get_label(): list(line.get_ydata()) for axes in (losses, scores) for line in axes.lines}
    assert drawn == {"training loss": [2.0, 1.0], "validation loss": [2.1, 1.4], "validation accuracy": [0.3, 0.6]}
    plot_curves(history[:1], tmp_path / "short.png")
    assert len(figures[1].axes) == 1


NAMES = ["a$x_$", "$\\frac{$", "two\nlines", "_hidden", "long " * 40]


def test_names_of_classes_are_shown_as_they_are(tmp_path, monkeypatch):
    figures = saved_figures(monkeypatch)
    numbers = np.arange(len(NAMES))
    plot_confusion_matrix(numbers, numbers, NAMES, tmp_path / "m.png")
    shown = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert shown[:4] == ["a$x_$", "$\\frac{$", "two lines", " _hidden"]
    assert len(shown[4]) == 40 and "…" in shown[4]
    for first, second in itertools.pairwise(NAMES):
        plot_roc_curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), (first, second), tmp_path / "r.png")
        plot_pitch_scores(*np.array([[100.0, 200.0], [0.1, 0.9]]), np.arange(2), (first, second), tmp_path / "p.png")
        history = [{"epoch": 1.0, "loss": 1.0}, {"epoch": 1.0, f"eval_f1_{first}": 0.5}]
        plot_curves(history, tmp_path / "c.png")
    legend = figures[2].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a$x_$", "$\\frac{$"]


def overlapping(texts) -> list[tuple[str, str]]:
    """Pairs of neighbouring texts of which one covers a part of the other."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [(one, other) for (one, box), (other, beside) in itertools.pairwise(boxes) if box.overlaps(beside)]


def draw_matrix(n: int, name: str, path, monkeypatch) -> Figure:
    figures = saved_figures(monkeypatch)
    random = np.random.default_rng(0)
    references = np.repeat(np.arange(n), 12)
    predictions = np.where(random.random(len(references)) < 0.7, references, random.integers(0, n, len(references)))
    plot_confusion_matrix(references, predictions, [name.format(number) for number in range(n)], path)
    return figures[-1]


@pytest.mark.parametrize(
    ("n", "name"), [(2, "class {}"), (40, "the name of the class {} is longer than others"), (500, "{}")]
)
def test_a_matrix_of_any_size_can_be_read_in_a_card(n, name, tmp_path, monkeypatch):
    figure = draw_matrix(n, name, tmp_path / "m.png", monkeypatch)
    axes = figure.axes[0]
    assert overlapping(axes.get_yticklabels()) == overlapping(axes.get_xticklabels()) == []
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(shown)) == len(shown) == min(n, 40 if n <= 40 else 30)
    width = figure.get_figwidth()
    # A card is 800 pixels wide: names are nine pixels high there, at least.
    assert axes.get_yticklabels()[0].get_fontsize() / 72 / width * min(800, width * 120) >= 9
    assert len(figure.axes) == (1 if n <= 40 else 2)
    cells = [text for text in axes.texts if text.get_position()[1] == 0]
    assert overlapping(cells) == []


def test_of_many_classes_those_that_are_confused_most_are_named(tmp_path, monkeypatch):
    figures = saved_figures(monkeypatch)
    references = np.repeat(np.arange(100), 2)
    predictions = references.copy()
    predictions[2 * 70], predictions[2 * 90 + 1] = 90, 70
    plot_confusion_matrix(references, predictions, [f"class {n}" for n in range(100)], tmp_path / "m.png")
    named, whole = figures[0].axes
    assert {"class 70", "class 90"} <= {label.get_text() for label in named.get_yticklabels()}
    assert whole.images[0].get_array().shape == (100, 100) and len(whole.texts) == 0


def test_letters_without_a_font_warn_of_nothing(tmp_path, monkeypatch):
    names = ["\N{CJK UNIFIED IDEOGRAPH-72D7}", "\N{CJK UNIFIED IDEOGRAPH-732B}", "\N{FROG FACE} frog", "dog"]
    figures = saved_figures(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_confusion_matrix(np.arange(4), np.arange(4), names, tmp_path / "m.png")
        plot_curves([{"epoch": 1.0, f"eval_f1_{names[0]}": 0.5}], tmp_path / "c.png")
    shown = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert len(set(shown)) == 4 and shown[2].endswith(" frog")
