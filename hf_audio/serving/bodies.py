"""What comes in a request's body: audio, alone, in JSON or in a form, and what is asked of it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ..inference.endpoint import decode_base64
from .refusals import ServiceError
from .schemas import InferenceRequest, holds_too_much

# Of a form, between pieces of which the event loop turns to others.
PIECE_BYTES = 2**16
MAX_FIELDS, MAX_FIELD_BYTES = 8, 1000


def media_type(request: Request) -> str:
    """What a request says that its body is, without further parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def join_query(request: Request, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a request's query asks, and what its body does.

    Raises:
        ServiceError: 422, both ask for one thing.
    """
    query = {name: value for name, value in request.query_params.items() if value}  # empty as in a form
    for name in query.keys() & fields.keys():
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: It is in the query and in the body: leave one of them out."
        )
    return {**query, **fields}


def read_inference(body: bytes) -> tuple[bytes, dict[str, Any]]:
    """JSON -> the audio in it, and what is asked of it.

    Raises:
        ServiceError: 422, it holds too much, or no audio.
        ValidationError: it is no such request.
    """
    if holds_too_much(body):
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The JSON holds too much: give inputs, a string of base64, and parameters.",
        )
    request = InferenceRequest.model_validate_json(body)
    try:
        audio = decode_base64(request.inputs)
    except ValueError as error:
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "inputs: Give the bytes of an audio file in base64."
        ) from error
    return audio, {} if request.parameters is None else request.parameters.model_dump(exclude_none=True)


async def read_form(content_type: str, body: bytes) -> tuple[bytes, dict[str, str]]:
    """A form -> the bytes of its field `file`, and its other fields.

    Raises:
        ServiceError: 422, it cannot be read, or has no such field.
    """

    async def cut() -> AsyncGenerator[bytes, None]:
        for first in range(0, len(body), PIECE_BYTES):
            yield body[first : first + PIECE_BYTES]
            await asyncio.sleep(0)

    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary", b"").decode("latin-1")
    headers = Headers({"content-type": f'multipart/form-data; boundary="{boundary}"'})  # no charset of their choice
    parser = MultiPartParser(headers, cut(), max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
    parser.spool_max_size = len(body) + 1  # never on the disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ServiceError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"The form cannot be read: {error.message.rstrip('.')}."
        ) from error
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, "file: Upload an audio file in this field of the form.")
    # An empty field is one that a form has, and its user has not filled in.
    return await file.read(), {name: value for name, value in form.items() if isinstance(value, str) and value}
