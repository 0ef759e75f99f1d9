"""Pictures that show what was given."""

import numpy as np
from matplotlib.figure import Figure

from hf_audio.runs.plots import plot_confusion_matrix, plot_curves


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
