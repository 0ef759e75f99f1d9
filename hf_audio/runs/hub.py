"""A finished folder on the Hugging Face Hub: what goes there, that it runs there, and that it goes in one commit."""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import CommitOperationAdd, HfApi, ModelCard, get_token
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import HFValidationError, validate_repo_id

from ..arguments import RecipeArguments
from ..data.tables.text_tables import read_table, write_rows
from ..errors import HubError
from .card import NAMELESS
from .comparison import LEARNT
from .endpoint import write_endpoint
from .folder.contents import ARGUMENTS_NAME, RESULTS_NAME, SKIPPED_NAME, read_results, written_files
from .markdown import escape
from .network import check_weights
from .scores import relative_paths
from .summary import describe_constant

logger = logging.getLogger(__name__)

CARD_NAME = "README.md"
FOLD = re.compile(r"fold_.+")
NEEDED = frozenset({"config.json", "preprocessor_config.json"})
WEIGHTS = frozenset({"model.safetensors", "model.safetensors.index.json"})
# As whoever has transformers alone loads it.
LOAD_ALONE = """
import sys
sys.modules["hf_audio"] = None
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
for folder in sys.argv[1:]:
    AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=True)
    AutoModelForAudioClassification.from_pretrained(folder, trust_remote_code=True)
"""


# Arguments that say where something lies on the machine of the run, or that or a Hub id.
PLACES = frozenset({"data_dir", "background", "pseudo_labels", "unlabelled", "noise_dir", "output_dir", "logging_dir"})
PLACES_OR_IDS = frozenset({"teacher", "model_name_or_path", "dataset_name"})
REFUSALS = {
    401: "the token is not valid; run `hf auth login` again, or mend HF_TOKEN",
    403: "the token may not write there; choose another repository, or a token that may",
    404: "there is no such repository, or the token may not see it; check its name",
}


@dataclass
class Destination:
    """Where on the Hub a folder goes."""

    repo_id: str
    """`NAMESPACE/NAME`, or `NAME` alone for the namespace of the token."""
    private: bool = False
    """Whether a new repository is seen by its owner alone; one that exists must be so already."""
    revision: str | None = None
    """A branch, made where there is none."""
    message: str = "Upload a checkpoint with its card"
    """Of the commit."""
    token: str | None = None
    """By default `HF_TOKEN`, or what `hf auth login` has left."""
    endpoint: bool = False
    """Whether the repository is to be a custom inference endpoint too."""
    kind: Literal["model", "space"] = "model"
    """Of the repository; a Space shows a static page."""


@dataclass
class File:
    """One file of an upload."""

    path: str
    """In the repository."""
    bytes: int


def read_destination(args: RecipeArguments) -> Destination | None:
    """Where `--push_to_hub` uploads a run to; `None` without it. Asked before hours are spent, it checks the access.

    Raises:
        HubError: as `check_access`.
    """
    if not args.push_to_hub:
        return None
    destination = Destination(
        args.hub_model_id or Path(args.output_dir).name,
        private=bool(args.hub_private_repo),
        revision=args.hub_revision,
        token=args.hub_token,
    )
    if args.process_index == 0:
        check_access(destination)
    return destination


def push(folder: Path, destination: Destination, *, anyway: bool = False) -> str:
    """Upload a finished folder with its card; returns what to say: its address, and how it is used.

    All of it goes in one commit, after it was loaded where `hf_audio` cannot be imported.

    Args:
        folder: of the run.
        destination: where it goes.
        anyway: also a network of which nothing shows that it has learnt.

    Raises:
        HubError: the folder is not finished or does not run by itself, or nothing was learnt, or the Hub does not take
            it.
    """
    check_finished(folder)
    if not anyway:
        check_learnt(folder, read_results(folder))
    repo_id = check_access(destination)
    with staging(folder, repo_id, endpoint=destination.endpoint) as staged:
        check_loads_alone(staged)
        address = upload(staged, repo_id, destination, f"`hf-audio push {folder} {repo_id}` goes on")
        return f"{address}\n{_call(_folds(list_files(staged)), repo_id, destination)}"


