"""The HTTP and WebSocket interface of a service: the Hugging Face inference API's, one of its own, and streams."""

import asyncio
import html
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from .. import __version__
from . import answers
from .callers import Callers, CallersApp
from .connections import LingeringApp
from .middleware import CountingApp, HeadApp
from .refusals import ServiceError, add_refusals
from .requests import infer, take_upload
from .schemas import (
    DESCRIPTION,
    Embedding,
    Health,
    LabelScore,
    Prediction,
    Readiness,
    StreamOptions,
    UploadOptions,
    WindowOptions,
    describe_inference,
    describe_problems,
    describe_upload,
    write_sentence,
)
from .service import Service
from .sessions import INVALID_DATA, NOT_ALLOWED, TRY_LATER, StreamSession, refuse

STREAM_CODES = {
    HTTPStatus.UNAUTHORIZED: NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: INVALID_DATA,
    HTTPStatus.TOO_MANY_REQUESTS: TRY_LATER,
    HTTPStatus.SERVICE_UNAVAILABLE: TRY_LATER,
}
CLASSIFYING_PROBLEMS = [
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
]
INDEX = "index.html"
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>hf_audio</title>
<h1>hf_audio</h1>
<p>This server tells what is heard in audio files. Models: {models}; the first one answers where none is named.</p>
<pre>curl --data-binary @clip.wav {url}
curl -F file=@clip.wav -F top_k=3 -F hop_seconds=1 {url}v1/predict</pre>
<p>All that can be asked: <a href="openapi.json">openapi.json</a>.</p>
</html>
"""


def make_app(
    service: Service, token: str | None = None, site: Path | None = None, callers: Callers | None = None
) -> FastAPI:
    """The application that serves a service.

    Args:
        service: is loaded when the application starts, and closed when it ends.
        token: what clients must bear, where there is one; pages, `/health` and `/ready` are for everybody.
        site: a folder, perhaps empty still, whose index.html is served at `/` with all that lies beside it.
        callers: whose requests are answered; by default everybody's.
    """
    app = FastAPI(
        title="hf_audio",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan(service),
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # to an address made of whatever the header Host holds
    )
    guard = _guard(token)
    _add_answers(app, service, guard)
    _add_operation(app, service, guard)

    @app.websocket("/v1/stream")
    async def stream(websocket: WebSocket) -> None:
        await _serve_stream(service, websocket, token)

    @app.get("/v1/stream", include_in_schema=False)
    async def ask_for_websocket() -> Response:
        raise ServiceError(HTTPStatus.UPGRADE_REQUIRED, "A stream is a WebSocket: connect to ws://, not http://.")

    _add_page(app, service, site)
    add_refusals(app)
    if callers is not None:
        app.add_middleware(
            CORSMiddleware, allow_origins=sorted(callers.origins), allow_methods=["GET", "POST"], allow_headers=["*"]
        )
        app.add_middleware(CallersApp, callers=callers)
    app.add_middleware(CountingApp, service=service)
    app.add_middleware(HeadApp)
    app.add_middleware(LingeringApp, closing=service.closing)
    return app


def _lifespan(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(asyncio.to_thread(service.load))
        yield
        await loading
        await asyncio.to_thread(service.close)

    return run


@dataclass(frozen=True)
class _Guard:
    """What a route has for those alone who bear the token, where there is one."""

    dependencies: list[Any]
    problems: list[HTTPStatus]
    """That they may meet with."""


def _guard(token: str | None) -> _Guard:
    def check_bearer(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        _check_token(token, credentials.credentials if credentials else "")

    return _Guard([Depends(check_bearer)], [HTTPStatus.UNAUTHORIZED]) if token else _Guard([], [])


def _add_answers(app: FastAPI, service: Service, guard: _Guard) -> None:
    """The routes that answer to audio files."""
    name_path = PathParameter(description="A model's name.", json_schema_extra={"enum": list(service.checkpoints)})
    problems = [*CLASSIFYING_PROBLEMS, *guard.problems]

    @app.post(
        "/",
        dependencies=guard.dependencies,
        response_model=list[LabelScore],
        responses=describe_problems(problems),
        openapi_extra=describe_inference(),
    )
    async def classify(request: Request) -> Response:
        """Classify an audio file by the first model."""
        return await infer(service, request, None)

    @app.post(
        "/models/{name}",
        dependencies=guard.dependencies,
        response_model=list[LabelScore],
        responses=describe_problems([*problems, HTTPStatus.NOT_FOUND]),
        openapi_extra=describe_inference(),
    )
    async def classify_by(name: Annotated[str, name_path], request: Request) -> Response:
        """Classify an audio file by the model of that name."""
        return await infer(service, request, name)

    @app.post(
        "/v1/predict",
        dependencies=guard.dependencies,
        response_model=Prediction,
        responses=describe_problems([*problems, HTTPStatus.NOT_FOUND]),
        openapi_extra=describe_upload(UploadOptions),
    )
    async def predict(request: Request) -> Response:
        """Classify an uploaded audio file, as a whole and, if wanted, window by window."""
        return await take_upload(service, request, answers.predict)

    @app.post(
        "/v1/embed",
        dependencies=guard.dependencies,
        response_model=Embedding,
        responses=describe_problems([*problems, HTTPStatus.NOT_FOUND]),
        openapi_extra=describe_upload(WindowOptions),
    )
    async def embed(request: Request) -> Response:
        """Embed an uploaded audio file, as a whole and, if wanted, window by window."""
        return await take_upload(service, request, answers.embed)


def _add_operation(app: FastAPI, service: Service, guard: _Guard) -> None:
    """The routes by which a server is watched."""

    @app.get("/health", response_model=Health)
    async def health() -> Response:
        """Whether the server runs."""
        return JSONResponse({"status": "ok"})

    @app.get("/ready", response_model=Readiness, responses=describe_problems([HTTPStatus.SERVICE_UNAVAILABLE]))
    async def ready() -> Response:
        """Whether the models can be asked."""
        service.check_readiness()
        return JSONResponse({"models": list(service.checkpoints)})

    @app.get(
        "/metrics",
        dependencies=guard.dependencies,
        response_class=Response,
        responses={
            200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}},
            **describe_problems(guard.problems),
        },
    )
    async def metrics() -> Response:
        """Counts and times, as Prometheus reads them."""
        return Response(generate_latest(service.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})


def _add_page(app: FastAPI, service: Service, site: Path | None) -> None:
    """What is for people; a site's files may have any path that no route has."""

    @app.get("/", response_class=HTMLResponse)
    async def page(request: Request) -> Response:
        """For people: the site's page or, as long as there is none, how to call this server."""
        if site is not None and (site / INDEX).is_file():
            return FileResponse(site / INDEX)
        models = ", ".join(service.checkpoints)
        return HTMLResponse(PAGE.format(models=html.escape(models), url=html.escape(str(request.base_url))))

    if site is not None:
        app.router.default = partial(_serve_file, StaticFiles(directory=site), app.router.default)


