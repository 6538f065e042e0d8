"""Templates on other hosts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from functools import cached_property

import httpx

from jobs.allowed_urls import PORTS, AllowedUrl
from jobs.peers import Peer
from jobs.templating.errors import TemplateNotFound

MOST_REDIRECTS = 5

_PRIVATE = "the template's host has no public address; see NETPULSE_TEMPLATES__PRIVATE_URLS"


class RemoteTemplates:
    """Fetches templates from where the site allows, and from nowhere else."""

    def __init__(self, entries: Sequence[AllowedUrl], *, timeout_s: float, max_bytes: int) -> None:
        """`timeout_s`: of a whole fetch, redirects included. `max_bytes`: of one template."""
        self._entries = entries
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()  # the system's authorities: a site's own may be among them

    async def fetch(self, url: str) -> bytes:
        """What is there. Raises TemplateNotFound."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(httpx.URL(url))
        except TimeoutError:
            raise TemplateNotFound(f"the template's URL did not answer in {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):  # their texts may hold addresses
            raise TemplateNotFound("the template could not be fetched from its URL") from None

    async def _follow(self, url: httpx.URL) -> bytes:
        async with self._client() as client:
            for _ in range(MOST_REDIRECTS + 1):
                found = await self._get(client, url, private=self._entry(url).private)
                if isinstance(found, bytes):
                    return found
                url = found
        raise TemplateNotFound("the template's URL redirects too often")

    def _client(self) -> httpx.AsyncClient:
        """Takes nothing from the environment: a proxy would hide whom we talk to, .netrc would send passwords.

        A connection for each request: a new one is looked at, whichever entry let the last one through.
        """
        once = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncClient(trust_env=False, verify=self._tls, timeout=self._timeout_s, limits=once)

    def _entry(self, url: httpx.URL) -> AllowedUrl:
        if url.userinfo:
            raise TemplateNotFound("a template's URL must not hold a login")
        if url.scheme in PORTS:
            covering = [entry for entry in self._entries if entry.covers(url)]
            if covering:
                return next((entry for entry in covering if entry.private), covering[0])
        raise TemplateNotFound("the template's URL, or where it redirects to, is none that this site allows")

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL, *, private: bool) -> bytes | httpx.URL:
        """What is there, or where else it is."""
        peer = Peer(private=private, refusal=TemplateNotFound(_PRIVATE))
        plain = {"Accept-Encoding": "identity"}  # nothing that is a gigabyte once unpacked
        async with client.stream("GET", url, headers=plain, extensions={"trace": peer.check}) as answer:
            if not peer.checked:
                raise TemplateNotFound("the template's host could not be checked")
            if answer.next_request is not None:
                return answer.next_request.url
            if answer.status_code != httpx.codes.OK:
                raise TemplateNotFound(f"the template's host answered {answer.status_code}")
            return await self._content(answer)

    async def _content(self, answer: httpx.Response) -> bytes:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise TemplateNotFound("the template's host sent it compressed, unasked")
        content = bytearray()
        async for piece in answer.aiter_raw():
            content += piece
            if len(content) > self._max_bytes:
                raise TemplateNotFound(f"the template at its URL is larger than {self._max_bytes:,} bytes")
        return bytes(content)
