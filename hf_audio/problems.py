"""Files that cannot be used, counted by reason: a hundred alike are one line, under which nothing else is lost."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from .folders import name_some

Problem = Mapping[str, str]
NUMBER = re.compile(r"\d[\d.,e+-]*")  # by which reasons differ that are the same


def count_problems(problems: Iterable[Problem], whole_list: str = "") -> list[str]:
    """A sentence for every reason, of most files first: how many files it holds for, the first of them, and why.

    Args:
        problems: files, as `{"path", "reason"}`; a reason is a sentence that names the file in full.
        whole_list: the file that lists all; it is named once, behind the last sentence, where there are several
            files.
    """
    sentences = []
    n_files = 0
    for files in group_by_reason(problems):
        n_files += len(files)
        path, reason = files[0]["path"], files[0]["reason"]
        if len(files) == 1:
            sentences.append(f"1 file cannot be used: {reason}")
            continue
        predicate = reason.removeprefix(f"{path} ")
        each = f"each of them {predicate}" if predicate != reason else f"for one: {reason}"
        names = name_some([Path(problem["path"]) for problem in files])
        sentences.append(f"{len(files)} files cannot be used, {names}: {each}")
    if n_files > 1 and whole_list:
        sentences[-1] += f" All {n_files} are listed in {whole_list}."
    return sentences


def group_by_reason(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Files with the same reason together, but for numbers in it; most files first, and of equally many, the first."""
    alike: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[NUMBER.sub("0", problem["reason"].replace(problem["path"], ""))].append(problem)
    return sorted(alike.values(), key=lambda files: -len(files))
