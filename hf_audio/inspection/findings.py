"""What an inspection finds: a sentence, a remedy and the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Case:
    """A file, or several that belong together, of which a finding speaks."""

    files: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a collection, or worth knowing of it."""

    severity: Severity
    """An error spoils training or its score, a warning may, a note does not by itself."""
    kind: str
    """A name for programs, such as `silent`."""
    message: str
    remedy: str
    cases: tuple[Case, ...] = ()


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`, `2 classes`."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{ending}"


def find(severity: Severity, kind: str, title: str, remedy: str, cases: Sequence[Case]) -> list[Finding]:
    """The finding, with the number of its files behind its title, or none where it has no case."""
    if not cases:
        return []
    number = len({file for case in cases for file in case.files})
    return [Finding(severity, kind, f"{title}: {count(number, 'file')}.", remedy, tuple(cases))]
