"""NAPALM's EOS driver on a kept connection to the eAPI, whose certificate is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napalm.eos import EOSDriver
from napalm.eos.utils.versions import EOSVersion
from pyeapi.client import Node

from drivers.napalm.arguments import NapalmConnection
from drivers.pyeapi.transport import EapiTransport


class HeldEos(EOSDriver):  # type: ignore[misc]  # napalm has no types
    """One driver object for one call, on an open transport."""

    __module__ = EOSDriver.__module__  # beside which NAPALM looks for the templates that it reads output with

    def __init__(self, transport: EapiTransport, login: NapalmConnection, version: str) -> None:
        options = login.optional_args.model_dump(include={"eos_autoComplete", "lock_disable"}, exclude_none=True)
        super().__init__(login.host, login.username, "", int(login.timeout), options)
        secret = login.secret.get_secret_value() if login.secret else ""
        self.device = Node(transport, enablepwd=secret)
        self._eos_version = EOSVersion(version)

    def __del__(self) -> None:
        """The session is not this object's to close."""

    def _obtain_lock(self, wait_time: int | None = None) -> None:  # noqa: ARG002 (NAPALM's signature)
        """Without NAPALM's ten seconds of waiting for another's configuration session to end."""
        self._lock()


class EapiLink(EapiTransport):
    """See `drivers.napalm.links.Link`: the transport itself, which makes a driver object for each call."""

    def __init__(self, login: NapalmConnection, folders: Sequence[Path]) -> None:
        super().__init__(login.https_login(), folders)
        self._napalm_login = login
        self._version = ""

    def open(self) -> None:
        """Connect, and ask for the version as NAPALM does, which proves the login."""
        super().open()
        answer = self.send(self.request(["show version"], encoding="json"))
        self._version = str(answer["result"][0].get("version", ""))

    def driver(self, timeout_s: float) -> HeldEos:
        """See `drivers.napalm.links.Link.driver`."""
        self.timeout_s = timeout_s
        return HeldEos(self, self._napalm_login, self._version)
