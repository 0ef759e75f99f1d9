"""Commands that answer live: over the network, or to a microphone."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from ..errors import ArgumentError, MissingExtraError
from .paths import File, several

if TYPE_CHECKING:
    from ..inference.events import SoundEvent
    from ..inference.live import Decision

STANDARD_INPUT = "-"


def serve(
    checkpoints: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    site: File | None = None,
    token_file: File | None = None,
    max_megabytes: float = 32,
    max_seconds: float = 300,
    max_queue: int = 128,
    max_streams: int = 32,
    timeout_seconds: float = 30,
    allow_host: Sequence[str] = (),
    allow_origin: Sequence[str] = (),
) -> None:
    """Answer over HTTP and WebSocket.

    Serves checkpoints: POST an audio file to / and get its labels, as from the Hugging Face inference API; more at
    /openapi.json. Where HF_AUDIO_TOKEN is set, clients must bear that token. Serves until it is ended.

    Args:
        checkpoints: a finished folder, a Hub id or an ONNX file, also at /models/NAME, with NAME= in front of it to
            choose that; the first one answers at /
        host: where to listen; 0.0.0.0 lets the network in
        port: 0 takes a free one
        workers: processes that answer, each of which loads the checkpoints; one for two cores or more is a start
        site: what hf-audio page has written, for browsers at /; by default it is made of the first checkpoint as
            soon as the server answers, unless clients need a token
        token_file: holds the token in the place of HF_AUDIO_TOKEN
        max_megabytes: of a request
        max_seconds: of a recording
        max_queue: requests that are worked on or wait for it
        max_streams: streams that are open
        timeout_seconds: for a request to arrive, then for its answer, and for every piece of that to be taken
        allow_host: names by which clients call the server, beside localhost and addresses; none are needed where
            clients bear a token
        allow_origin: origins of pages that may ask the server beside its own, as https://example.org, or *

    Raises:
        ArgumentError: a name, a limit or an address that cannot be.
        CheckpointError: a checkpoint cannot be used.
        MissingExtraError: a package is not installed.
    """
    try:
        from ..export.site import make_site_beside
        from ..serving.app import make_app
        from ..serving.callers import Callers
        from ..serving.connections import Server
        from ..serving.service import Service
        from ..serving.settings import Limits, Settings, name_checkpoints, read_token
        from ..serving.supervisor import Supervisor
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"There is no {error.name} to serve with: pip install 'hf-audio[serve]'.") from error

    if workers < 1:
        raise ArgumentError(f"--workers {workers} must be at least 1.")
    names = name_checkpoints(several(checkpoints))
    token = read_token(None if token_file is None else Path(token_file))
    limits = Limits(
        max_megabytes=max_megabytes,
        max_seconds=max_seconds,
        max_queue=max_queue,
        max_streams=max_streams,
        timeout_seconds=timeout_seconds,
    )
    callers = Callers.of(None if token is not None else [host, *several(allow_host)], several(allow_origin))
    page = None if site is None else Path(site)
    if page is not None and not (page / "index.html").is_file():
        raise ArgumentError(f"--site {page} holds no index.html: write one by hf-audio page.")
    ready = Event()
    with ExitStack() as stack:
        if page is None and token is None:
            page = stack.enter_context(make_site_beside(next(iter(names.values())), ready))
        if workers > 1:
            settings = Settings(names, limits, token, page, callers)
            server: Server | Supervisor = Supervisor(settings, workers, host, port, ready)
        else:
            service = Service(names, limits, loaded=ready)
            server = Server(make_app(service, token, page, callers), service, host, port)
        print(f"{', '.join(names)} at {server.url}", flush=True)
        server.run()


def stream(
    checkpoint: File, file: File | None = None, *, rate: int | None = None, events: bool = False
) -> "Iterator[Decision | SoundEvent]":
    """Tell what is heard right now.

    A checkpoint's running decision, every quarter of a second; where it was trained on speech alone, while somebody
    speaks. Or, with --events, each event once it has ended, as hf-audio detect finds them in recordings.

    Args:
        checkpoint: a finished folder, a Hub id or an ONNX file
        file: a file to play instead of the microphone, at its own speed, or - for 16-bit mono samples on the standard
            input
        rate: samples per second of the standard input; the checkpoint's if absent
        events: from when to when something sounded, rather than what is heard at every moment

    Returns:
        The decisions, each with its `second` and `answer`, as they are made; or the events, each with its `onset`,
        `offset`, `label` and `confidence`.

    Raises:
        ArgumentError: a rate that is not of the standard input, or events of a checkpoint that reads numbers.
        AudioError: the file cannot be read.
        CheckpointError: the checkpoint cannot be used.
    """
    from ..inference.checkpoint import load_classifier
    from ..inference.event_stream import EventStream
    from ..inference.live import RunningDecision
    from ..inference.sources import hear_microphone, play_file, read_samples

    classifier = load_classifier(os.fspath(checkpoint))
    samples_per_second = classifier.sampling_rate if rate is None else rate
    if file == STANDARD_INPUT:
        blocks = read_samples(sys.stdin.buffer, samples_per_second)
    elif rate is not None:
        raise ArgumentError("--rate is of the standard input: give - as the file, or leave it out.")
    elif file is None:
        blocks = hear_microphone(samples_per_second)
    else:
        blocks = play_file(os.fspath(file), samples_per_second)
    if events:
        return EventStream(classifier, sampling_rate=samples_per_second).listen(blocks)
    return RunningDecision(classifier, samples_per_second).listen(blocks)
