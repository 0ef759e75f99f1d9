"""Commands that take a checkpoint to where it is used: other formats, a page, the Hub."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ArgumentError
from .paths import File

if TYPE_CHECKING:
    from ..export.comparison import Export
    from ..export.verification import Verdict
    from ..runs.hub import File as UploadedFile


def export(
    checkpoint: File,
    *,
    output: File,
    format: Literal["onnx", "litert", "executorch"] = "onnx",
    static: bool = False,
    clips: File | None = None,
    int8: bool = False,
    embeddings: bool = False,
    without_frontend: bool = False,
    c_header: bool = False,
) -> "Export":
    """Write a checkpoint as one file of another format.

    ONNX: one file, waveform in, that onnxruntime runs without torch. With --static, or as LiteRT or ExecuTorch, a file
    for small devices: one window in, no shape that varies and no branch. Checked against torch, by the format's own
    runtime, before it gets its name.

    Args:
        checkpoint: a finished folder or a Hub id
        output: the file to write; its name ends in .onnx, .tflite or .pte
        format: of the file
        static: for a device, of ONNX; the other formats are always so
        clips: real clips to check it on: a folder, a table that names files, or a file
        int8: quantise to 8 bits, calibrated on --clips
        embeddings: give a second output, `embeddings`, by which embed, similar and serve use the file
        without_frontend: for a device that makes the features itself; constants and a reference in numpy are beside
        c_header: for a device, the file as a C header too, beside it

    Returns:
        The file, and how far its answers are from torch's.

    Raises:
        ArgumentError: 8 bits without clips, or arguments that do not go together.
        CheckpointError: the checkpoint cannot be used.
        ExportError: the file cannot be written, or does not give torch's answers.
        MissingExtraError: the format's tool is not installed.
    """
    if int8 and clips is None:
        raise ArgumentError("--int8 is calibrated on real clips: give some of the training data by --clips.")
    for_device = static or format != "onnx"
    for name, given in (("--without_frontend", without_frontend), ("--c_header", c_header)):
        if given and not for_device:
            raise ArgumentError(f"{name} is of files for devices: add --static, or choose another --format.")
    if embeddings and for_device:
        raise ArgumentError("--embeddings is of plain ONNX files: leave it out, or --static and --format.")
    from ..bulk.clips import find_examples

    paths, labels = (None, None) if clips is None else find_examples(clips)
    if for_device:
        from ..export.devices.device import export_for_device  # loads torch

        return export_for_device(
            os.fspath(checkpoint),
            Path(output),
            paths,
            labels=labels,
            format=format,
            int8=int8,
            without_frontend=without_frontend,
            c_header=c_header,
        )
    from ..export.onnx import export_onnx  # loads torch

    return export_onnx(os.fspath(checkpoint), Path(output), paths, labels=labels, int8=int8, embeddings=embeddings)


def verify(checkpoint: File, clips: File | None = None) -> "Iterator[Verdict]":
    """Run a checkpoint in every way and compare the answers.

    The same clips through torch, the pipeline, ONNX Runtime, 8 bits, files for devices, the service, streams and the
    page in a browser, where one is installed: the largest difference of each. Exit code 1 says that one is above its
    bound.

    Args:
        checkpoint: a finished folder or a Hub id
        clips: a folder, a table that names files, or a file, in the place of clips made on the spot

    Returns:
        A verdict a way, each of which `holds` or not, as they are found.

    Raises:
        AudioError: a clip cannot be read.
        CheckpointError: the checkpoint cannot be used.
    """
    from ..bulk.clips import find_examples
    from ..export import verification  # loads torch

    contents = None if clips is None else verification.read_clips(find_examples(clips)[0])
    return verification.verify(os.fspath(checkpoint), contents)


def page(
    checkpoint: File, *, output_dir: File | None = None, space: str | None = None, dry_run: bool = False
) -> "Path | str | list[UploadedFile]":
    """Make a web page that runs a checkpoint in the browser.

    A folder for any static host, or a Space on the Hugging Face Hub: the exported model, and a page that runs it in
    the visitor's browser, by files or the microphone.

    Args:
        checkpoint: a finished folder or a Hub id
        output_dir: folder of the site, a new one or an earlier site
        space: NAMESPACE/NAME, or NAME alone for your own namespace, of a static Space to publish the page as
        dry_run: list what would be published; needs no network or token

    Returns:
        The folder; or the address of the Space or, in a dry run, what would be published.

    Raises:
        ArgumentError: neither a folder nor a Space, or both.
        CheckpointError: the checkpoint cannot be used.
        ExportError: the folder holds something else, or lies in none that exists.
        HubError: the Hub does not take it.
    """
    if (output_dir is None) == (space is None):
        raise ArgumentError("A page goes into a folder or to the Hub: give either --output_dir or --space.")
    if output_dir is not None:
        from ..export.site import make_site  # loads torch

        if dry_run:
            raise ArgumentError("--dry_run lists what would be published: give --space in the place of --output_dir.")
        return make_site(os.fspath(checkpoint), Path(output_dir))
    from ..export.space import list_page, publish_page
    from ..runs.hub import Destination

    if dry_run:
        return list_page(os.fspath(checkpoint), str(space))
    message = "Publish a page that runs in the browser"
    return publish_page(os.fspath(checkpoint), Destination(str(space), message=message, kind="space"))


def push(
    checkpoint: File,
    repo: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    anyway: bool = False,
    endpoint: bool = False,
    revision: str | None = None,
    message: str = "Upload a checkpoint with its card",
) -> "str | list[UploadedFile]":
    """Upload a finished folder to the Hugging Face Hub.

    Card, metrics, pictures, weights and the model's code in one commit, after they were loaded where hf_audio is not
    installed. Checkpoints to resume from, logs and other files stay where they are.

    Args:
        checkpoint: a finished folder
        repo: NAMESPACE/NAME, or NAME alone for your own namespace
        private: make a repository that its owner alone sees
        dry_run: list what would be uploaded; needs no network or token
        anyway: also a network that is no better than always answering the largest class
        endpoint: with handler.py, by which the Hub's custom inference endpoints answer as hf_audio does
        revision: the branch to upload to; by default main
        message: of the commit

    Returns:
        The address, and a call that loads the model from there; in a dry run, what would be uploaded.

    Raises:
        HubError: the folder is not finished, or nothing shows that its network has learnt, or the Hub does not take
            it.
    """
    from ..runs import hub  # loads torch

    if dry_run:
        return hub.list_upload(Path(checkpoint), repo, anyway=anyway, endpoint=endpoint)
    destination = hub.Destination(repo, private, revision, message, endpoint=endpoint)
    return hub.push(Path(checkpoint), destination, anyway=anyway)
