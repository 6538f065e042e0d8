"""NAPALM's NX-OS drivers on a held command line, and on an NX-API whose certificate is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napalm.nxapi_plumbing import Device
from napalm.nxapi_plumbing.api_client import RPCClient
from napalm.nxos import NXOSDriver
from napalm.nxos_ssh import NXOSSSHDriver

from drivers.napalm.arguments import NapalmConnection
from drivers.napalm.console import Console
from drivers.pyeapi.transport import EapiTransport


class HeldNxosSsh(NXOSSSHDriver):  # type: ignore[misc]  # napalm has no types
    """One driver object for one call."""

    __module__ = NXOSSSHDriver.__module__  # beside which NAPALM looks for the templates that it reads output with

    def __init__(self, console: Console, login: NapalmConnection) -> None:
        super().__init__(login.host, login.username, "", int(login.timeout), _options(login))
        self.device = self._netmiko_device = console

    def __del__(self) -> None:
        """The session is not this object's to close."""

    def is_alive(self) -> dict[str, bool]:
        """Without the NUL that NAPALM types."""
        return {"is_alive": self.device.remote_conn.transport.is_active()}


class HeldNxos(NXOSDriver):  # type: ignore[misc]
    """One driver object for one call, on an open transport."""

    __module__ = NXOSDriver.__module__

    def __init__(self, transport: NxapiLink, login: NapalmConnection) -> None:
        super().__init__(login.host, login.username, "", int(login.timeout), _options(login))
        self.device = Device(login.host, login.username, "", verify=True)
        self.device.api = _Client(transport)

    def __del__(self) -> None:
        """The session is not this object's to close."""


class NxapiLink(EapiTransport):
    """See `drivers.napalm.links.Link`: eAPI's kept, checked connection, to another path."""

    def __init__(self, login: NapalmConnection, folders: Sequence[Path]) -> None:
        super().__init__(login.https_login(), folders)
        self._napalm_login = login

    def open(self) -> None:
        """Connect, and ask for the name as NAPALM does, which proves the login."""
        super().open()
        self.driver(self.timeout_s)._send_command("show hostname")

    def driver(self, timeout_s: float) -> HeldNxos:
        """See `drivers.napalm.links.Link.driver`."""
        self.timeout_s = timeout_s
        return HeldNxos(self, self._napalm_login)

    def post(self, data: str, content_type: str) -> _Response:
        """Raises what `EapiTransport.send` raises."""
        wire = self._open_wire()
        self._before_write()
        self.sent = True
        headers = {"Content-Type": content_type, **self._identity}
        answer = self._exchange(wire, "/ins", headers, data, self.timeout_s)
        return _Response(answer.status, answer.body.decode("utf-8", "replace"))


@dataclass(frozen=True)
class _Response:
    """What NAPALM's client looks at of a `requests.Response`."""

    status_code: int
    text: str


class _Client(RPCClient):  # type: ignore[misc]
    """NAPALM's client, which would make a new connection for each request."""

    def __init__(self, transport: NxapiLink) -> None:
        super().__init__("", "", "")
        self._transport = transport

    def _send_request(self, commands: Sequence[str], method: str) -> _Response:
        return self._transport.post(self._build_payload(commands, method), self.headers["content-type"])


def _options(login: NapalmConnection) -> dict[str, Any]:
    return login.optional_args.model_dump(include={"dest_file_system"}, exclude_none=True)
