"""The contract between NetPulse and a provider of credentials, and how requests refer to what one keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BeforeValidator, Field

from drivers.base import Arguments

LONGEST_PATH = 512
DEFAULT_USERNAME_KEY = "username"
DEFAULT_PASSWORD_KEY = "password"  # noqa: S105 - the name of a field


def plain_path(path: str) -> str:
    """One spelling per credential, and none that climbs: providers put it into URLs. Raises ValueError."""
    parts = path.strip("/").split("/")
    if not all(parts) or any(part in (".", "..") for part in parts) or not all(map(_is_plain, path)):
        raise ValueError("must be names with slashes between them, such as sites/hq/admin")
    return "/".join(parts)


def _is_plain(character: str) -> bool:
    return character.isprintable() and character not in "?#%\\*+ " and ord(character) < 128


Path = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH), AfterValidator(plain_path)]
KeyName = Annotated[str, Field(min_length=1, max_length=128)]

_SECRET_WORDS = ("pass", "secret", "token", "key", "enable")


def _not_secret(name: str) -> str:
    if any(word in name.lower() for word in _SECRET_WORDS):
        raise ValueError("must name the field of the user's name, which is shown, not one that holds a secret")
    return name


UsernameKey = Annotated[KeyName, AfterValidator(_not_secret)]
"""Users' names stand in the clear where logins are listed: no field of a secret may be taken for one."""


class CredentialRef(Arguments):
    """A login that a provider keeps; a text alone is its `path`. Resolved by the worker when the job runs."""

    provider: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """`vault`, `local` or an installed plug-in; by default the site's."""
    path: Path
    username_key: UsernameKey = DEFAULT_USERNAME_KEY
    """Name of the field that holds the user's name."""
    password_key: KeyName = DEFAULT_PASSWORD_KEY
    """Name of the field that holds the password."""
    version: Annotated[int, Field(ge=1)] | None = None
    """By default the latest."""


def _of_text(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


AnyCredentialRef = Annotated[CredentialRef, BeforeValidator(_of_text, json_schema_input_type=CredentialRef | Path)]
"""A `CredentialRef` in any of its three forms."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of what is kept at a path."""

    data: Mapping[str, str] = field(repr=False)
    """Texts by name, secrets among them."""
    version: int
    custom_metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """What is known of one version. `deleted_at` or `destroyed`: it can no longer be read."""

    version: int
    created_at: datetime
    deleted_at: datetime | None = None
    destroyed: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a path, without anything secret."""

    path: str
    current_version: int
    created_at: datetime
    updated_at: datetime
    custom_metadata: Mapping[str, str]
    versions: Sequence[Version]
    """Newest first."""


class Provider(Protocol):
    """A store of credentials. Paths are as `Path` leaves them. Every method may be called from many tasks at once.

    All raise VaultUnavailable while it cannot be asked, PathRefused for a path that it keeps from us, and end within
    seconds, whatever the other side does.
    """

    name: str

    async def test(self) -> Mapping[str, Any]:
        """Ask for a sign of life, with our own login; what it says of itself (JSON, nothing secret)."""

    async def create(self, path: str, data: Mapping[str, str], metadata: Mapping[str, str] | None, by: str) -> int:
        """Store a new version, the first or a later one; returns its number. `metadata`: None leaves what is there."""

    async def read(self, path: str, version: int | None = None) -> Stored:
        """A version, the latest by default. Raises NoSuchCredential."""

    async def delete(self, path: str) -> None:
        """Remove the credential with all its versions. Raises NoSuchCredential."""

    async def list(self, prefix: str, *, recursive: bool) -> Sequence[str]:
        """The whole paths directly below `prefix` ("" for all), sorted; folders among them end in a slash.

        `recursive`: those below the folders too, and no folders.
        """

    async def about(self, path: str) -> About:
        """Raises NoSuchCredential."""

    async def close(self) -> None:
        """Let go of connections and threads."""
