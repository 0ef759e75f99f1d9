"""Requests that get no answer but a sentence: as an exception, and as HTTP tells it."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from .schemas import write_sentence

# Nobody is there to read it: what nginx writes into its log.
CLIENT_CLOSED_REQUEST = 499
RETRY_SECONDS = {HTTPStatus.TOO_MANY_REQUESTS: 2, HTTPStatus.SERVICE_UNAVAILABLE: 5}


class ServiceError(Exception):
    """A request that gets no answer but a sentence.

    Args:
        status: of HTTP.
        sentence: what is wrong, and what to do.
    """

    def __init__(self, status: HTTPStatus, sentence: str):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def add_refusals(app: FastAPI) -> None:
    """Have an application answer what goes wrong by a sentence: `{"error": ...}`."""
    app.add_exception_handler(ServiceError, _refuse)
    app.add_exception_handler(ValidationError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_path)
    app.add_exception_handler(ClientDisconnect, _give_up)
    app.add_exception_handler(Exception, _admit_failure)


def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, ValidationError):
        error = ServiceError(HTTPStatus.UNPROCESSABLE_ENTITY, write_sentence(error))
    assert isinstance(error, ServiceError)
    headers = {}
    if error.status in RETRY_SECONDS:
        headers["Retry-After"] = str(RETRY_SECONDS[error.status])
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.UPGRADE_REQUIRED:
        headers["Upgrade"] = "websocket"
    return JSONResponse({"error": error.sentence}, error.status, headers)


def _refuse_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.scope["path"]  # request.url would take the host apart, which may be anything
    sentences = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {path!r}: see /openapi.json.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible at {path!r}: see /openapi.json.",
    }
    sentence = sentences.get(HTTPStatus(error.status_code), str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request.app, path))
    return JSONResponse({"error": sentence}, error.status_code, headers)


def _methods(app: FastAPI, path: str) -> list[str]:
    """What can be done at a path, by whichever routes; what no route has is a site's file."""
    routes = [route for route in app.routes if isinstance(route, Route) and route.path_regex.match(path)]
    methods = {method for route in routes for method in route.methods or ()} or {"GET"}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _give_up(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


def _admit_failure(request: Request, error: Exception) -> Response:
    return JSONResponse(
        {"error": "The model failed: try another recording, and see the server's log."},
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
