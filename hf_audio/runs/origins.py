"""What a network knows from elsewhere: with which weights it began, who taught it, and what their licences ask for."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError
from huggingface_hub.repocard import metadata_load

from ..arguments import RecipeArguments
from ..encoders.sources import SOURCES, Source
from .folder.contents import ARGUMENTS_NAME, RESULTS_NAME, read_results

# Of a run's results.
ORIGINS = "origins"
EXTERNAL = "external_knowledge"

BEGAN, TAUGHT, LEARNT = "began with", "was taught by", "learnt, through its teacher, from"
UNKNOWN = "unknown"
FROM_SCRATCH = "From scratch: no weights and no answers of another network, and no external data."
NOT_COMPARABLE = "its figures stand in no column with those of networks from scratch"
# Parts of a licence's identifier, and what they forbid.
FORBIDDEN = {
    r"\bnc\b|non-?commercial|research": "commercial use",
    r"\bnd\b|no-?deriv": "handing on what was made of it",
}
PERMISSIVE = re.compile(r"apache|\bmit\b|bsd|cc0|unlicense|isc|public|wtfpl|zlib")
SHARE_ALIKE = re.compile(r"\bsa\b|gpl|openrail|rail|llama|gemma")


@dataclass(frozen=True)
class Origin:
    """A network from which another one has learnt."""

    role: str
    """`BEGAN`, `TAUGHT` or, of whom a teacher has learnt from, `LEARNT`."""
    name: str
    """As people know it: a Hub id, or the name of its folder."""
    license: str = UNKNOWN
    """Of its weights, as the Hub names licences."""
    trained_on: str = ""
    """In a sentence or two; nothing where it is not known."""
    overlap: str = ""
    """What is known of test clips among what it was trained on."""
    attribution: str = ""
    """Whom its licence wants named."""
    external: bool = True
    """Whether it learnt from other data than the network that it hands its knowledge on to."""


def find_origins(args: RecipeArguments, dataset_name: str) -> list[Origin]:
    """The networks that a run begins with or is taught by, and those that these have learnt from, the nearest first.

    Args:
        args: of the run.
        dataset_name: of its data, as the card names it.
    """
    return _find_all(args.model_name_or_path, args.teacher, dataset_name)


def _find_all(begins_with: str | None, teacher: str | None, dataset_name: str, depth: int = 5) -> list[Origin]:
    given = {BEGAN: begins_with, TAUGHT: teacher}
    return [origin for role, name in given.items() if name for origin in _find(role, name, dataset_name, depth)]


def _find(role: str, name: str, dataset_name: str, depth: int) -> list[Origin]:
    if name in SOURCES and not os.path.exists(name):
        return [_describe_source(role, name, SOURCES[name])]
    folder = Path(name)
    results = _read_results(folder)
    shown = folder.resolve().name if folder.is_dir() or os.path.isabs(name) else name
    task = results.get("task")
    if task is None:
        encoder = str(_read_json(folder / "config.json").get("encoder"))
        is_known = encoder in SOURCES
        return [_describe_source(role, encoder, SOURCES[encoder]) if is_known else _read_card(role, name, shown)]
    known = task.get("dataset_name", "")
    external = known != dataset_name
    own = Origin(
        role,
        shown,
        task.get("license", UNKNOWN),
        f"{known}, by hf_audio.",
        "" if external else "It is of the same data; where it is known what it held out, that was held out here too.",
        external=external,
    )
    if ORIGINS in results:
        before = [Origin(**each) for each in results[ORIGINS]]
    else:  # an older run
        arguments = _read_json(folder / ARGUMENTS_NAME)
        began, taught = arguments.get("model_name_or_path"), arguments.get("teacher")
        before = _find_all(began, taught, known, depth - 1) if depth else []
    if role == TAUGHT:  # whose weights the student has not
        before = [replace(each, role=LEARNT) for each in before]
    return [own, *before]


def _describe_source(role: str, name: str, source: Source) -> Origin:
    """An encoder that a package brings."""
    return Origin(role, name, source.licence.lower(), source.trained_on, source.overlap, source.attribution)


def _read_results(folder: Path) -> dict[str, Any]:
    """The results of a finished run; of a cross-validation, those of a fold."""
    results = read_results(folder)
    if "task" in results or not folder.is_dir():
        return results
    found = [read_results(fold) for fold in sorted(folder.glob("fold_*")) if (fold / RESULTS_NAME).exists()]
    return next(iter(found), results)


def _read_json(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        read = json.loads(file.read_text(encoding="utf-8"))
        return read if isinstance(read, dict) else {}
    return {}


def _read_card(role: str, name: str, shown: str) -> Origin:
    """What the metadata of a checkpoint's card say."""
    metadata: dict[str, Any] = {}
    with suppress(OSError, ValueError, HTTPError, HfHubHTTPError, EntryNotFoundError):
        local = Path(name) / "README.md"
        file = local if os.path.exists(name) else hf_hub_download(name, "README.md")
        metadata = metadata_load(file) or {}
    license_name = str(metadata.get("license") or UNKNOWN)
    if license_name == "other" and metadata.get("license_name"):
        license_name = str(metadata["license_name"])
    named = metadata.get("datasets") or []
    listed = ", ".join(map(str, [named] if isinstance(named, str) else named))
    before = metadata.get("base_model") or []
    began = ", ".join(map(str, [before] if isinstance(before, str) else before))
    trained_on = " ".join(
        [*([f"By its card, on {listed}."] if listed else []), *([f"It began with {began}." if began else ""])]
    )
    return Origin(role, shown, license_name.lower(), trained_on.strip())


