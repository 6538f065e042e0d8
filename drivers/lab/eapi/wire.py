"""HTTP/1.1 over TLS on one connection: requests in, replies out, one after the other."""

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass

import h11

from drivers.lab.faults import How
from drivers.lab.server import set_linger

_READ_BYTES = 65_536
_BODY_BYTES = 4_000_000
_TLS_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What a client has asked for. Names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class TooBig(Exception):
    """A body of more than we take."""


class Connection:
    """One client (`terminal.Wire`, for the body of a reply)."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._http = h11.Connection(h11.SERVER)
        self._reader = asyncio.StreamReader()

    async def open(self, context: ssl.SSLContext) -> None:
        """Shake hands. Raises OSError when that fails."""
        loop = asyncio.get_running_loop()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(self._reader, loop=loop),
            self._client,
            ssl=context,
            ssl_handshake_timeout=_TLS_TIMEOUT_S,
        )
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    async def receive(self) -> Request | None:
        """The next request; None when there will be no more. Raises TooBig, h11.RemoteProtocolError or OSError."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers}
        body = bytearray()
        while isinstance(more := await self._event(), h11.Data):
            body += more.data
            if len(body) > _BODY_BYTES:
                raise TooBig
        return Request(event.method.decode(), event.target.decode("latin-1").partition("?")[0], headers, bytes(body))

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is not one of them
            self._http.receive_data(await self._reader.read(_READ_BYTES))

    def begin(self, status: int, headers: list[tuple[str, str]], size: int | None = None) -> None:
        """Send the head of a reply; without `size` the body comes in chunks."""
        length = [("Content-Length", str(size))] if size is not None else []
        sent = h11.Response(
            status_code=status, headers=[("Server", "nginx"), *length, *headers], reason=_REASONS[status]
        )
        self._writer.write(self._http.send(sent))

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(self._http.send(h11.Data(data=data)) or b"")

    async def drain(self) -> None:
        await self._writer.drain()

    async def end(self) -> None:
        """The reply is complete."""
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        await self._writer.drain()

    @property
    def has_begun(self) -> bool:
        """Whether the head of the reply is out."""
        return self._http.our_state is h11.SEND_BODY

    @property
    def is_over(self) -> bool:
        """Whether there can be no further request."""
        return self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE

    async def lost(self) -> None:
        """Return when the client is gone."""
        with contextlib.suppress(OSError):  # a reset is an end too
            await self._writer.wait_closed()

    def cut(self, how: How) -> None:
        """Close the TCP connection at once, without a word of TLS."""
        set_linger(self._client, how)
        self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()


_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large"}
