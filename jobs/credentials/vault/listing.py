"""Walking through Vault's folders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from jobs.credentials.base import LONGEST_PATH
from jobs.credentials.errors import CredentialError, VaultUnavailable
from jobs.credentials.vault.paths import is_name

MOST = 10_000
"""Paths and folders of one listing."""

DEEPEST = 32
LONGEST_S = 30.0


class Listing:
    """`names`: what is in one folder ("": the top), folders ending in a slash."""

    def __init__(self, names: Callable[[str], Awaitable[Sequence[str]]], longest_s: float = LONGEST_S) -> None:
        self._names = names
        self._longest_s = longest_s
        self._seen: set[str] = set()

    async def below(self, starts: Sequence[str], *, recursive: bool) -> Sequence[str]:
        """The whole paths below the folders `starts`, sorted. `recursive`: see Provider.list.

        Raises CredentialError for more than MOST, or deeper than DEEPEST, VaultUnavailable after `longest_s`.
        """
        try:
            async with asyncio.timeout(self._longest_s):
                for start in starts:
                    await self._look(start, DEEPEST if recursive else None)
        except TimeoutError:
            raise VaultUnavailable(f"Vault does not list its paths within {self._longest_s:g} s") from None
        return sorted(path for path in self._seen if not (recursive and path.endswith("/")))

    async def _look(self, folder: str, deeper: int | None) -> None:
        """`deeper`: how many folders further down; None: this one alone."""
        if deeper == 0:
            raise CredentialError(f"Vault has folders more than {DEEPEST} deep there; list one of them")
        for path in self._below(folder, await self._names(folder)):
            self._seen.add(path)
            if len(self._seen) > MOST:
                raise CredentialError(f"Vault has more than {MOST:,} paths there; list a folder of them")
            if path.endswith("/") and deeper is not None:
                await self._look(path.removesuffix("/"), deeper - 1)

    def _below(self, folder: str, names: Sequence[str]) -> Sequence[str]:
        """Whole paths, of those that lead downwards, once each."""
        downwards = (name for name in dict.fromkeys(names) if is_name(name.removesuffix("/")))
        whole = [f"{folder}/{name}" if folder else name for name in downwards]
        return [path for path in whole if path not in self._seen and len(path) <= LONGEST_PATH]
