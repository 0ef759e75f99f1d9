"""What goes in and out of the server, as its OpenAPI document tells it and as it is checked."""

import base64
import io
from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any, Literal

import numpy as np
import soundfile
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..audio.resampling import RATES
from ..inference.endpoint import DEFAULT_TOP_K

# The shortest hop: twenty answers a second.
MIN_HOP_SECONDS = 0.05
# A stream keeps what its next window needs, and that shall be little.
MAX_WINDOW_SECONDS = 3600
MAX_STREAM_HOP_SECONDS = 30

DESCRIPTION = """
Sound in, what it is out. `POST /` and `POST /models/{name}` speak the Hugging Face inference API, so
`huggingface_hub.InferenceClient(model=URL).audio_classification(file)` works.

`WS /v1/stream` takes mono 16-bit little-endian PCM in binary messages and sends `{"start", "end", "answer"}` as soon
as a window has been heard. Its query, or a first text message of JSON, may give `sampling_rate` (by default that of
the model), `hop_seconds` (by default half a window), `top_k` and `model`. `{"type": "end"}` ends the stream with its
last window or events. In the place of windows, `events=true` tells each event once, when it has ended, as `{"onset",
"offset", "label", "confidence"}`, and `frames=true` what sounds in each moment, twice a second by default, as
`{"start", "frame_seconds", "labels", "scores"}`.

Every refusal is `{"error": "a sentence"}`, of a stream too, which is then closed.
"""
PROBLEMS = {
    HTTPStatus.UNAUTHORIZED: "No token, or a wrong one.",
    HTTPStatus.NOT_FOUND: "There is no such model.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large, or the recording too long.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "This is no audio, or no form.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The audio is empty, cut off or broken, or a parameter wrong.",
    HTTPStatus.TOO_MANY_REQUESTS: "The queue is full.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The model failed.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The models are being loaded, the server is shutting down, or time was up.",
}

OWN = "Value error, "  # so pydantic begins what is raised here
MAX_TOLD = 40  # letters of a name that somebody has sent

# Labels of one answer, over all windows, which may take four megabytes of JSON.
MAX_ANSWER_LABELS = 50_000
# Of embeddings, likewise.
MAX_ANSWER_NUMBERS = 400_000
# Of the values in a request of JSON, which has a few: more would only fill memory.
MAX_JSON_VALUES = 1000

TopK = Annotated[
    int | None, Field(ge=1, description=f"How many labels to answer, best first; {DEFAULT_TOP_K} by default.")
]
Seconds = Annotated[float, Field(description="In seconds.")]


class Problem(BaseModel):
    """Why a request got no answer, in one sentence."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "The request is larger than 32 MB: send a compressed file."}]}
    )

    error: str


class LabelScore(BaseModel):
    """How probable a label is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"score": 0.93, "label": "dog"}]})

    score: float
    label: str