def upload(staged: Path, repo_id: str, destination: Destination, remedy: str) -> str:
    """Upload all files of a folder in one commit; returns where they are.

    Args:
        staged: the folder.
        repo_id: full name of the repository, which is made where there is none.
        destination: where it goes.
        remedy: for what may pass, as a part of a sentence.

    Raises:
        HubError: the Hub does not take it, or the repository is of another kind.
    """
    operations = [CommitOperationAdd(file.path, str(staged / file.path)) for file in list_files(staged)]
    api, kind = HfApi(token=destination.token), destination.kind
    with _explained(f"{repo_id} was not uploaded", remedy):
        api.create_repo(
            repo_id,
            repo_type=kind,
            space_sdk="static" if kind == "space" else None,
            private=destination.private or None,
            exist_ok=True,
        )
        found = api.repo_info(repo_id, repo_type=kind) if destination.private or kind == "space" else None
        if destination.private and not getattr(found, "private", True):
            raise HubError(f"{repo_id} exists and is public: make it private on its page, or choose another name.")
        sdk = getattr(found, "sdk", None)
        if sdk not in (None, "static"):
            raise HubError(f"{repo_id} exists and runs {sdk}, which a page would end: choose another name.")
        if destination.revision is not None:
            api.create_branch(repo_id, branch=destination.revision, exist_ok=True)
        # `upload_folder` would split a large folder into several commits.
        api.create_commit(
            repo_id,
            operations,
            commit_message=destination.message,
            repo_type=kind,
            revision=destination.revision,
        )
    return f"{api.endpoint}/{'spaces/' if kind == 'space' else ''}{repo_id}{_at(destination)}"


def list_upload(folder: Path, repo_id: str, *, anyway: bool = False, endpoint: bool = False) -> list[File]:
    """What `push` would upload, without a network; the folder is checked as there.

    Raises:
        HubError: the folder is not finished or does not run by itself, or nothing was learnt, or the repository's name
            is none.
    """
    check_finished(folder)
    if not anyway:
        check_learnt(folder, read_results(folder))
    check_name(repo_id)
    with staging(folder, repo_id, endpoint=endpoint) as staged:
        check_loads_alone(staged)
        return list_files(staged)


def check_finished(folder: Path) -> None:
    """Refuse a folder without results, card, or a network's files.

    Raises:
        HubError: something is missing.
        CheckpointError: the weights cannot be read.
        DivergedError: a weight is no finite number.
    """
    if not (folder / RESULTS_NAME).is_file():
        raise HubError(f"{folder} holds no finished run: give the --output_dir of one.")
    files = _published(folder)
    if folder / CARD_NAME not in files:
        raise HubError(f"{folder} has no {CARD_NAME}: put the run's card back, which says what it is and how good.")
    for network in _networks(folder):
        names = {path.name for path in files if path.parent == network}
        if not names & WEIGHTS:
            raise HubError(
                f"{network} has no model.safetensors: without a network there is nothing to use on the Hub."
            )
        for name in sorted(NEEDED - names):
            raise HubError(f"{network} has no {name}: put it back, without it the weights cannot be loaded.")
        check_weights(network)
    card = ModelCard((folder / CARD_NAME).read_text(encoding="utf-8"), ignore_metadata_errors=True)
    metadata = card.data.to_dict()
    if metadata.get("pipeline_tag") != "audio-classification" or "library_name" not in metadata:
        raise HubError(
            f"{folder / CARD_NAME} does not say `pipeline_tag: audio-classification` and `library_name` in its "
            "metadata, by which the Hub knows what it is: put the run's card back."
        )


def check_learnt(folder: Path, results: Mapping[str, Any]) -> None:
    """Refuse a run of which nothing shows that it has learnt.

    Raises:
        HubError: it is no better than an answer that needs no hearing.
    """
    if results.get(LEARNT) is False:
        raise HubError(
            f"{folder} was not uploaded, because its network is no better than {describe_constant(results, repr)}: "
            "train one that is, or say hf-audio push --anyway."
        )


