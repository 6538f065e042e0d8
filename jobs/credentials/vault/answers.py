"""What Vault's answers must look like: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and auth/token"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobs.credentials.base import About, Stored, Version
from jobs.credentials.vault.wire import Answer

_OrNothing = BeforeValidator(lambda value: value or None)  # Vault writes "" for no time
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Auth(_Given):
    """The `auth` of a login or a renewal. `lease_duration`: 0 for a token that never runs out."""

    client_token: str = Field(pattern=r"^[!-~]+$", repr=False)
    lease_duration: _Seconds
    renewable: bool = False


class OwnToken(_Given):
    """A token's look at itself."""

    policies: list[str]
    ttl: _Seconds
    renewable: bool = False


class Health(_Given):
    initialized: bool
    sealed: bool
    standby: bool
    version: str


class Written(_Given):
    version: int


class Keys(_Given):
    keys: list[str]


class _Metadata(_Given):
    version: int
    custom_metadata: dict[str, str] | None = None


class Secret(_Given):
    """One version."""

    data: dict[str, str] = Field(repr=False)
    metadata: _Metadata

    def stored(self) -> Stored:
        return Stored(self.data, self.metadata.version, self.metadata.custom_metadata or {})


class _Version(_Given):
    created_time: AwareDatetime
    deletion_time: Annotated[AwareDatetime | None, _OrNothing] = None
    destroyed: bool


class SecretMetadata(_Given):
    """All that is known of a path."""

    current_version: int
    created_time: AwareDatetime
    updated_time: AwareDatetime
    custom_metadata: dict[str, str] | None = None
    versions: dict[int, _Version]

    def about(self, path: str) -> About:
        versions = [_version(number, self.versions[number]) for number in sorted(self.versions, reverse=True)]
        custom = self.custom_metadata or {}
        return About(path, self.current_version, self.created_time, self.updated_time, custom, versions)


def _version(number: int, given: _Version) -> Version:
    """A time of deletion that is still to come is none: the version can be read until then."""
    deleted = given.deletion_time
    gone = deleted if deleted is not None and deleted <= datetime.now(UTC) else None
    return Version(number, given.created_time, gone, given.destroyed)


Shape = TypeVar("Shape", bound=_Given)


def shaped(shape: type[Shape], answer: Answer, part: str | None = "data") -> Shape | None:
    """The answer, or a part of it, in that shape; None if it is another. Nothing of it gets into an error."""
    body: Any = answer.body if part is None else answer.body.get(part)
    try:
        return shape.model_validate(body if isinstance(body, Mapping) else None)
    except ValidationError:
        return None