class SpokenNumber(BaseModel):
    """A number that was read, and how probable all its digits are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "194827", "score": 0.98}]})

    text: str
    score: float


Answer = list[LabelScore] | SpokenNumber


class WindowAnswer(BaseModel):
    """What is heard between two moments."""

    start: Seconds
    end: Seconds
    answer: Answer


class Frames(BaseModel):
    """What sounds in each moment."""

    frame_seconds: Annotated[float, Field(description="From one moment to the next one, in seconds.")]
    labels: list[str]
    scores: Annotated[list[list[float]], Field(description="Of each moment, the probability of every label.")]


class Prediction(BaseModel):
    """What a model answers to a recording."""

    model: str
    seconds: Annotated[float, Field(description="How long the recording is.")]
    answer: Answer
    windows: Annotated[
        list[WindowAnswer] | None, Field(description="Where window_seconds or hop_seconds was given.")
    ] = None
    frames: Annotated[Frames | None, Field(description="Where frames were asked for.")] = None


class WindowEmbedding(BaseModel):
    """What a network makes of what is heard between two moments."""

    start: Seconds
    end: Seconds
    embedding: list[float]


class Embedding(BaseModel):
    """What a network makes of a recording: a vector, of as many numbers as all of this model have."""

    model: str
    seconds: Annotated[float, Field(description="How long the recording is.")]
    embedding: list[float]
    windows: Annotated[
        list[WindowEmbedding] | None, Field(description="Where window_seconds or hop_seconds was given.")
    ] = None


class Readiness(BaseModel):
    """Which models can be asked; the first one where none is named."""

    models: list[str]


class Health(BaseModel):
    """That the server runs."""

    status: Literal["ok"]


class Names(BaseModel):
    """What is asked by names. One that is not known is refused, as nobody would see that it was misspelt."""

    @model_validator(mode="before")
    @classmethod
    def check_names(cls, values: Any) -> Any:
        """Refuse a value under a name that is none of these; a null is as absent."""
        unknown = [
            name
            for name, value in (values.items() if isinstance(values, dict) else ())
            if name not in cls.model_fields and value is not None
        ]
        if unknown:
            names = ", ".join(cls.model_fields)
            raise ValueError(f"{unknown[0][:MAX_TOLD]!r} is not known here: choose among {names}")
        return values


class InferenceParameters(Names):
    """Parameters of the Hugging Face inference API."""

    top_k: TopK = None
    function_to_apply: Annotated[
        Literal["softmax", "sigmoid", "none"] | None,
        Field(description="That makes scores of the network's logits; the model's own by default."),
    ] = None


class InferenceRequest(Names):
    """Audio with parameters, as the Hugging Face inference API takes them."""

    inputs: Annotated[str, Field(description="An audio file's bytes in base64, or a data URL of them.")]
    parameters: InferenceParameters | None = None
    options: Annotated[
        dict[str, Any] | None, Field(description="Of the Hub's own service, such as wait_for_model: without effect.")
    ] = None


class WindowOptions(Names):
    """Fields of an upload, beside its file."""

    model: Annotated[str | None, Field(description="By default the first.")] = None
    window_seconds: Annotated[
        float | None,
        Field(ge=MIN_HOP_SECONDS, le=MAX_WINDOW_SECONDS, description="For answers over time; by default the model's."),
    ] = None
    hop_seconds: Annotated[
        float | None,
        Field(
            ge=MIN_HOP_SECONDS, le=MAX_WINDOW_SECONDS, description="For answers over time; by default half a window."
        ),
    ] = None


class UploadOptions(WindowOptions):
    """Fields of an upload that is to be classified."""

    top_k: TopK = None
    frames: Annotated[bool, Field(description="Whether to tell what sounds in each moment, too.")] = False


class StreamOptions(Names):
    """A stream's query."""

    model: str | None = None
    sampling_rate: Annotated[int | None, Field(ge=RATES.start, lt=RATES.stop)] = None
    hop_seconds: Annotated[float | None, Field(ge=MIN_HOP_SECONDS, le=MAX_STREAM_HOP_SECONDS)] = None
    top_k: TopK = None
    frames: Annotated[bool, Field(description="Whether moments are told rather than windows, if no events are.")] = (
        False
    )
    events: Annotated[bool, Field(description="Whether events are told rather than windows.")] = False


class StreamMessage(StreamOptions):
    """A text message in a stream: what its query would say, or that it ends."""

    type: Literal["begin", "end"] = "begin"


def holds_too_much(body: bytes) -> bool:
    """Whether JSON has more values than any request; told without building them, which would hold all threads up."""
    n_values = 0
    for first in range(0, len(body), 2**16):
        n_values += sum(body.count(mark, first, first + 2**16) for mark in (b",", b":", b"[", b"{"))
        if n_values > MAX_JSON_VALUES:
            return True
    return False


def write_sentence(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    sentence = f"{first['msg'].removeprefix(OWN).rstrip('.')}."
    place = ".".join(map(str, first["loc"])) or ("" if first["msg"].startswith(OWN) else "The JSON")
    return f"{place}: {sentence}" if place else sentence


def describe_problems(statuses: Iterable[HTTPStatus]) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, as FastAPI takes them."""
    return {int(status): {"model": Problem, "description": PROBLEMS[status]} for status in statuses}


def describe_inference() -> dict[str, Any]:
    """The body of a request in the manner of the inference API, as OpenAPI takes it."""
    schema = InferenceRequest.model_json_schema()
    del schema["$defs"]
    parameters = InferenceParameters.model_json_schema()
    schema["properties"]["parameters"] = {"anyOf": [parameters, {"type": "null"}], "default": None}
    schema["properties"]["inputs"]["format"] = "byte"
    recording = io.BytesIO()
    soundfile.write(recording, np.zeros(400), 8000, format="WAV", subtype="PCM_U8")
    example = {"inputs": base64.b64encode(recording.getvalue()).decode(), "parameters": {"top_k": 3}}
    content = {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "application/json": {"schema": schema, "example": example},
        "multipart/form-data": {"schema": _describe_form(InferenceParameters)},
    }
    body = {"required": True, "description": "An audio file of any kind.", "content": content}
    return {"requestBody": body, "parameters": _describe_query(InferenceParameters)}


def describe_upload(options: type[WindowOptions]) -> dict[str, Any]:
    """The body of an upload with these fields, which may be in the query too, as OpenAPI takes it."""
    content = {"multipart/form-data": {"schema": _describe_form(options)}}
    return {"requestBody": {"required": True, "content": content}, "parameters": _describe_query(options)}


def _describe_form(options: type[Names]) -> dict[str, Any]:
    schema = options.model_json_schema()
    schema["properties"]["file"] = {"type": "string", "format": "binary", "description": "An audio file of any kind."}
    return {**schema, "required": ["file"]}


def _describe_query(options: type[Names]) -> list[dict[str, Any]]:
    properties = options.model_json_schema()["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
