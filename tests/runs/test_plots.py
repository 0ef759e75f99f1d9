"""Pictures that show what was given."""

import itertools

import numpy as np
from matplotlib.figure import Figure

from hf_audio.runs.plots import plot_confusion_matrix, plot_curves, plot_pitch_scores, plot_roc_curve


def texts_of(monkeypatch) -> list[Figure]:
    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k)))
    return figures


def test_confusion_matrix_counts(tmp_path, monkeypatch):
    figures = texts_of(monkeypatch)
    references, predictions = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0])
    plot_confusion_matrix(references, predictions, ["a", "b", "c"], tmp_path / "m.png")
    (axes,) = figures[0].axes
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "1", (0, 1): "1", (1, 1): "1", (2, 2): "2", (2, 0): "1"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert (tmp_path / "m.png").stat().st_size > 1000


def test_curves_show_losses_and_scores_apart(tmp_path, monkeypatch):
    figures = texts_of(monkeypatch)
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
    figures = texts_of(monkeypatch)
    numbers = np.arange(len(NAMES))
    plot_confusion_matrix(numbers, numbers, NAMES, tmp_path / "m.png")
    shown = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert shown[:4] == ["a$x_$", "$\\frac{$", "two lines", " _hidden"]
    assert len(shown[4]) == 40 and shown[4].endswith("…")
    for first, second in itertools.pairwise(NAMES):
        plot_roc_curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), (first, second), tmp_path / "r.png")
        plot_pitch_scores(*np.array([[100.0, 200.0], [0.1, 0.9]]), np.arange(2), (first, second), tmp_path / "p.png")
        history = [{"epoch": 1.0, "loss": 1.0}, {"epoch": 1.0, f"eval_f1_{first}": 0.5}]
        plot_curves(history, tmp_path / "c.png")
    legend = figures[2].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a$x_$", "$\\frac{$"]
