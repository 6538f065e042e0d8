"""Credentials as clients see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.credentials.base import About, CredentialRef, Stored
from jobs.credentials.resolver import login_of

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider that answers. `info`: what it says of itself."""

    provider: str
    success: bool
    info: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CreatedView:
    """Which version it became."""

    path: str
    version: int


@dataclass(frozen=True, slots=True)
class CredentialView:
    """A login. `password`: `***` unless it was asked for. `metadata`: texts for people."""

    path: str
    username: str
    password: str
    version: int
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class DeletedView:
    """A credential that is gone."""

    path: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class PathsView:
    """Whole paths, sorted; folders end in a slash."""

    path_prefix: str
    paths: list[str]


@dataclass(frozen=True, slots=True)
class CredentialVersionView:
    """One version. With a `deletion_time`, or `destroyed`, it can no longer be read."""

    version: int
    created_time: datetime
    deletion_time: datetime | None
    destroyed: bool


@dataclass(frozen=True, slots=True)
class AboutView:
    """What is known of a credential, without anything secret. `versions`: newest first."""

    path: str
    current_version: int
    created_time: datetime
    updated_time: datetime
    custom_metadata: dict[str, str]
    versions: list[CredentialVersionView]


@dataclass(frozen=True, slots=True)
class NotReadView:
    """A credential that could not be read."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class BatchReadView:
    """Those that were read and those that were not, in the order of `paths`."""

    succeeded: list[CredentialView]
    failed: list[NotReadView]
    total: int
    success_count: int
    failed_count: int


def credential_view(ref: CredentialRef, stored: Stored, *, revealed: bool) -> CredentialView:
    """The login that `ref` finds in `stored`. Raises CredentialError if a field is missing."""
    login = login_of(ref, stored)
    password = login.password if revealed else HIDDEN
    return CredentialView(ref.path, login.username, password, login.version, dict(stored.custom_metadata))


def about_view(about: About) -> AboutView:
    """As clients see it."""
    versions = [
        CredentialVersionView(each.version, each.created_at, each.deleted_at, each.destroyed) for each in about.versions
    ]
    return AboutView(
        about.path,
        about.current_version,
        about.created_at,
        about.updated_at,
        dict(about.custom_metadata),
        versions,
    )