def check_access(destination: Destination) -> str:
    """The full name of a repository, after the token was asked whether it may write there.

    Raises:
        HubError: no token, or one that may not write, a name that is none, or no network.
    """
    check_name(destination.repo_id)
    if destination.token is None and get_token() is None:
        raise HubError("There is no token for the Hub: run `hf auth login`, or set HF_TOKEN.")
    with _explained("The token could not be checked, and nothing was uploaded", "try again"):
        owner = HfApi(token=destination.token).whoami()
    token: dict[str, Any] = owner.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise HubError(
            f"The token {token.get('displayName', '')} of {owner['name']} may only read: make one to write."
        )
    namespace, slash, name = destination.repo_id.rpartition("/")
    namespaces = [owner["name"], *(organisation["name"] for organisation in owner.get("orgs", []))]
    # Of a fine-grained token, the Hub need not tell the organisations.
    if slash and namespace not in namespaces and token.get("role") != "fineGrained":
        raise HubError(
            f"{destination.repo_id} is not yours: the token's namespaces are {', '.join(namespaces)}; choose one."
        )
    return f"{namespace or owner['name']}/{name}"


def check_loads_alone(staged: Path) -> None:
    """Load what will be uploaded in a process that has transformers and not `hf_audio`.

    Raises:
        HubError: it does not load; the message ends with the reason.
    """
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", LOAD_ALONE, *map(str, _networks(staged))],
            env={**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""},
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise HubError(f"It does not load with transformers alone, so nothing was uploaded ({reason}).")


@contextmanager
def staging(folder: Path, repo_id: str, *, endpoint: bool = False) -> Iterator[Path]:
    """A copy of the files to upload: its card names the repository, and no file has the paths of the recordings.

    endpoint: whether with what a custom inference endpoint calls.

    Raises:
        HubError: an endpoint of several networks.
    """
    if endpoint and _networks(folder) != [folder]:
        raise HubError(
            f"{folder} has a network for every fold, and an endpoint has one: push {_networks(folder)[0]}, say."
        )
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary)
        for path in _published(folder):
            copied = staged / path.relative_to(folder)
            copied.parent.mkdir(exist_ok=True)
            shutil.copy(path, copied)
        shortened: dict[str, str] = {}
        for file in staged.rglob(ARGUMENTS_NAME):
            shortened |= _shorten_arguments(file)
        for file in staged.rglob(SKIPPED_NAME):
            _shorten_paths(file)
        for file in staged.glob(f"*/{CARD_NAME}"):
            file.unlink()  # of a fold: the card above tells of all
        _rewrite_card(staged, repo_id, shortened)
        if endpoint:
            write_endpoint(staged)
        yield staged


def list_files(staged: Path) -> list[File]:
    """The files of a staged copy, in the order of their names."""
    paths = sorted(path for path in staged.rglob("*") if path.is_file())
    return [File(path.relative_to(staged).as_posix(), path.stat().st_size) for path in paths]


def _folds(files: list[File]) -> list[str]:
    """The folders of a cross-validation's networks, none of a single run's."""
    folders = {file.path.partition("/")[0] for file in files if "/" in file.path}
    return sorted(folder for folder in folders if FOLD.fullmatch(folder))


def _published(folder: Path) -> list[Path]:
    """The files of a run, or of a cross-validation's folds too, that lie in the folder and not behind a link."""
    root = folder.resolve()
    folders = [folder, *(network for network in _networks(folder) if network != folder)]
    files = [parent / name for parent in folders for name in sorted(written_files(parent))]
    return [path for path in files if path.is_file() and path.resolve().is_relative_to(root)]


def _networks(folder: Path) -> list[Path]:
    """The folder itself, or those of a cross-validation's folds."""
    folds = sorted(path for path in folder.iterdir() if path.is_dir() and FOLD.fullmatch(path.name))
    return folds or [folder]


