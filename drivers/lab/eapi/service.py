"""What a device answers over HTTPS: `/command-api`, `/login`, `/logout`."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine, Iterable
from typing import Any

import h11

from drivers.lab.device import Device
from drivers.lab.eapi import rpc
from drivers.lab.eapi.commands import Commands
from drivers.lab.eapi.logins import Logins, basic, in_body
from drivers.lab.eapi.persona import ApiPersona
from drivers.lab.eapi.wire import Connection, Request, TooBig
from drivers.lab.faults import Drop, OneByte, RefuseLogin, Slow
from drivers.lab.persona import Rebooting
from drivers.lab.record import Journal
from drivers.lab.shape import one_by_one
from drivers.lab.terminal import HungUp
from drivers.lab.users import Credentials, User

_JSON = ("Content-Type", "application/json")


class EapiService:
    """Serves one device's HTTPS port (`listener.Service`)."""

    def __init__(
        self, device: Device, persona: ApiPersona, journal: Journal, credentials: Credentials, context: ssl.SSLContext
    ) -> None:
        self._device, self._persona, self._journal = device, persona, journal
        self._credentials, self._context = credentials, context
        self._logins = Logins()
        self._connections: set[Connection] = set()

    async def serve(self, client: socket.socket) -> None:
        connection = Connection(client)
        # A client may leave, or break the rules, at any point: nothing to report.
        with contextlib.suppress(OSError, h11.ProtocolError, HungUp):
            await connection.open(self._context)
            self._connections.add(connection)
            try:
                await _while_there(connection, self._serve(connection))
            finally:
                self._connections.discard(connection)
                connection.close()

    def send_away(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        return ()

    async def _serve(self, connection: Connection) -> None:
        caller = Caller()
        try:
            while (request := await connection.receive()) is not None:
                await self._answer(connection, request, caller)
                if connection.is_over:
                    return
        except TooBig:
            await _reply(connection, 413, b"")

    async def _answer(self, connection: Connection, request: Request, caller: "Caller") -> None:
        match request.method, request.path:
            case "POST", "/login":
                await self._log_in(connection, request)
            case "POST", "/logout":
                self._logins.close(request.headers)
                await _reply(connection, 200, b"{}")
            case "POST", "/command-api":
                await self._command(connection, request, caller)
            case _:
                await _reply(connection, 404, b"Not Found")

    async def _log_in(self, connection: Connection, request: Request) -> None:
        user = await self._check(connection, in_body(request.body))
        if user is None:
            await _reply(connection, 401, b"Unable to authenticate user: Bad username/password combination")
        else:
            await _reply(connection, 200, b"{}", ("Set-Cookie", self._logins.open(user)))

    async def _command(self, connection: Connection, request: Request, caller: "Caller") -> None:
        user = await self._user(connection, request, caller)
        if user is None:
            refused = ("WWW-Authenticate", 'Basic realm="COMMAND_API_AUTH"')
            await _reply(connection, 401, b"Unable to authenticate user: Bad username/password combination", refused)
            return
        commands = Commands(self._device, self._journal, self._persona, user, connection)
        try:
            reply = await commands.run(rpc.read_call(request.body))
        except rpc.BadCall as bad:
            reply = rpc.bad(bad)
        except Rebooting:
            self._logins.clear()
            self._device.restart()
            return
        await _finish(connection, rpc.encode(reply), commands.one_byte)

    async def _user(self, connection: Connection, request: Request, caller: "Caller") -> User | None:
        """Whose request this is. A password counts as a login once a connection, a cookie did so before."""
        if (known := self._logins.find(request.headers)) is not None:
            return known
        login = basic(request.headers)
        if caller.user is None or login != caller.login:
            caller.user, caller.login = await self._check(connection, login), login
        return caller.user

    async def _check(self, connection: Connection, login: tuple[str, str] | None) -> User | None:
        """The user of this name and password, None if they are wrong. Raises HungUp when a fault cuts the line."""
        faults = self._device.faults
        if slow := faults.strike(Slow, "login"):
            await asyncio.sleep(slow.delay_ms / 1000)
        if drop := faults.strike(Drop, "login"):
            connection.cut(drop.how)
            raise HungUp
        user = None if login is None or faults.strike(RefuseLogin) else self._credentials.check(*login)
        self._journal.login(self._device.name, login[0] if login else "", ok=user is not None)
        return user


class Caller:
    """Who has logged in by password on a connection."""

    def __init__(self) -> None:
        self.user: User | None = None
        self.login: tuple[str, str] | None = None


async def _while_there(connection: Connection, serving: Coroutine[Any, Any, None]) -> None:
    """Serve until done, or until the client is gone: nobody would read the answer."""
    task, gone = asyncio.create_task(serving), asyncio.create_task(connection.lost())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
        await asyncio.wait({task, gone})
    if not task.cancelled():
        task.result()


async def _reply(connection: Connection, status: int, body: bytes, *headers: tuple[str, str]) -> None:
    connection.begin(status, [_JSON, *headers], len(body))
    connection.write(body)
    await connection.end()


async def _finish(connection: Connection, body: bytes, one_byte: OneByte | None) -> None:
    """Send a call's answer; its head may be out already, if a fault has held it up."""
    if not connection.has_begun:
        connection.begin(200, [_JSON], len(body))
    if one_byte is None:
        connection.write(body)
    else:
        await one_by_one(body, connection, one_byte.gap_ms)
    await connection.end()
