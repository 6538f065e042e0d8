"""The way to Vault: hvac says what to ask, httpx sends it, and every time and size is bounded.

hvac's own way, requests, blocks a thread for as long as a peer cares to send a byte now and then. Its API classes only
build a request and return what their adapter returns, so ours returns something to be awaited: no threads, and giving
up closes the connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic_core import from_json

from jobs.credentials.errors import CredentialError, VaultUnavailable
from jobs.credentials.vault.outage import Outage
from jobs.settings import SettingsError, VaultSettings

LARGEST_ANSWER_BYTES = 2**20
AT_ONCE = 16
"""Requests under way; further ones wait their turn, for as long as a request may take."""

_NOT_ACTIVE = {429, 472, 473}  # a standby's, or too many requests: developer.hashicorp.com/vault/api-docs


@dataclass(frozen=True, slots=True)
class Answer:
    """What Vault said. `body` is {} where it said nothing."""

    status: int
    body: Mapping[str, Any] = field(repr=False)

    def mentions(self, words: str) -> bool:
        """Whether the errors that it names contain them."""
        return words in str(self.body.get("errors", ""))


class Wire:
    """Connections to one Vault. `name` is how sentences speak of it."""

    def __init__(self, settings: VaultSettings, clock: Callable[[], float]) -> None:
        url = httpx.URL(settings.address or "")
        self._base = f"{url.scheme}://{url.netloc.decode()}"  # a login in the URL would end up in sentences
        self.name = f"Vault at {self._base}"
        self.outage = Outage(clock)
        self._namespace = settings.namespace
        self._timeout_s = settings.timeout_s
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._client = _client(settings)

    def asking(self, token: str | None = None, *, namespaced: bool = True) -> Asking:
        """An adapter for hvac's API classes, whose requests bear the token. `namespaced`: in ours, not the root."""
        headers = {"X-Vault-Request": "true", "Accept-Encoding": "identity"}  # nothing that grows once unpacked
        if self._namespace is not None and namespaced:
            headers["X-Vault-Namespace"] = self._namespace
        if token is not None:
            if not (token.isascii() and token.isprintable()):  # the error of whoever sends it would repeat it
                raise VaultUnavailable(f"our own token for {self.name} is none: a token has printable characters only")
            headers["X-Vault-Token"] = token
        return Asking(self, headers)

    async def send(self, method: str, url: str, *, examined: bool, **options: Any) -> Answer:
        """One request. Raises VaultUnavailable, and CredentialError for an answer that is too large.

        `examined`: an answer that speaks of Vault rather than of what was asked for raises VaultUnavailable.
        """
        self.outage.check()
        async with self._turn():
            with self.outage.watch():
                answer = await self._exchange(method, self._base + url, options)
                if examined and (answer.status in _NOT_ACTIVE or answer.status > 500):
                    raise VaultUnavailable(self._excuse(answer))
        if examined and (answer.status == 500 or answer.status // 100 == 3):  # of one path, perhaps: no outage
            raise VaultUnavailable(self._excuse(answer))
        return answer

    async def close(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._turns.acquire()
        except TimeoutError:
            raise VaultUnavailable(f"{self.name} is too slow for all that is asked of it") from None
        try:
            yield
        finally:
            self._turns.release()

    async def _exchange(self, method: str, url: str, options: Mapping[str, Any]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s), self._client.stream(method, url, **options) as response:
                return Answer(response.status_code, self._parsed(await _content(response)))
        except (TimeoutError, httpx.TimeoutException):
            raise VaultUnavailable(f"{self.name} does not answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, OSError) as error:  # their texts may repeat what was sent
            raise VaultUnavailable(self._broken(error)) from None
        except UnicodeEncodeError:  # half a surrogate pair; the error holds the whole text
            raise CredentialError("what is to be stored in Vault is no valid text") from None

    def _parsed(self, content: bytes) -> Mapping[str, Any]:
        try:
            body = from_json(content or b"{}", allow_inf_nan=False)  # no half surrogate pairs, no endless nesting
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self.misunderstood()
        return body

    def misunderstood(self) -> VaultUnavailable:
        """An answer that is none of Vault's: another server, or something in between."""
        return VaultUnavailable(f"{self.name} does not answer as Vault does; is the address right?")

    def _broken(self, error: BaseException | None) -> str:
        while error is not None:
            if isinstance(error, ssl.SSLCertVerificationError):
                return f"the certificate of {self.name} is not one that we trust"
            error = error.__cause__ or error.__context__
        return f"{self.name} cannot be reached"

    def _excuse(self, answer: Answer) -> str:
        if answer.status == 503 and answer.mentions("sealed"):
            return f"{self.name} is sealed"
        if answer.status == 429:
            return f"{self.name} takes no more requests for now, or is on standby"
        if answer.status // 100 == 3:
            return f"{self.name} sends us to another address, where we do not follow; name that one instead"
        return f"{self.name} is in trouble: it answers {answer.status}"


class Asking:
    """In the place of a `hvac.adapters.Adapter`; what its methods return is awaited for an Answer."""

    def __init__(self, wire: Wire, headers: Mapping[str, str]) -> None:
        self._wire = wire
        self._headers = headers

    def get(self, url: str, **options: Any) -> Awaitable[Answer]:
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> Awaitable[Answer]:
        return self._send("POST", url, options)

    def delete(self, url: str, **options: Any) -> Awaitable[Answer]:
        return self._send("DELETE", url, options)

    def list(self, url: str, **options: Any) -> Awaitable[Answer]:
        return self._send("LIST", url.rstrip("/"), options)

    def login(self, url: str, **options: Any) -> Awaitable[Answer]:
        """Keeps no token, whatever `use_token` says."""
        return self._send("POST", url, options)

    def _send(self, method: str, url: str, options: Mapping[str, Any]) -> Awaitable[Answer]:
        examined = options.get("raise_exception", True)
        sent = {name: options[name] for name in ("json", "params") if options.get(name) is not None}
        return self._wire.send(method, url, examined=examined, headers=self._headers, **sent)


def _client(settings: VaultSettings) -> httpx.AsyncClient:
    """Takes nothing from the environment: a proxy would see our token, .netrc would send another login.

    Redirects are not followed: the token would go along.
    """
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    return httpx.AsyncClient(trust_env=False, verify=_tls(settings), timeout=settings.timeout_s, limits=limits)


def _tls(settings: VaultSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError:  # SSLError among them
        raise SettingsError("NETPULSE_VAULT__CA_FILE: must be a readable file of PEM certificates") from None


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > LARGEST_ANSWER_BYTES:
            raise CredentialError(f"what Vault answers is larger than {LARGEST_ANSWER_BYTES:,} bytes")
    return bytes(content)
