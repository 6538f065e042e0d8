"""The lab's control channel: JSON lines over loopback TCP, one request a line, one reply a line.

A request carries the lab's `token` (any local user can connect), `op` and the op's arguments; a reply is
`{"ok": …}` or `{"error": …}`.
"""

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from drivers.lab.faults import Fault
from drivers.lab.fleet import Fleet
from drivers.lab.record import Entry

Request = dict[str, Any]


class Control:
    """Answers for a fleet. `address` is what a client needs to know."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._token = secrets.token_urlsafe(18)
        self._server: asyncio.Server | None = None
        self._ops: dict[str, Callable[[Request], Awaitable[Any]]] = {
            "set_faults": self._set_faults,
            "restart": self._restart,
            "records": self._records,
            "logins": self._logins,
            "stats": self._stats,
            "config": self._config,
            "wait_received": self._wait_received,
            "wait_sessions": self._wait_sessions,
        }

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def address(self) -> dict[str, Any]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return {"host": host, "port": port, "token": self._token}

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, asyncio.CancelledError):  # the client, or the lab, is going
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not hmac.compare_digest(str(request["token"]), self._token):
                return {"error": "wrong token"}
            return {"ok": await self._ops[request["op"]](request)}
        except (KeyError, ValueError, TypeError, TimeoutError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    async def _set_faults(self, request: Request) -> None:
        self._fleet.set_faults(request["device"], [Fault.from_json(fields) for fields in request["faults"]])

    async def _restart(self, request: Request) -> None:
        self._fleet.devices[request["device"]].restart()

    async def _records(self, request: Request) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._fleet.journal.find(request["device"], since=request["since"])]

    async def _logins(self, request: Request) -> list[dict[str, Any]]:
        logins = self._fleet.journal.logins
        return [asdict(login) for login in logins if request["device"] in (None, login.device)]

    async def _stats(self, request: Request) -> list[dict[str, Any]]:
        stats = self._fleet.journal.stats
        return [asdict(stats[name]) for name in stats if request["device"] in (None, name)]

    async def _config(self, request: Request) -> dict[str, list[str] | None]:
        return self._fleet.devices[request["device"]].persona.configs()

    async def _wait_received(self, request: Request) -> dict[str, Any]:
        """Wait until a line that starts with `line` has been received (`done`: and finished)."""

        def found() -> Entry | None:
            entries = self._fleet.journal.find(request["device"], since=request["since"])
            return next((e for e in entries if e.line.startswith(request["line"]) and _fits(e, request["done"])), None)

        await self._until(lambda: found() is not None, request["timeout_s"])
        entry = found()
        assert entry is not None
        return asdict(entry)

    async def _wait_sessions(self, request: Request) -> int:
        stats = self._fleet.journal.stats[request["device"]]
        await self._until(lambda: stats.sessions == request["sessions"], request["timeout_s"])
        return stats.sessions

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            await self._fleet.journal.until(condition)


def _fits(entry: Entry, done: bool) -> bool:
    return not done or entry.ending != "running"
