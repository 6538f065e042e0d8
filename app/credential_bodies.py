"""What clients send to `/credential`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from drivers.base import Arguments, Secret
from jobs.credentials.base import (
    DEFAULT_PASSWORD_KEY,
    DEFAULT_USERNAME_KEY,
    LONGEST_PATH,
    CredentialRef,
    KeyName,
    Path,
    UsernameKey,
    plain_path,
)
from jobs.credentials.local import LAST_VERSION

MOST_PATHS = 100


class CredentialPath(Arguments):
    """Which credential."""

    path: Path


class CredentialEntry(CredentialPath):
    """A credential to store: the first version at its path, or a further one."""

    username: Annotated[str, Field(min_length=1, max_length=1024)]
    password: Annotated[Secret, Field(min_length=1, max_length=16_384)]
    username_key: UsernameKey = DEFAULT_USERNAME_KEY
    """Name of the field for the user's name."""
    password_key: KeyName = DEFAULT_PASSWORD_KEY
    """Name of the field for the password."""
    metadata: (
        Annotated[
            dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=512)]],
            Field(max_length=64),
        ]
        | None
    ) = None
    """Texts by name, for people: shown to everyone who may see the credential. Left out, they stay as they are."""

    @field_validator("metadata")
    @classmethod
    def _storable(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        if value is not None and any("\0" in text for item in value.items() for text in item):
            raise ValueError("must not contain null characters")  # PostgreSQL's jsonb cannot hold them
        return value

    @model_validator(mode="after")
    def _two_fields(self) -> Self:
        if self.username_key == self.password_key:
            raise ValueError("username_key and password_key must differ")
        return self

    def data(self) -> dict[str, str]:
        """What is to be kept at the path."""
        return {self.username_key: self.username, self.password_key: self.password.get_secret_value()}


class CredentialRead(CredentialPath):
    """Which credential, and what of it."""

    version: Annotated[int, Field(ge=1, le=LAST_VERSION)] | None = None
    """By default the latest."""
    username_key: UsernameKey = DEFAULT_USERNAME_KEY
    """Name of the field that holds the user's name."""
    password_key: KeyName = DEFAULT_PASSWORD_KEY
    """Name of the field that holds the password."""
    show_password: bool = False
    """Instead of `***`. It is recorded who saw it."""

    def ref(self) -> CredentialRef:
        """As jobs refer to it."""
        keys = {"username_key": self.username_key, "password_key": self.password_key}
        return CredentialRef(path=self.path, version=self.version, **keys)


class CredentialList(Arguments):
    """Which paths."""

    path_prefix: Annotated[str, Field(max_length=LONGEST_PATH)] = ""
    """The folder, such as sites/hq; empty: the topmost."""
    recursive: bool = False
    """Those in its folders too, instead of the folders."""

    @field_validator("path_prefix")
    @classmethod
    def _folder(cls, value: str) -> str:
        return plain_path(value) if value.strip("/") else ""


class CredentialBatch(Arguments):
    """Which credentials, all in their latest versions."""

    paths: Annotated[list[Path], Field(min_length=1, max_length=MOST_PATHS)]
    show_password: bool = False
    """Instead of `***`. It is recorded who saw them."""

    @field_validator("paths", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if not isinstance(value, list):
            raise ValueError("must be a list of paths")
        return value


BODIES: Mapping[str, tuple[type[Arguments], dict[str, Any]]] = {
    "create": (
        CredentialEntry,
        {
            "login": {
                "value": {
                    "path": "sites/hq/admin",
                    "username": "admin",
                    "password": "…",
                    "metadata": {"owner": "network operations"},
                }
            }
        },
    ),
    "read": (CredentialRead, {"latest": {"value": {"path": "sites/hq/admin"}}}),
    "delete": (CredentialPath, {"one": {"value": {"path": "sites/hq/admin"}}}),
    "list": (CredentialList, {"folder": {"value": {"path_prefix": "sites/hq", "recursive": True}}}),
    "metadata": (CredentialPath, {"one": {"value": {"path": "sites/hq/admin"}}}),
    "batch-read": (CredentialBatch, {"two": {"value": {"paths": ["sites/hq/admin", "sites/lab/admin"]}}}),
}
"""By the route's last part: the model, and examples."""
