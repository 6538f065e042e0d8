"""Whom to tell of a job's end, or of a detached task, and how: `options.webhook` of a request."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from drivers.base import Arguments, Secret
from jobs.webhooks.plugins import installed

LONGEST_URL = 2048
LONGEST_VALUE = 8192

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]")
_URL = re.compile(r"[\x21-\x5b\x5d-\x7e]+")  # no spaces, no backslashes
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(r"[\x20-\x7e]*")
_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")

FORBIDDEN = re.compile(
    r"host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|cookie"
    r"|proxy-.*|x-netpulse-.*"
)
"""Names of headers that would change how the request is read, or say what only we say."""

EventType = Literal["job.completed", "job.failed", "job.cancelled", "task.log", "task.ended"]
JOB_EVENTS: tuple[EventType, ...] = ("job.completed", "job.failed", "job.cancelled")
TASK_EVENTS: tuple[EventType, ...] = ("task.log", "task.ended")
"""Of detached tasks."""


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of a URL. Raises ValueError for what is no such URL, or holds a login."""
    parts = urlsplit(url)
    if (
        len(url) > LONGEST_URL
        or not _URL.fullmatch(url)
        or "\\" in url
        or parts.scheme.lower() not in ("http", "https")
    ):
        raise ValueError(f"must be an http or https URL of at most {LONGEST_URL} ASCII characters")
    if "@" in parts.netloc:
        raise ValueError("must not hold a login; that is what auth is for")
    host = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    if parts.port == 0 or not _HOST.fullmatch(host):
        raise ValueError("must name a host, and may name a port")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_url(value: SecretStr) -> SecretStr:
    origin_of(value.get_secret_value())
    return value


def _shown(value: SecretStr, info: SerializationInfo) -> str:
    """Where it is, and nothing else: chat systems have the secret in the path."""
    url = value.get_secret_value()
    return url if info.context and info.context.get("reveal") else f"{origin_of(url)}/***"


Url = Annotated[
    SecretStr,
    AfterValidator(_is_url),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": LONGEST_URL}),
]
"""A URL of which every dump shows the scheme, the host and the port only."""


def _is_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) > LONGEST_VALUE or not _VALUE.fullmatch(text):
        raise ValueError(f"must be at most {LONGEST_VALUE} printable ASCII characters in one line")
    return value


def _is_cookie(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) > LONGEST_VALUE or not _COOKIE.fullmatch(text):
        raise ValueError("must have no spaces, quotes, commas, semicolons or backslashes")
    return value


Value = Annotated[Secret, AfterValidator(_is_value)]
Cookie = Annotated[Secret, AfterValidator(_is_cookie)]


class Webhook(Arguments):
    """An HTTP request that tells of the job's end, sent after its result is kept, at least once.

    Of a detached task: of its log, and of its end.
    """

    name: str = Field("basic", max_length=100, description="basic, or the name of an installed plug-in.")
    url: Url = Field(description="Of the scheme http or https; answers show its host only.")
    method: Literal["POST", "PUT", "PATCH", "GET"] = Field("POST", description="GET goes without a body.")
    headers: dict[str, Value] = Field({}, max_length=50, description="Further headers.")
    cookies: dict[str, Cookie] = Field({}, max_length=50, description="Sent as one Cookie header.")
    auth: tuple[str, Value] | None = Field(None, description="User and password, for Basic authentication.")
    timeout: float = Field(5, ge=0.5, le=120, description="Seconds that one attempt may take as a whole.")
    max_retries: int = Field(3, ge=0, le=20, description="Further attempts after the first one.")
    retry_intervals: list[Annotated[float, Field(ge=0, le=86_400)]] = Field(
        [10, 30, 120], min_length=1, max_length=20, description="Seconds before each of them; the last one repeats."
    )
    secret: Annotated[Secret, AfterValidator(_is_value)] | None = Field(
        None, description="Signs what is sent, see X-NetPulse-Signature."
    )
    template: str | None = Field(
        None, min_length=1, description="A jinja2 template that makes the body of the payload, inline or by reference."
    )
    events: list[EventType] | None = Field(None, min_length=1, description="What is told. By default all.")

    @field_validator("name")
    @classmethod
    def _is_installed(cls, name: str) -> str:
        if name not in installed():
            raise ValueError(f"no such webhook; installed: {', '.join(installed())}")
        return name

    @field_validator("headers", "cookies")
    @classmethod
    def _have_names(cls, given: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not all(_TOKEN.fullmatch(name) for name in given):
            raise ValueError("a name has letters, digits and !#$%&'*+-.^_`|~ only")
        return given

    @field_validator("headers")
    @classmethod
    def _change_no_framing(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        refused = sorted(name for name in headers if FORBIDDEN.fullmatch(name.lower()))
        if refused:
            raise ValueError(f"may not be set: {', '.join(refused)}")
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("a header is given twice")
        return headers

    @field_validator("auth")
    @classmethod
    def _is_a_login(cls, auth: tuple[str, SecretStr] | None) -> tuple[str, SecretStr] | None:
        if auth is not None and (len(auth[0]) > LONGEST_VALUE or ":" in auth[0] or not _VALUE.fullmatch(auth[0])):
            raise ValueError("a user has printable ASCII characters and no colon")
        return auth

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        if self.auth is not None and "authorization" in {name.lower() for name in self.headers}:
            raise ValueError("either auth or a header Authorization")
        return self

    def revealed(self) -> str:
        """Its JSON with the secrets in the clear, to be sealed."""
        return self.model_dump_json(exclude_unset=True, context={"reveal": True})