def check_name(repo_id: str) -> None:
    """Refuse what cannot be the name of a repository.

    Raises:
        HubError: it cannot be.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError(
            f"{repo_id!r} names no repository: give NAME or NAMESPACE/NAME, of letters, digits, -, _ and single dots."
        ) from error


def _shorten_arguments(file: Path) -> dict[str, str]:
    """Leave of paths in a `training_args.json` the last name; returns path -> name."""
    arguments = json.loads(file.read_text(encoding="utf-8"))
    listed = [(key, item) for key, value in arguments.items() for item in (value if type(value) is list else [value])]
    names = {item: Path(item).name for key, item in listed if _is_path(key, item)}

    def shorten(key: str, value: Any) -> Any:
        if type(value) is list:
            return [shorten(key, item) for item in value]
        return names[value] if _is_path(key, value) else value

    arguments = {key: shorten(key, value) for key, value in arguments.items()}
    file.write_text(json.dumps(arguments, indent=2) + "\n", encoding="utf-8")
    return names


def _is_path(argument: str, value: Any) -> bool:
    # What may also be a Hub id is a path where it cannot be one.
    return isinstance(value, str) and (
        os.path.isabs(value)
        or (argument in PLACES and os.sep in value)
        or (argument in PLACES_OR_IDS and value.startswith((".", "~")))
    )


def _rewrite_card(staged: Path, repo_id: str, shortened: Mapping[str, str]) -> None:
    card = (staged / CARD_NAME).read_text(encoding="utf-8")
    for path in sorted(shortened, key=len, reverse=True):  # the longest first: a folder may lie in another one
        card = card.replace(path, shortened[path]).replace(escape(path), escape(shortened[path]))
    folds = [network.name for network in _networks(staged) if network != staged]
    if folds:
        card = card.replace("\n## How good it is", f"{_use_of_folds(folds, repo_id)}\n## How good it is", 1)
    (staged / CARD_NAME).write_text(card.replace(NAMELESS, repo_id), encoding="utf-8")


def _shorten_paths(file: Path) -> None:
    table = read_table(file, ("path", "reason"))
    short = relative_paths(table["path"].tolist())
    rows = zip(table["path"], short, table["reason"], strict=True)
    write_rows(file, [{"path": name, "reason": reason.replace(path, name)} for path, name, reason in rows])


def _use_of_folds(folds: list[str], repo_id: str) -> str:
    return f"""
## How to use it

Every fold has a network of its own, in {", ".join(f"`{fold}`" for fold in folds)}:

```python
import hf_audio  # any file, any sampling rate, stereo, long recordings
from huggingface_hub import snapshot_download
from transformers import pipeline

classifier = pipeline("audio-classification", model=snapshot_download("{repo_id}") + "/{folds[0]}")
```
"""


def _at(destination: Destination) -> str:
    return "" if destination.revision is None else f"/tree/{destination.revision}"


def _call(folds: list[str], repo_id: str, destination: Destination) -> str:
    revision = "" if destination.revision is None else f', revision="{destination.revision}"'
    modules, model = "hf_audio, transformers", f'"{repo_id}"{revision}'
    if folds:
        modules += ", huggingface_hub"
        model = f'huggingface_hub.snapshot_download({model}) + "/{folds[0]}"'
    return f'import {modules}; classify = transformers.pipeline("audio-classification", {model})'


@contextmanager
def _explained(consequence: str, remedy: str) -> Iterator[None]:
    """What the Hub or the network answers in the place of success, as a sentence; `remedy` is for what may pass."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubError(f"{consequence}: HF_HUB_OFFLINE is set, so no network is used; unset it.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise HubError(f"{consequence} ({status}): {REFUSALS.get(status, remedy)}.") from error
    except (HTTPError, OSError) as error:
        raise HubError(f"{consequence} (no connection, {type(error).__name__}): {remedy}.") from error
