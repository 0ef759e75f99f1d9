"""Messages before a training: how many classes and clips there are, how unequal, and which are not tested."""

import logging
from collections.abc import Mapping

from ..arguments import RecipeArguments
from ..data.rows import class_names, has_tags
from ..models.configuration_audio_cnn import NONE_OF_THESE, NORMAL
from ..runs.summary import name_labels
from .parts import Parts
from .task import Task

logger = logging.getLogger(__name__)

UNEQUAL = 3  # times the clips of the smallest class: a remedy is named


def report_classes(args: RecipeArguments, task: Task, parts: Parts) -> None:
    """Log the classes a network is about to be trained on, and warn of those that no test clip is of."""
    counts = {name: count for name, count in parts.class_counts().items() if name != NONE_OF_THESE}
    if not counts:  # numbers
        return
    if task.config.normal_centers:
        logger.info("%d normal training clips, and nothing else to learn from.", counts.pop(NORMAL))
    elif not task.is_retold:
        for line in describe_counts(counts, args.balance, tags=parts.n_tags is not None):
            logger.info("%s", line)
    if task.crossed is not None:  # which has tested already
        return
    tested = _tested(parts)
    untested = [name for name in counts if name not in tested]
    if untested and task.purpose == "result":
        logger.warning(
            "No test clip is of %s: the figures will not cover %s.",
            name_labels(untested, repr),
            "it" if len(untested) == 1 else "them",
        )


def describe_counts(counts: Mapping[str, int], balance: str, *, tags: bool = False) -> list[str]:
    """Classes and their training clips in words, with the remedy where they are very unequal.

    Args:
        counts: training clips of every class or tag, by their names.
        balance: the argument `--balance`.
        tags: whether a clip may have several.
    """
    known = {name: count for name, count in counts.items() if count > 0}
    smallest, largest = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    least, most = known[smallest], known[largest]
    what, total = "tags" if tags else "classes", sum(known.values())
    if least == most:
        return [f"{len(known)} {what}, {most} training clips each."]
    lines = [f"{len(known)} {what}, from {least} training clips of {smallest!r} to {most} of {largest!r}."]
    longer = most * len(known) / total
    if tags:
        return lines
    if balance == "sampler":
        lines.append(
            f"--balance sampler: every class is heard as often as {largest!r}, so an epoch takes {longer:.1f} times "
            "as long as without; --balance loss takes no longer."
        )
    elif balance == "none" and most >= UNEQUAL * least:
        lines.append(
            f"{largest!r} has {most / least:.1f} times the clips of {smallest!r}. If rare classes matter as much, add "
            f"--balance loss, which costs no time (--balance sampler makes an epoch {longer:.1f} times as long)."
        )
    return lines


def _tested(parts: Parts) -> set[str]:
    """Names of the classes or tags that test clips are of."""
    names, labels = class_names(parts.test) or [], parts.test["label"][:]
    numbers = {tag for row in labels for tag in row} if has_tags(parts.test) else set(labels)
    return {names[number] for number in numbers}
