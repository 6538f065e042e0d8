"""One HTTP request to a receiver: no redirects, no proxy, no private address unless the site says so."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import httpx

from jobs.allowed_urls import PORTS, AllowedUrl
from jobs.peers import Peer
from jobs.webhooks.retries import retry_after_s

MOST_ANSWER_BYTES = 16_384
"""Of an answer's body so much is read, and dropped: a receiver that is cut off may think that we failed."""


class NotSent(Exception):
    """The receiver was not asked, and will not be: the site does not allow it. The message is one sentence."""


class PrivateAddress(NotSent):
    """The receiver's address is not one of the internet's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    status: int | None
    """None: no answer came."""
    error: str | None
    """One sentence; None: the receiver has it."""
    retry_after_s: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the receiver works, whatever it thinks of this request."""
        return self.status is not None and self.status < 500

    @property
    def final(self) -> bool:
        """Whether it said that it will never take this one."""
        return self.status == httpx.codes.GONE


class Sender:
    """Sends requests to receivers."""

    def __init__(self, private: Sequence[AllowedUrl]) -> None:
        """`private`: receivers that may have any address."""
        self._private = private

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()  # the system's authorities: a site's own may be among them

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """Send it; `timeout_s` bounds all of it. Raises NotSent."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(method, httpx.URL(url), headers, body)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(None, f"The receiver did not answer in {timeout_s:g} s.")
        except httpx.ConnectError as error:
            return Answer(None, _no_connection(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError):  # their texts may hold addresses
            return Answer(None, "The connection to the receiver broke off, or it answered no HTTP.")

    async def _send(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> Answer:
        if url.scheme not in PORTS or url.userinfo:
            raise NotSent("A webhook's URL is http or https, and holds no login.")
        private = any(entry.covers(url) for entry in self._private)
        refusal = PrivateAddress("The receiver has no public address; see NETPULSE_WEBHOOKS__PRIVATE_URLS.")
        peer = Peer(private=private, refusal=refusal)
        async with self._client() as client:
            request = client.build_request(
                method, url, headers=headers, content=body or None, extensions={"trace": peer.check}
            )
            answer = await client.send(request, stream=True)
            try:
                if not peer.checked:
                    raise NotSent("The receiver's address could not be checked.")
                return await _judged(answer)
            finally:
                await answer.aclose()

    def _client(self) -> httpx.AsyncClient:
        """Takes nothing from the environment: a proxy would hide whom we talk to, .netrc would send passwords.

        A connection for each request: a new one is looked at.
        """
        once = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncClient(trust_env=False, verify=self._tls, timeout=None, limits=once)  # noqa: S113 - see send


async def _judged(answer: httpx.Response) -> Answer:
    """The status decides; what follows is read out of politeness."""
    status = answer.status_code
    wish = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC)) if status in (429, 503) else None
    with suppress(httpx.HTTPError, TimeoutError):
        await _drop_body(answer)
    return Answer(status, _error_of(status), wish)


async def _drop_body(answer: httpx.Response) -> None:
    size = 0
    async with asyncio.timeout(1):
        async for piece in answer.aiter_raw():
            size += len(piece)
            if size > MOST_ANSWER_BYTES:
                return


def _error_of(status: int) -> str | None:
    if httpx.codes.is_success(status):
        return None
    if httpx.codes.is_redirect(status):
        return f"The receiver answered {status}: redirects are not followed, so give the URL that it redirects to."
    if status == httpx.codes.GONE:
        return "The receiver answered 410: it wants this no more."
    return f"The receiver answered {status}."


def _no_connection(error: httpx.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "The receiver's TLS certificate is not valid for it."
        cause = cause.__cause__ or cause.__context__
    return "No connection to the receiver: its name is unknown, or nothing answers there."
