"""The devices behind the cables: simulated ones, a real sshd, a real router."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from drivers.lab import Fault, LabDevice, LabProcess, Stall
from tests import frr
from tests.integration.conformance.subjects import Subject
from tests.sshd import Sshd, make_key, user
from tests.waiting import until


class Peer(ABC):
    """One device, as a test sees it besides the driver. `port` is where the cable is plugged in."""

    port: int

    @abstractmethod
    def login(self) -> dict[str, Any]:
        """Arguments of a connection: who."""

    @abstractmethod
    def wrong_login(self) -> dict[str, Any]:
        """The same with a secret that is refused."""

    @abstractmethod
    def attempts(self) -> int:
        """How often a secret was shown to it."""

    @abstractmethod
    def running(self) -> str:
        """The configuration in force."""

    @abstractmethod
    def await_command(self, command: str) -> None:
        """Wait until it runs."""

    @abstractmethod
    def kill(self) -> None:
        """End what serves its sessions. New ones are possible a moment later."""


class Simulated(Peer):
    """A device of the lab."""

    def __init__(self, lab: LabProcess, device: LabDevice, subject: Subject) -> None:
        self.lab, self.device, self._subject = lab, device, subject
        port = device.https_port if subject.https else device.port
        assert port is not None
        self.port = port

    def login(self) -> dict[str, Any]:
        who = {"username": self.lab.username, "password": self.lab.password}
        return who | ({"secret": self.lab.password} if self._subject.peer == "linux" else {})  # sudo's

    def wrong_login(self) -> dict[str, Any]:
        return self.login() | {"password": "wrong"}

    def attempts(self) -> int:
        return len(self.lab.logins(self.device))

    def running(self) -> str:
        return "\n".join(self.lab.running_config(self.device))

    def await_command(self, command: str) -> None:
        self.lab.wait_received(self.device, command)

    def kill(self) -> None:
        self.lab.restart(self.device)

    def misbehave(self, *faults: Fault) -> None:
        """From now on."""
        self.lab.set_faults(self.device, *faults)

    def received(self) -> list[str]:
        """The command lines that reached it."""
        return self.lab.commands(self.device)

    def answered(self) -> list[str]:
        """The answers to questions that reached it, whole. Passwords, which are not echoed, are not among them."""
        answers = (entry for entry in self.lab.records(self.device) if entry.kind == "answer")
        return [entry.line for entry in answers if entry.ending == "done" and entry.line != "***"]


class Host(Peer):
    """The machine of the tests behind an sshd: its configuration is the files in the login's home."""

    def __init__(self, server: Sshd) -> None:
        self._server, self.port = server, server.port
        self._before = server.log

    def login(self) -> dict[str, Any]:
        return {"username": user(), "pkey": self._server.key.read_text()}

    def wrong_login(self) -> dict[str, Any]:
        return self.login() | {"pkey": make_key(self._server.folder / "stranger", "ed25519").read_text()}

    def attempts(self) -> int:
        log = self._server.log.removeprefix(self._before)
        return log.count("Accepted publickey") + log.count("Failed publickey")

    def running(self) -> str:
        return "\n".join(f"{file.name}: {file.read_text()}" for file in sorted(self._home.iterdir()) if file.is_file())

    def await_command(self, command: str) -> None:
        until(lambda: command.split() in self._command_lines(), "it runs")

    def _command_lines(self) -> Iterator[list[str]]:
        for child in psutil.Process(self._server.process.pid).children(recursive=True):
            with suppress(psutil.Error):  # ended by now
                yield child.cmdline()

    def kill(self) -> None:
        self._server.kill_connections()

    def reset(self) -> None:
        """Empty the home."""
        for file in self._home.iterdir():
            if file.is_file():
                file.unlink()

    @property
    def _home(self) -> Path:
        return self._server.folder / "home"


class Router(Host):
    """FRR behind an sshd."""

    def running(self) -> str:
        return "\n".join(frr.running_config(self._server))

    def reset(self) -> None:
        frr.reset(self._server)


def slow(peer: Peer, command: str) -> str:
    """Make a command last until the session ends; a simulated device says a little first. The command to send."""
    if isinstance(peer, Simulated):
        peer.misbehave(Stall(command=command, count=1))
        return command
    return "sleep 60"
