"""A page that runs a checkpoint in the browser, as a static Space of the Hugging Face Hub."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import SpaceCard, SpaceCardData

from ..runs.hub import Destination, File, check_access, check_name, list_files, upload
from .site import FACTS_NAME, make_site

CARD_NAME = "README.md"
CARD = """---
{metadata}
---

# {title}

Drop a recording on the page, or use the microphone: the model runs in the visitor's browser, and no sound leaves the
device. Made by `hf-audio page`.
"""


def publish_page(checkpoint: str | os.PathLike, destination: Destination) -> str:
    """Make the page of a checkpoint and upload it as a static Space, in one commit; returns its address.

    Raises:
        CheckpointError: no such checkpoint, or one that a page cannot run.
        HubError: the Hub does not take it.
    """
    repo_id = check_access(destination)
    with _staging(checkpoint) as staged:
        return upload(staged, repo_id, destination, "the same command tries again")


def list_page(checkpoint: str | os.PathLike, repo_id: str) -> list[File]:
    """What `publish_page` would upload, without a network.

    Raises:
        CheckpointError: no such checkpoint, or one that a page cannot run.
        HubError: the repository's name is none.
    """
    check_name(repo_id)
    with _staging(checkpoint) as staged:
        return list_files(staged)


@contextmanager
def _staging(checkpoint: str | os.PathLike) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hf_audio_space_") as folder:
        site = make_site(checkpoint, Path(folder) / "site")
        (site / CARD_NAME).write_text(_describe(checkpoint, site), encoding="utf-8")
        yield site


def _describe(checkpoint: str | os.PathLike, site: Path) -> str:
    """The README by which the Hub knows what to show."""
    title = json.loads((site / FACTS_NAME).read_text(encoding="utf-8"))["title"]
    local = Path(checkpoint).exists()
    data = SpaceCardData(
        title=title,
        emoji="👂",
        colorFrom="blue",
        colorTo="green",
        sdk="static",
        app_file="index.html",
        pinned=False,
        license=_license(Path(checkpoint)),
        models=None if local else [os.fspath(checkpoint)],
        tags=["audio-classification"],
    )
    return CARD.format(metadata=data.to_yaml(), title=title)


def _license(checkpoint: Path) -> str | None:
    """The licence that a folder's card tells, if it has a card."""
    card = checkpoint / CARD_NAME
    if not card.is_file():
        return None
    licence = SpaceCard(card.read_text(encoding="utf-8"), ignore_metadata_errors=True).data.to_dict().get("license")
    return licence if isinstance(licence, str) else None
