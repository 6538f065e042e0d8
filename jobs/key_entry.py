"""What a new API key may do, as people say it: the same rules for the API and the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from drivers.base import Arguments
from jobs.credentials.base import LONGEST_PATH
from jobs.host_patterns import HostPatterns, normalised
from jobs.principal import SCOPES, Principal, Scope

LONGEST_GRACE_S = 30 * 86_400
LONGEST_LIFE_DAYS = 36_500
LONGEST_DESCRIPTION = 2_000
MOST_PATTERNS = 1_000
MOST = 2**31 - 1
"""What PostgreSQL's integer holds."""

RESERVED = ("admin", "cli")
"""The key of the settings, and the command line."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_GLOB = re.compile(r"[!-~]+")


def is_name(name: str) -> bool:
    """Whether a key may be called that."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def _name(name: str) -> str:
    if not is_name(name):
        raise ValueError(
            "must be at most 63 of a-z 0-9 . _ and -, beginning with a letter or a digit, and not "
            + " or ".join(RESERVED)
        )
    return name


def _credential_glob(glob: str) -> str:
    """As paths are spelt, see jobs.credentials.base; brackets would mean a choice of characters."""
    if not _GLOB.fullmatch(glob) or any(character in glob for character in "#%\\+[]") or not glob.strip("/"):
        raise ValueError("must be a path such as sites/hq/admin, in which * and ? may stand")
    return glob.strip("/")


HostPattern = Annotated[str, AfterValidator(normalised)]
CredentialGlob = Annotated[str, Field(max_length=LONGEST_PATH), AfterValidator(_credential_glob)]


class KeyEntry(Arguments):
    """A key to make."""

    name: Annotated[str, AfterValidator(_name)]
    """Who it is, for ever: jobs and audit events name it, and no other key may have it later."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=16)]
    """`read`: see jobs and what is known of devices; `query`: run commands; `config`: change devices; `admin`: all."""
    hosts: Annotated[list[HostPattern], Field(min_length=1, max_length=MOST_PATTERNS)] | None = None
    """The devices it is for: networks such as `192.0.2.0/24`, names and addresses with `*` and `?`; by default any."""
    credentials: Annotated[list[CredentialGlob], Field(min_length=1, max_length=MOST_PATTERNS)] | None = None
    """The paths that its jobs may refer to, with `*` (also for slashes) and `?`; by default any."""
    expires_at: datetime | None = None
    """It counts until then; without an offset UTC. By default for ever."""
    expires_in_days: Annotated[float, Field(gt=0, le=LONGEST_LIFE_DAYS)] | None = None
    """The same, from now on."""
    requests_per_minute: Annotated[int, Field(ge=0, le=MOST)] | None = None
    """By default as the site says; 0: no limit."""
    queued_jobs: Annotated[int, Field(ge=0, le=MOST)] | None = None
    """Jobs that it may have waiting; by default as the site says; 0: no limit."""
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    """For people."""

    @field_validator("scopes")
    @classmethod
    def _each_once(cls, value: list[Scope]) -> list[Scope]:
        return [scope for scope in SCOPES if scope in value]

    @field_validator("hosts", "credentials")
    @classmethod
    def _sorted(cls, value: list[str] | None) -> list[str] | None:
        return None if value is None else sorted(set(value))

    @field_validator("expires_at")
    @classmethod
    def _to_come(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        moment, now = value if value.tzinfo else value.replace(tzinfo=UTC), datetime.now(UTC)
        if not now < moment < now + timedelta(days=LONGEST_LIFE_DAYS):
            raise ValueError(f"must be to come, and within {LONGEST_LIFE_DAYS:,} days")
        return moment

    @field_validator("description")
    @classmethod
    def _storable(cls, value: str) -> str:
        if "\0" in value:  # PostgreSQL's text cannot hold it
            raise ValueError("must not contain null characters")
        return value

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.expires_at is not None and self.expires_in_days is not None:
            raise ValueError("give either expires_at or expires_in_days")
        return self

    def principal(self) -> Principal:
        """Who comes with the key."""
        return principal_of(self.name, self.scopes, self.hosts, self.credentials)

    def end(self) -> datetime | None:
        """Until when it counts."""
        if self.expires_in_days is None:
            return self.expires_at
        return datetime.now(UTC) + timedelta(days=self.expires_in_days)


class Rotation(Arguments):
    """How a key is replaced."""

    grace_s: Annotated[float, Field(ge=0, le=LONGEST_GRACE_S)] = 0
    """The text before counts for so many seconds."""


def principal_of(
    name: str, scopes: Iterable[Scope], hosts: list[str] | None, credentials: list[str] | None
) -> Principal:
    """Who comes with a key of these rights."""
    return Principal(
        name=name,
        scopes=frozenset(scopes),
        hosts=None if hosts is None else HostPatterns(hosts),
        credentials=None if credentials is None else tuple(credentials),
    )
