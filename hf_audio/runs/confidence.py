"""How far a network's confidence may be trusted, on test clips as they are and on altered copies of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .markdown import Table
from .metrics.calibration import N_BINS, calibration_error, chance_error
from .predictions.kinds import AnyPredictions

# Of a run's results.
CONFIDENCE = "confidence"  # of the test clips, as `measure_confidence` gives it
ALTERED = "altered"  # the same of altered copies, by the alteration
TEMPERATURE = "temperature"  # by which the network divides its logits
CALIBRATED = "calibrated"  # how the temperature came about, in a sentence
CROSS_FITTED = (
    "cross_fitted"  # of a cross-validation: the temperature that its folds fit for one another, and its error
)

SURE = 0.9  # a confidence that people rely on
AS_RECORDED = "as recorded"
# Alterations, and what they are.
NOISE, TELEPHONE, ROOM = "noise", "telephone", "room"
WORDS = {
    NOISE: "white noise 10 dB below the clip",
    TELEPHONE: "300 to 3400 Hz at a rate of 8 kHz, in 8 bits of G.711's mu-law",
    ROOM: "echoes for half a second, as loud as the sound itself",
}


def measure_confidence(predictions: AnyPredictions) -> dict[str, Any]:
    """How confident answers are and how many are right, for a run's results.

    `samples`, the share that is `right`, the mean `confidence`, the `calibration_error` and what that would be
    `by_chance` were there none (its mean, and what it exceeds in one case of twenty); and of the `sure` answers, those
    with a confidence of 0.9 or more, how many they are and which share is right, `sure_right`.
    """
    confidence, right = predictions.confidence, predictions.right
    sure = confidence >= SURE
    return {
        "samples": len(right),
        "right": float(right.mean()),
        "confidence": float(confidence.mean()),
        "calibration_error": calibration_error(confidence, right),
        "by_chance": list(chance_error(confidence)),
        "sure": int(sure.sum()),
        "sure_right": float(right[sure].mean()) if sure.any() else None,
    }


def average_confidence(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The confidence of several parts together, every clip counting the same; of calibration errors, the mean.

    parts: as `measure_confidence` gives them.
    """
    samples = np.array([part["samples"] for part in parts])
    sure = np.array([part["sure"] for part in parts])
    mean = {
        name: float(np.average([part[name] for part in parts], weights=samples))
        for name in ("right", "confidence", "calibration_error")
    }
    return {
        "samples": int(samples.sum()),
        **mean,
        "by_chance": np.average([part["by_chance"] for part in parts], axis=0, weights=samples).tolist(),
        "sure": int(sure.sum()),
        "sure_right": (
            float(np.average([part["sure_right"] or 0 for part in parts], weights=sure)) if sure.any() else None
        ),
    }


def confidence_table(results: Mapping[str, Any], answer: str) -> list[Table]:
    """The card's table of confidence from a run's results; no table where nothing was measured.

    answer: what is right of a clip, in a word or two, such as `Accuracy`.
    """
    if CONFIDENCE not in results:
        return []
    measured = {AS_RECORDED: results[CONFIDENCE], **results.get(ALTERED, {})}
    rows = []
    for name, each in measured.items():
        sure = "" if each["sure_right"] is None else f"{each['sure_right']:.3f} of {each['sure']}"
        rows.append(
            [
                *(name, each["samples"], f"{each['right']:.3f}", f"{each['confidence']:.3f}"),
                *(f"{each['calibration_error']:.3f}", "{:.3f}, up to {:.3f}".format(*each["by_chance"]), sure),
            ]
        )
    header = [
        *("Test clips", "Clips", answer, "Mean confidence", "Calibration error", "By chance alone"),
        f"Right of those told with {SURE:g} and more",
    ]
    return [Table(_introduce(results), header, rows)]


def _introduce(results: Mapping[str, Any]) -> str:
    measured = results[CONFIDENCE]
    surplus = measured["confidence"] - measured["right"]
    direction = "too sure" if surplus > 0 else "not sure enough"
    sentences = [
        f"### How far confidence comes true\n\nOn the test clips, answers are {direction} by {abs(surplus):.3f}: "
        f"their mean confidence is {measured['confidence']:.3f}, and {measured['right']:.3f} of them are right.",
        results.get(CALIBRATED, ""),
        "The calibration error is the mean distance between confidence and share of right answers, in "
        f"{N_BINS} bins of equal width ([Guo et al. 2017](https://arxiv.org/abs/1706.04599)). "
        "Of few clips it is above 0 by chance alone, also where confidence comes true exactly: on average by what the "
        "next column says first, and in one case of twenty by more than what it says second.",
        _describe(results.get(ALTERED, {})),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _describe(altered: Mapping[str, Any]) -> str:
    if not altered:
        return ""
    words = "; ".join(f"{name}, {WORDS[name]}" for name in altered)
    return f"The last rows are of altered copies of these clips, to which nothing was fitted: {words}."
