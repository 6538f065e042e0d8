"""From a reference to the login that it means: asked of a provider, then kept for a short time, in memory only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from jobs.credentials.base import CredentialRef, Provider, Stored
from jobs.credentials.errors import CredentialError, VaultUnavailable

PATIENCE_S = 60.0
"""A provider that has not answered by then is unavailable, whatever it promised."""

MOST_KEPT = 10_000

LARGEST = 65_536
"""Characters of all fields at a path: it is in memory for as long as it is kept."""

_LATE_S = 0.1
"""A timer of the event loop may come a little early."""

Key: TypeAlias = tuple[str, str, int | None]
"""Provider, path, version."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and password."""

    username: str
    password: str = field(repr=False)
    version: int
    read: int | None = field(default=None, repr=False, compare=False)
    """Which of the resolver's reads it is from."""

    def is_as(self, other: Login) -> bool:
        """Whether a device would see no difference."""
        return (self.username, self.password) == (other.username, other.password)


@dataclass(frozen=True, slots=True)
class _Kept:
    stored: Stored
    read: int
    until: float


class Resolver:
    """Resolves references for one event loop. Callers that want the same at the same time share one read."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        default: str,
        cache_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`default`: the provider of references that name none. `cache_s`: 0 remembers nothing."""
        self._providers = providers
        self._default = default
        self._cache_s = cache_s
        self._clock = clock
        self._patience_s = patience_s
        self._numbers = count(1)
        self._kept: dict[Key, _Kept] = {}  # the next to be forgotten first
        self._reads: dict[Key, asyncio.Task[_Kept]] = {}

    async def resolve(self, ref: CredentialRef) -> Login:
        """The login that `ref` means.

        Raises CredentialError (also: no such provider, a field missing), VaultUnavailable; PostgreSQL's errors pass.
        """
        key = self._key(ref)
        self._forget()
        return _login(ref, self._kept.get(key) or await self._asked(key))

    async def renew(self, ref: CredentialRef, refused: Login) -> Login | None:
        """Another login than `refused`, which a device did not accept; None if the provider still has the same.

        Those who were refused what came from one read share one more, also one after the other. Raises as `resolve`.
        """
        key = self._key(ref)
        self._forget()
        kept = self._kept.get(key)
        is_later = kept is not None and refused.read is not None and kept.read > refused.read
        if kept is not None and not is_later and _login(ref, kept).is_as(refused):
            kept = None
        login = _login(ref, kept or await self._asked(key))
        return None if login.is_as(refused) else login

    async def close(self) -> None:
        """End what is being read, forget everything, close the providers."""
        reads = list(self._reads.values())
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        self._kept.clear()
        for provider in self._providers.values():
            await provider.close()

    def _key(self, ref: CredentialRef) -> Key:
        name = ref.provider or self._default
        if name not in self._providers:
            raise CredentialError(f"no such provider of credentials; installed: {', '.join(sorted(self._providers))}")
        return name, ref.path, ref.version

    async def _asked(self, key: Key) -> _Kept:
        """What a read says that is under way, or else begins. A caller that is called off leaves it to the others."""
        if key not in self._reads:
            self._reads[key] = asyncio.create_task(self._read(key))
            self._reads[key].add_done_callback(_heard)
        return await asyncio.shield(self._reads[key])

    async def _read(self, key: Key) -> _Kept:
        number = next(self._numbers)
        try:
            kept = _Kept(await self._stored(*key), number, self._clock() + self._cache_s)
        except CredentialError:
            self._kept.pop(key, None)  # it is gone
            raise
        finally:
            del self._reads[key]
        self._keep(key, kept)
        return kept

    async def _stored(self, name: str, path: str, version: int | None) -> Stored:
        try:
            async with asyncio.timeout(self._patience_s):
                stored = await self._providers[name].read(path, version)
        except TimeoutError:
            raise VaultUnavailable(f"the provider {name} did not answer in time") from None
        if sum(map(len, stored.data.values())) > LARGEST:
            raise CredentialError(f"what {name} keeps at {path} is too large for a login")
        return stored

    def _keep(self, key: Key, kept: _Kept) -> None:
        self._kept.pop(key, None)
        if self._cache_s:
            self._kept[key] = kept
            asyncio.get_running_loop().call_later(self._cache_s + _LATE_S, self._forget)
        self._forget()

    def _forget(self) -> None:
        """Drop what was kept for long enough, also if nobody asks again; and the oldest of too many."""
        now = self._clock()
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest].until > now and len(self._kept) <= MOST_KEPT:
                break
            del self._kept[oldest]


def login_of(ref: CredentialRef, stored: Stored, read: int | None = None) -> Login:
    """The login in what is kept at the path of `ref`. Raises CredentialError if a field is missing."""
    for name in (ref.username_key, ref.password_key):
        if name not in stored.data:
            raise CredentialError(
                f"the credential {ref.path} has no field {name!r}; username_key and password_key name them"
            )
    return Login(stored.data[ref.username_key], stored.data[ref.password_key], stored.version, read)


def _login(ref: CredentialRef, kept: _Kept) -> Login:
    return login_of(ref, kept.stored, kept.read)


def _heard(read: asyncio.Task[_Kept]) -> None:
    """Of a read that nobody waits for any more, asyncio would log the error."""
    if not read.cancelled():
        read.exception()
