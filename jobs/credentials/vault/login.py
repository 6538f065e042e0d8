"""Our own login at Vault: a token that is given, or AppRole's, and its lease.

https://developer.hashicorp.com/vault/docs/concepts/tokens and https://developer.hashicorp.com/vault/api-docs/auth/approle
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hvac.api.auth_methods import AppRole, Token

from jobs.credentials.errors import VaultUnavailable
from jobs.credentials.vault.answers import Auth, OwnToken, shaped
from jobs.credentials.vault.wire import Answer, Wire
from jobs.settings import VaultSettings

SHORTEST_S = 1.0
"""Between two renewals, however little time Vault grants."""

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Lease:
    """A token. `granted_s`: what the login gave it, `left_s`: the latest renewal; 0: it never runs out.

    `due_at`: when less than a third of that is left.
    """

    token: str = field(repr=False)
    granted_s: float
    left_s: float
    renewable: bool
    due_at: float


class Login:
    """Logs in when first asked, renews, and logs in anew. One task does, the others wait for it."""

    def __init__(self, wire: Wire, settings: VaultSettings, clock: Callable[[], float]) -> None:
        self._wire = wire
        self._settings = settings
        self._clock = clock
        self._lease: Lease | None = None
        self._lock = asyncio.Lock()
        self._looks = 0  # how often we looked whether Vault knows the token, and which look last found that it does
        self._found = 0

    async def token(self) -> str:
        """One that Vault knows, as far as we can tell. Raises VaultUnavailable."""
        lease = self._lease
        if lease is None or lease.due_at <= self._clock():
            lease = await self._refreshed()
        return lease.token

    async def replaced(self, token: str) -> bool:
        """After a request with `token` was refused: whether there is a better one by now. False: ask for less.

        Raises VaultUnavailable, also when it is a given token that Vault does not know any more.
        """
        before = self._looks
        async with self._lock:
            if self._lease is None or self._lease.token != token:
                return True
            if self._found > before or await self._is_known(token):  # a look that began later counts for us, too
                return False
            if self._settings.role_id is None:
                raise VaultUnavailable(f"{self._wire.name} does not know our token, or does not let it look itself up")
            self._lease = await self._log_in()
            return True

    async def _is_known(self, token: str) -> bool:
        self._looks += 1
        if (await self._look_up(token)).status != 200:
            return False
        self._found = self._looks
        return True

    async def _refreshed(self) -> Lease:
        async with self._lock:
            if self._lease is None:
                self._lease = await self._first()
            elif self._lease.due_at <= self._clock():
                self._lease = await self._next(self._lease)
            return self._lease

    async def _first(self) -> Lease:
        if self._settings.token is None:
            return await self._log_in()
        token = self._settings.token.get_secret_value()
        own = shaped(OwnToken, await self._look_up(token))
        if own is None:  # it may not look at itself; whether it is known, the next request will tell
            return Lease(token, 0, 0, renewable=False, due_at=NEVER)
        return Lease(token, own.ttl, own.ttl, own.renewable, self._due(own.ttl))

    async def _next(self, lease: Lease) -> Lease:
        renewed = await self._renewed(lease) if lease.renewable else None
        if self._settings.role_id is None:
            return renewed or replace(lease, due_at=NEVER)
        if renewed is None or renewed.left_s < lease.granted_s / 3:
            return await self._log_in()  # it nears the most that Vault grants it
        return renewed

    async def _renewed(self, lease: Lease) -> Lease | None:
        answer: Answer = await Token(self._wire.asking(lease.token)).renew_self()
        auth = shaped(Auth, answer, "auth") if answer.status == 200 else None
        if auth is None:
            return None
        left_s = auth.lease_duration
        return replace(lease, left_s=left_s, renewable=auth.renewable, due_at=self._due(left_s))

    async def _log_in(self) -> Lease:
        try:
            auth = await self._auth()
        except VaultUnavailable as error:
            self._wire.outage.begin(str(error))  # whoever waits for us: logins that fail in a row may lock the role
            raise
        left_s = auth.lease_duration
        return Lease(auth.client_token, left_s, left_s, auth.renewable, self._due(left_s))

    async def _auth(self) -> Auth:
        settings = self._settings
        assert settings.role_id is not None, "VaultSettings wants a token or this"
        assert settings.secret_id is not None
        answer: Answer = await AppRole(self._wire.asking()).login(
            settings.role_id,
            settings.secret_id.get_secret_value(),
            use_token=False,
            mount_point=settings.approle_mount,
        )
        if answer.status // 100 == 4:
            raise VaultUnavailable(f"{self._wire.name} refuses our own login")
        auth = shaped(Auth, answer, "auth")
        if auth is None:
            raise self._wire.misunderstood()
        return auth

    async def _look_up(self, token: str) -> Answer:
        answer: Answer = await Token(self._wire.asking(token)).lookup_self()
        return answer

    def _due(self, duration_s: float) -> float:
        return self._clock() + max(duration_s * 2 / 3, SHORTEST_S) if duration_s else NEVER