def is_external(origins: Iterable[Origin]) -> bool:
    """Whether a network knows something from other data."""
    return any(origin.external for origin in origins)


def origin_results(origins: Sequence[Origin]) -> dict[str, Any]:
    """What a run's results say of the networks from which it has learnt."""
    return {ORIGINS: [asdict(origin) for origin in origins], EXTERNAL: is_external(origins)}


def read_origins(results: Mapping[str, Any]) -> list[Origin]:
    """What `origin_results` has left; nothing of older runs."""
    return [Origin(**each) for each in results.get(ORIGINS, ())]


def settle_license(own: str, origins: Sequence[Origin]) -> str:
    """The licence of a network's weights: its own, or that of an origin which asks for more.

    Of two that ask for as much and differ, neither allows the other: `other`.
    """
    ranked = [(_strictness(name), name) for name in (own, *(origin.license for origin in origins))]
    strictest = max(rank for rank, _ in ranked)
    if _strictness(own) == strictest == 0:
        return own
    names = list(dict.fromkeys(name for rank, name in ranked if rank == strictest))
    if len(names) == 1 or strictest <= 1:  # of several that want to be named, all are
        return names[0]
    return "other"


def _strictness(license_name: str) -> int:
    """How much a licence asks for: 0 its text, 1 names, 2 share-alike, 3 unknown, 4 forbids something."""
    if forbids(license_name):
        return 4
    if license_name == UNKNOWN:
        return 3
    if PERMISSIVE.search(license_name):
        return 0
    if SHARE_ALIKE.search(license_name):
        return 2
    return 1 if license_name.startswith("cc-by") else 3


def forbids(license_name: str) -> str:
    """What a licence forbids, in words; nothing where it forbids nothing that matters here."""
    return " and ".join(words for pattern, words in FORBIDDEN.items() if re.search(pattern, license_name))


def describe_origin(origin: Origin, quote: Callable[[str], str]) -> str:
    """One origin in sentences: who, under which licence, trained on what, and what is known of test clips."""
    forbidden = forbids(origin.license)
    licence = "its licence is not known" if origin.license == UNKNOWN else f"its licence is {origin.license}"
    if forbidden:
        licence += f", which forbids {forbidden}"
    sentences = [f"It {origin.role} {quote(origin.name)}; {licence}."]
    if origin.attribution:
        sentences.append(f"Made by: {origin.attribution}.")
    sentences.append(
        f"Trained on: {origin.trained_on}" if origin.trained_on else "What it was trained on is not known."
    )
    sentences.append(origin.overlap or "Whether it has heard test clips is not known.")
    return " ".join(sentences)


def summarise_origins(origins: Sequence[Origin], quote: Callable[[str], str]) -> str:
    """What figures of such a network are of, in a sentence."""
    if not origins:
        return FROM_SCRATCH
    names = " and ".join(f"{origin.role} {quote(origin.name)}" for origin in origins if origin.external)
    if names:
        return f"With external knowledge, it {names}: {NOT_COMPARABLE}."
    names = " and ".join(f"{origin.role} {quote(origin.name)}" for origin in origins)
    return f"No external data; it {names}, of the same data."


def warn_of_licenses(origins: Sequence[Origin], own: str) -> list[str]:
    """What must be known of licences before training begins, a sentence each; own: the licence of the task."""
    settled = settle_license(own, origins)
    sentences = []
    for origin in origins:
        forbidden = forbids(origin.license)
        if forbidden:
            sentences.append(
                f"{origin.name} is under {origin.license}, which forbids {forbidden}, of what is trained from it too."
            )
        elif origin.license == UNKNOWN and origin.external:
            sentences.append(
                f"The licence of {origin.name} is not known: find out what it allows before you use the network."
            )
    if settled != own:
        sentences.append(f"So the card gives {settled} as the licence of the network, and not {own}.")
    return sentences
