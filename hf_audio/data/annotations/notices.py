"""What is to be said of files of annotations: notices, and a sentence for all those of a kind."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Notice(NamedTuple):
    """What is to be said of a file of annotations, and of others like it in one sentence."""

    kind: str
    """Words that follow a number of files or of whatever it is."""
    case: str
    remedy: str = ""


@dataclass
class Problems:
    """What is odd about annotations, and further sentences."""

    notices: list[Notice] = field(default_factory=list)
    further: list[str] = field(default_factory=list)

    def add(self, kind: str, case: str, remedy: str = "") -> None:
        """Note a case of a kind of problem."""
        self.notices.append(Notice(kind, case, remedy))


def count_notices(notices: Iterable[Notice]) -> list[str]:
    """A sentence for all notices of a kind, with one of their cases."""
    cases: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        cases[notice.kind].append(notice)
    return [
        f"{len(alike)} {kind}, {alike[0].case} for one{alike[0].remedy and ': '}{alike[0].remedy}."
        for kind, alike in cases.items()
    ]