async def _serve_file(files: StaticFiles, otherwise: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await otherwise(scope, receive, send)
        return
    response = await files.get_response(files.get_path(scope), {**scope, "method": "GET"})
    if scope["method"] != "GET":
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
    await response(scope, receive, send)


async def _serve_stream(service: Service, websocket: WebSocket, token: str | None) -> None:
    # Refused after it was accepted: browsers tell nobody why a WebSocket was not.
    with suppress(WebSocketDisconnect):
        await websocket.accept()
        try:
            scheme, _, borne = websocket.headers.get("authorization", "").partition(" ")
            _check_token(token, borne.strip() if scheme.lower() == "bearer" else "")
            service.check_readiness()
            options = StreamOptions.model_validate(dict(websocket.query_params))
            service.find(options.model)
            with service.stream_place():
                await StreamSession(service, websocket, options).run()
        except ServiceError as error:
            await refuse(websocket, STREAM_CODES[error.status], error.sentence)
        except ValidationError as error:
            await refuse(websocket, INVALID_DATA, write_sentence(error))


def _check_token(token: str | None, borne: str) -> None:
    if token is not None and not secrets.compare_digest(token.encode(), borne.encode()):
        raise ServiceError(HTTPStatus.UNAUTHORIZED, "Send the server's token: Authorization: Bearer TOKEN.")
