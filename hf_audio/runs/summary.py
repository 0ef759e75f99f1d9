"""The few lines that tell what a run is worth: the first ones of its card, and the last ones on the screen."""

import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .card import METRIC_NAMES
from .comparison import (
    ALIKE,
    BETTER,
    LEARNT,
    MAJORITY,
    MAJORITY_ACCURACY,
    PRIOR_LWLRAP,
    RIVAL,
    RIVAL_ACCURACY,
    RIVAL_CLIPS,
    UNTESTED,
)
from .group_figures import GROUPS, describe_worst
from .intervals import group_numbers
from .markdown import code
from .origins import ORIGINS, read_origins, summarise_origins
from .predictions.kinds import AnyPredictions

logger = logging.getLogger(__name__)

CARD_NAME = "README.md"
FIGURES = 3  # that are told
NAMES_TOLD = 10  # of classes
RIVAL_WORDS = "Logistic regression on simple statistics of the clips"


def summary_of_card(results: Mapping[str, Any]) -> list[str]:
    """What stands first on a card, a sentence in Markdown each; results: of `all_results.json`."""
    verdict = describe_verdict(results, code)
    figures = _describe_figures(results)
    return [
        *figures,
        *_describe_knowledge(results, code),
        *describe_worst(results.get(GROUPS, {}), code),
        *_describe_rivals(results, code),
        *(f"**{line}**" for line in verdict),
        *_untested(results, code),
    ]


def tell_summary(output_dir: Path, results: Mapping[str, Any], *, brief: bool = False) -> None:
    """Log what stands last on the screen: figures, what they are worth, where the card lies and what comes next.

    Args:
        output_dir: of the finished run.
        results: of its `all_results.json`.
        brief: whether another run of the command tells the rest.
    """
    if brief:
        logger.info("Finished: %s. %s", output_dir, " ".join(_describe_figures(results)[:1]))
        return
    lines = [
        *_describe_figures(results),
        *_describe_knowledge(results, repr),
        *describe_worst(results.get(GROUPS, {}), repr),
        *_describe_rivals(results, repr),
        *_untested(results, repr),
    ]
    for line in lines:
        logger.info("%s", line)
    for line in describe_verdict(results, repr):
        logger.warning("%s", line)
    logger.info("The card, with all figures and pictures: %s", output_dir / CARD_NAME)
    network = find_network(output_dir)
    if network is not None:
        logger.info("Next: hf-audio predict %s FILE", shlex.quote(str(network)))


def find_network(output_dir: Path) -> Path | None:
    """The folder of a finished run's network: its own, a fold's, or none."""
    folders = [output_dir, *sorted(output_dir.glob("fold_*"))]
    return next((folder for folder in folders if (folder / "config.json").is_file()), None)


def describe_constant(results: Mapping[str, Any], quote: Callable[[str], str]) -> str:
    """The answer that needs no hearing, in words; nothing where there is none."""
    if MAJORITY in results:
        return f"always answering {quote(results[MAJORITY])}"
    return "always giving the most frequent tags" if PRIOR_LWLRAP in results else ""


def describe_verdict(results: Mapping[str, Any], quote: Callable[[str], str]) -> list[str]:
    """What must be known before such a run is used: that nothing was learnt, or that the rival is as good.

    Args:
        results: of `all_results.json`.
        quote: puts a class's name into a sentence.
    """
    if results.get(LEARNT) is False and "eval_anomaly_auc" in results:
        return ["As far as these clips tell, its scores tell anomalies from normal recordings no better than chance."]
    if results.get(LEARNT) is False:
        constant, figure = describe_constant(results, quote), results.get("eval_accuracy", results.get("eval_lwlrap"))
        more = figure > results.get(MAJORITY_ACCURACY, results.get(PRIOR_LWLRAP))
        sentence = f"No better than {constant}{'; what it has more may be chance' if more else ''}."
        return [f"{sentence} {_explain_nothing(results)}"]
    if results.get(RIVAL) == BETTER:
        return [
            "The logistic regression is better than the network, by more than chance: a clip's average spectrum tells "
            "these classes apart, and the network has not learnt as much yet. Train it longer, or look with hf-audio "
            "inspect for what is wrong with the recordings."
        ]
    return []


