"""A receiver of webhooks on loopback: an HTTP server that answers, stalls or misbehaves as a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def answer(status: int, *headers: str) -> bytes:
    """An answer without a body."""
    lines = [f"HTTP/1.1 {status} Said", "Content-Length: 0", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True)
class Received:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said

    @property
    def delivery(self) -> str:
        return self.headers["x-netpulse-delivery"]


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def saying(said: bytes) -> Behaviour:
    """Answers so at once."""

    async def say(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    return say


async def silent(_received: Received, _writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


@dataclass
class Receiver:
    """What came, and how it answers."""

    port: int = 0
    behaviour: Behaviour = field(default_factory=lambda: saying(OK))
    received: list[Received] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    """Requests under way at one time, at the most."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def name(self) -> str:
        """As in the rows."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            received = await _read(reader)
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
            self.received.append(received)
            try:
                await self.behaviour(received, writer)
            finally:
                self.open_now -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Received(method, path, headers, body)


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver that listens, at `port` if it is given; gone afterwards, with all that it has under way."""
    receiver, connections = Receiver(), set[asyncio.Task[None]]()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
