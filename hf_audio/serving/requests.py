"""One request and its answer: its body read, its place in the queue, and a client that may go away meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.requests import ClientDisconnect

from . import answers
from .bodies import join_query, media_type, read_form, read_inference
from .refusals import ServiceError
from .schemas import InferenceParameters
from .service import Service

# Of an answer, between pieces of which the event loop turns to others.
PIECE_BYTES = 2**16
JSON, FORM = "application/json", "multipart/form-data"
T = TypeVar("T")
UploadAnswer = Callable[[Service, bytes, dict[str, str]], Awaitable[bytes]]
"""Makes bytes of JSON out of a form's file and its other fields."""


async def infer(service: Service, request: Request, name: str | None) -> Response:
    """The answer of the inference API: labels of a body that is audio, or JSON or a form with audio in it."""

    async def answer(body: bytes) -> bytes:
        audio = body
        fields: Mapping[str, Any] = {}
        if media_type(request) == JSON:
            audio, fields = await service.run_decoding(partial(read_inference, body))
        elif media_type(request) == FORM:
            audio, fields = await read_form(request.headers["content-type"], body)
        parameters = InferenceParameters.model_validate(join_query(request, fields))
        return await answers.infer(service, audio, name, parameters)

    service.find(name)
    async with _read(service, request) as body:
        return _respond(await _answer(service, request, partial(answer, body)))


async def take_upload(service: Service, request: Request, answer: UploadAnswer) -> Response:
    """The answer to an audio file that a form uploads, with what else the form asks."""
    service.find(None)
    if media_type(request) != FORM:
        raise ServiceError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is no form: upload the audio as multipart/form-data, field file."
        )

    async def read_and_answer(body: bytes) -> bytes:
        audio, fields = await read_form(request.headers["content-type"], body)
        return await answer(service, audio, join_query(request, fields))

    async with _read(service, request) as body:
        return _respond(await _answer(service, request, partial(read_and_answer, body)))


def _respond(body: bytes) -> Response:
    """An answer of JSON, a large one in pieces: so it is seen whether the client takes them."""
    if len(body) <= PIECE_BYTES:
        return Response(body, media_type=JSON)

    async def pieces() -> AsyncGenerator[bytes, None]:
        for first in range(0, len(body), PIECE_BYTES):
            yield body[first : first + PIECE_BYTES]

    return StreamingResponse(pieces(), media_type=JSON, headers={"content-length": str(len(body))})


def _read(service: Service, request: Request) -> AbstractAsyncContextManager[bytes]:
    promised = request.headers.get("content-length", "")
    return service.read_body(request.stream(), int(promised) if promised.isdecimal() else 0)


async def _answer(service: Service, request: Request, answer: Callable[[], Awaitable[T]]) -> T:
    """The answer to a request that was read, unless the client goes away, which ends the work on it.

    Raises:
        ServiceError: there is none.
        ClientDisconnect: nobody is there to be answered.
    """
    with service.place():
        answering = asyncio.ensure_future(service.answer_in_time(answer()))
        leaving = asyncio.ensure_future(request.receive())  # of a request that was read, nothing else comes
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ClientDisconnect
            return answering.result()
        finally:
            answering.cancel()
            leaving.cancel()