def _explain_nothing(results: Mapping[str, Any]) -> str:
    """What may be done where nothing was learnt."""
    if results.get(RIVAL) == BETTER:
        return "The logistic regression is, so there is something to learn: train longer."
    if results.get("eval_roc_auc_interval", (0, 0))[0] > 0.5:
        return "Yet its scores tell the classes apart: try --balance loss, so that the smaller one counts as much."
    return "Nothing shows that it has learnt: check the labels, or give more clips, of small classes first."


def describe_intervals(group_column: str | None, predictions: AnyPredictions) -> str:
    """How a card's intervals came about, in a sentence.

    Args:
        group_column: by which clips belong together, in the task.
        predictions: of the test clips.
    """
    sentence = "With other test clips of the same kind, figures would mostly lie within the 95 % intervals"
    numbers = group_numbers(predictions.groups)
    if predictions.groups is not None and group_column is not None and len(set(predictions.groups)) == 1:
        return (
            f"{sentence}, where they are of the same {code(group_column)}: all test clips are of one, and how far "
            "others differ from it is not known."
        )
    if numbers is None or group_column is None:
        return f"{sentence}."
    return f"{sentence}; clips of one {code(group_column)} count together, and there are {numbers.max() + 1} of these."


def _describe_figures(results: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in [name for name in METRIC_NAMES if f"eval_{name}" in results][:FIGURES]:
        interval = results.get(f"eval_{name}_interval")
        within = "" if interval is None else " (95 % interval {:.3f} to {:.3f})".format(*interval)
        lines.append(f"{METRIC_NAMES[name]} {results[f'eval_{name}']:.3f}{within}")
    if not lines:
        return []
    folds = f", the mean over {len(results['folds'])} folds" if "folds" in results else ""
    return [
        f"{lines[0]} on {results['eval_samples']} held-out clips{folds}.",
        *(f"{figure}." for figure in lines[1:]),
    ]


def _describe_knowledge(results: Mapping[str, Any], quote: Callable[[str], str]) -> list[str]:
    """The external data and weights that the network has learnt from; empty for a baseline and for older runs."""
    return [summarise_origins(read_origins(results), quote)] if ORIGINS in results and "parameters" in results else []


def _describe_rivals(results: Mapping[str, Any], quote: Callable[[str], str]) -> list[str]:
    sentences = []
    if MAJORITY in results:
        sentences.append(
            f"For comparison: {describe_constant(results, quote)} has an accuracy of {results[MAJORITY_ACCURACY]:.3f} "
            "(no class has more training clips)."
        )
    elif PRIOR_LWLRAP in results:
        sentences.append(
            f"For comparison: {describe_constant(results, quote)} has {results[PRIOR_LWLRAP]:.3f} of the first."
        )
    if RIVAL_ACCURACY in results:
        some = f" on {results[RIVAL_CLIPS]} of these clips" if RIVAL_CLIPS in results else ""
        alike = results[RIVAL] == ALIKE and results.get(LEARNT)
        chance = "; the difference to the network may be chance" if alike else ""
        sentences.append(f"{RIVAL_WORDS} has an accuracy of {results[RIVAL_ACCURACY]:.3f}{some}{chance}.")
    return sentences


def _untested(results: Mapping[str, Any], quote: Callable[[str], str]) -> list[str]:
    names = results.get(UNTESTED, ())
    return [f"Not tested, because no test clip is of them: {name_labels(names, quote)}."] if names else []


def name_labels(names: Sequence[str], quote: Callable[[str], str]) -> str:
    """The first ten names, and how many more there are, for a sentence."""
    named = ", ".join(quote(name) for name in names[:NAMES_TOLD])
    return named if len(names) <= NAMES_TOLD else f"{named} and {len(names) - NAMES_TOLD} more"
