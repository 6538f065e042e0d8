"""The built-in provider: credentials in PostgreSQL, encrypted, in versions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.credentials.base import About, Stored, Version
from jobs.credentials.errors import CredentialError, NoSuchCredential
from jobs.seal import Seal, SealBroken

Fetch: TypeAlias = Callable[..., Awaitable[Sequence[Mapping[str, Any]]]]
"""Runs one statement, which commits by itself, with values for $1, $2, …: what asyncpg calls `fetch`."""

LAST_VERSION = 2**31 - 1

# custom_metadata as text: how a connection speaks jsonb is its owner's choice
_STORE = "SELECT netpulse.store_credential($1, $2, $3::text::jsonb, $4) AS version"
_REMOVE = "SELECT netpulse.remove_credential($1) AS removed"
_READ = """
    SELECT v.version, v.sealed, c.custom_metadata::text AS custom_metadata
      FROM netpulse.credential AS c JOIN netpulse.credential_version AS v USING (path)
     WHERE c.path = $1 AND v.version = coalesce($2::integer, c.current_version)"""
_LIST = "SELECT path FROM netpulse.credential WHERE starts_with(path, $1::text)"
_ABOUT = """
    SELECT c.current_version, c.created_at AS first_at, c.updated_at, c.custom_metadata::text AS custom_metadata,
           v.version, v.created_at
      FROM netpulse.credential AS c JOIN netpulse.credential_version AS v USING (path)
     WHERE c.path = $1 ORDER BY v.version DESC"""
_COUNT = """
    SELECT (SELECT count(*) FROM netpulse.credential) AS credentials,
           (SELECT count(*) FROM netpulse.credential_version) AS versions"""


class LocalStore:
    """A `Provider` on the tables `credential` and `credential_version`. PostgreSQL's own errors pass through."""

    name = "local"

    def __init__(self, fetch: Fetch, seal: Seal) -> None:
        self._fetch = fetch
        self._seal = seal

    async def test(self) -> Mapping[str, Any]:
        """How much is stored."""
        [counts] = await self._fetch(_COUNT)
        return {"credentials": counts["credentials"], "versions": counts["versions"]}

    async def create(self, path: str, data: Mapping[str, str], metadata: Mapping[str, str] | None, by: str) -> int:
        """See `Provider.create`. The latest ten versions are kept."""
        sealed = self._seal.seal(json.dumps(dict(data))).encode()
        about = None if metadata is None else json.dumps(dict(metadata))
        [stored] = await self._fetch(_STORE, path, sealed, about, by)
        version: int = stored["version"]
        return version

    async def read(self, path: str, version: int | None = None) -> Stored:
        """See `Provider.read`. Raises CredentialError too, if the secret key is missing that it was sealed under."""
        in_range = version is None or version <= LAST_VERSION
        for row in await self._fetch(_READ, path, version) if in_range else ():
            return Stored(self._opened(path, row["sealed"]), row["version"], json.loads(row["custom_metadata"]))
        raise NoSuchCredential(f"there is no credential {path}{'' if version is None else f' in version {version}'}")

    async def delete(self, path: str) -> None:
        """See `Provider.delete`."""
        [gone] = await self._fetch(_REMOVE, path)
        if not gone["removed"]:
            raise _missing(path)

    async def list(self, prefix: str, *, recursive: bool) -> Sequence[str]:
        """See `Provider.list`."""
        folder = f"{prefix}/" if prefix else ""
        paths = [row["path"] for row in await self._fetch(_LIST, folder)]
        return sorted(paths if recursive else {_step(folder, path) for path in paths})

    async def about(self, path: str) -> About:
        """See `Provider.about`. `versions` are those that are kept."""
        rows = await self._fetch(_ABOUT, path)
        if not rows:
            raise _missing(path)
        versions = [Version(row["version"], row["created_at"]) for row in rows]
        head = rows[0]
        metadata = json.loads(head["custom_metadata"])
        return About(path, head["current_version"], head["first_at"], head["updated_at"], metadata, versions)

    async def close(self) -> None:
        """Nothing to let go of: the connections are their owner's."""

    def _opened(self, path: str, sealed: bytes) -> dict[str, str]:
        try:
            data: dict[str, str] = json.loads(self._seal.open(sealed))
        except SealBroken:
            raise CredentialError(
                f"the credential {path} is encrypted under a key that is not in NETPULSE_SECRET_KEYS; "
                "add that key again, or store the credential anew"
            ) from None
        return data


def engine_fetch(database: AsyncEngine) -> Fetch:
    """The `Fetch` of an engine over asyncpg that commits each statement by itself."""

    async def fetch(sql: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        async with database.connect() as connection:
            rows = (await connection.exec_driver_sql(sql, values)).mappings()
            return [dict(row) for row in rows]

    return fetch


def _step(folder: str, path: str) -> str:
    """The path, or the folder that it is in, directly below `folder`."""
    name, slash, _ = path.removeprefix(folder).partition("/")
    return f"{folder}{name}{slash}"


def _missing(path: str) -> NoSuchCredential:
    return NoSuchCredential(f"there is no credential {path}")
