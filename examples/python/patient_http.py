"""Patient HTTP's JSON as Python types: copy this file into a project of yours.

Field names are those of the JSON. The published schemas (`patient-http/schemas/*.json`) say more:
ranges, defaults, what goes together.

What you send is a TypedDict, so that what you leave out is left out; `None` is a value, and in
most fields a wrong one. What you get is a dataclass. Fields of a later release are ignored.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Union

from temporalio.exceptions import ApplicationError, FailureError
from typing_extensions import Required, TypedDict

TASK_QUEUE = "patient-http"
"""Of the ready-made workflows: patientRequest, patientGet, patientPost, …, patientBatch."""

Duration = Union[int, float, str]
"""Milliseconds, or a text such as "30s"."""

Scalar = Union[str, int, float, bool, None]

SecretRef = TypedDict(
    "SecretRef", {"$secret": Required[str], "prefix": str, "username": str}, total=False
)
"""A secret by its name. Its value is read in the Patient HTTP worker and is in no history."""


class RetryOptions(TypedDict, total=False):
    maximumAttempts: int
    statuses: list[int]
    initialInterval: Duration
    backoffCoefficient: float
    maximumInterval: Duration
    maxRetryAfter: Duration


class WorkflowCallback(TypedDict, total=False):
    workflow: Required[str]
    taskQueue: str
    retry: dict[str, Any]


class SignalCallback(TypedDict):
    signal: str
    workflowId: str


class MultipartPart(TypedDict, total=False):
    name: Required[str]
    value: str
    valueBase64: str
    json: Any
    filename: str
    contentType: str


class RequestSpec(TypedDict, total=False):
    """One HTTP request; only `url` has to be there."""

    url: Required[str]
    method: str
    headers: dict[str, Union[str, list[str], SecretRef]]
    params: dict[str, Union[Scalar, list[Scalar], SecretRef]]
    body: str
    json: Any
    form: dict[str, Union[Scalar, list[Scalar]]]
    bodyBase64: str
    multipart: list[MultipartPart]
    timeout: Duration
    connectTimeout: Duration
    firstByteTimeout: Duration
    idleTimeout: Duration
    maxRedirects: int
    allowDowngrade: bool
    maxResponseSize: int
    raiseErrorResponses: bool
    retry: RetryOptions
    resend: Literal["auto", "always", "never"]
    idempotencyKey: Union[bool, str]
    deadline: Duration
    heartbeatTimeout: Duration
    callback: Union[str, WorkflowCallback, SignalCallback]
    callbackArgs: Any
    result: Literal["full", "status", "none"]
    preprocessors: list[str]
    protocol: Literal["auto", "http1", "http2"]
    proxyUrl: Union[str, SecretRef, None]
    flow: dict[str, Any]
    priority: dict[str, Any]
    requestId: str


@dataclass
class Response:
    """A response, whatever its status."""

    status: int
    headers: dict[str, Union[str, list[str]]]
    body: Union[str, None]
    bodyEncoding: str
    url: str
    method: str
    redirects: list[str]
    requestId: str
    durationMs: int
    attempt: int
    callbackArgs: Any = None
    bodyTruncated: bool = False
    """In an error's response alone, whose body is cut to 2 KB."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def bytes(self) -> bytes:
        if self.body is None:
            return b""
        return base64.b64decode(self.body) if self.bodyEncoding == "base64" else self.body.encode()

    def text(self) -> str:
        return self.bytes().decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.text())


@dataclass
class RequestError:
    """Why a request ended without a response. Take types that you do not know as UnknownError."""

    type: str
    """TimeoutError, ConnectionError, HttpStatusError, OutcomeUnknownError, …"""
    errorType: str
    message: str
    url: str
    method: str
    requestId: str
    durationMs: int
    phase: str
    attempt: int
    response: Union[Response, None] = None


@dataclass
class RequestWorkflow:
    workflowId: str
    runId: str


@dataclass
class CallbackArgument:
    """The one argument of a callback workflow."""

    requestId: str
    outcome: str
    request: RequestWorkflow
    callbackArgs: Any = None
    response: Union[Response, None] = None
    error: Union[RequestError, None] = None
    batch: Union[BatchResult, None] = None


class Place(TypedDict):
    """An activity of yours."""

    activity: str
    taskQueue: str


class Source(Place, total=False):
    args: list[Any]


class File(TypedDict):
    file: str


class BatchSpec(TypedDict, total=False):
    requests: list[Union[str, RequestSpec]]
    source: Union[Source, File]
    defaults: dict[str, Any]
    chunkSize: int
    concurrency: int
    keep: Literal["all", "status", "none"]
    sink: Union[Place, File]
    callback: Union[str, WorkflowCallback, SignalCallback]
    callbackArgs: Any


@dataclass
class BatchOutcome:
    """One of the two."""

    response: Union[Response, None] = None
    error: Union[RequestError, None] = None


@dataclass
class BatchResult:
    succeeded: int
    failed: int
    outcomes: list[BatchOutcome] = field(default_factory=list)
    sink: Union[dict[str, str], None] = None


@dataclass
class SinkItem:
    """What a sink gets of each request: the position of it in the batch, and how it ended."""

    index: int
    response: Union[Response, None] = None
    error: Union[RequestError, None] = None


@dataclass
class SourcePage:
    """What an activity that is a source returns."""

    requests: list[Union[str, RequestSpec]]
    cursor: Any = None


def request_error(failure: FailureError) -> Union[RequestError, None]:
    """The error that a child failed with; None for a failure that is not a request's."""
    cause = failure.cause
    if not isinstance(cause, ApplicationError) or len(cause.details) != 1:
        return None
    detail = cause.details[0]
    if cause.type is None or not isinstance(detail, dict) or "errorType" not in detail:
        return None
    known = {name: detail[name] for name in RequestError.__dataclass_fields__ if name in detail}
    response = known.get("response")
    if response is not None:
        names = Response.__dataclass_fields__
        known["response"] = Response(**{k: v for k, v in response.items() if k in names})
    return RequestError(**{**known, "type": cause.type})
