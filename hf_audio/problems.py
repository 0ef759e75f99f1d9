"""Files that cannot be used, counted by reason: a hundred alike are one line, under which nothing else is lost."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from .files import name_some

NUMBER = re.compile(r"\d[\d.,e+-]*")  # by which reasons differ that are the same


def count_problems(problems: Iterable[Mapping[str, str]], whole_list: str = "") -> list[str]:
    """A sentence for every reason, of most files first: how many files it holds for, the first of them, and why.

    Args:
        problems: files, as `{"path", "reason"}`; a reason is a sentence that names the file in full.
        whole_list: the file that lists all; it is named once, behind the last sentence, where there are several
            files.
    """
    alike: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for problem in problems:
        path, reason = problem["path"], problem["reason"]
        alike[NUMBER.sub("0", reason.replace(path, ""))].append((path, reason))
    told = []
    for files in sorted(alike.values(), key=lambda files: -len(files)):  # of equally many, the first ones first
        path, reason = files[0]
        if len(files) == 1:
            told.append(f"1 file cannot be used: {reason}")
            continue
        predicate = reason.removeprefix(f"{path} ")
        each = f"each of them {predicate}" if predicate != reason else f"for one: {reason}"
        told.append(f"{len(files)} files cannot be used, {name_some([Path(path) for path, _ in files])}: {each}")
    n_files = sum(map(len, alike.values()))
    if n_files > 1 and whole_list:
        told[-1] += f" All {n_files} are listed in {whole_list}."
    return told
