"""A lab in a process of its own, as tests and the demo use it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drivers.lab.faults import Fault
from drivers.lab.record import Entry, Login, Stats
from drivers.lab.users import PASSWORD, SECRET, USERNAME, USERS, User

_ROOT = Path(__file__).resolve().parents[2]  # where `drivers` is imported from
_STOP_TIMEOUT_S = 5


class LabError(Exception):
    """The lab did not start, is gone, or would not do what was asked."""


@dataclass(frozen=True, slots=True)
class LabDevice:
    """Where a simulated device is; `https_port` is that of its eAPI, if it has one."""

    name: str
    host: str
    port: int
    https_port: int | None = None


class LabProcess:
    """`python -m drivers.lab` as a child: `with LabProcess(devices=3) as lab: lab.devices[0].port`.

    The child ends with its parent, however that ends. Every method is blocking and may be called from any thread.
    `password` and `secret` are random unless given; `users` are further logins. `options` are more arguments for the
    command line. `eapi_ca` is the certificate (PEM) of the devices' HTTPS ports, empty without any.
    """

    def __init__(
        self,
        devices: int = 1,
        *,
        persona: str = "ios",
        username: str = "admin",
        password: str | None = None,
        secret: str | None = None,
        users: Sequence[User] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        spread: bool = False,
        prefix: str = "R",
        reload_ms: float = 1000,
        record: str | os.PathLike[str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        flags = {"devices": devices, "persona": persona, "host": host, "port": port, "prefix": prefix}
        self._arguments = [f"--{name}={value}" for name, value in flags.items()] + [f"--reload-ms={reload_ms}"]
        self._arguments += ["--spread"] * spread + ([f"--record={os.fspath(record)}"] if record else []) + [*options]
        self._environ = _environ(username, password, secret, users)
        self._child: subprocess.Popen[str] | None = None
        self.devices: tuple[LabDevice, ...] = ()
        self.username, self.password, self.secret = username, "", ""
        self.eapi_ca = ""
        self._control: Mapping[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        if self._child is None:
            raise LabError("the lab is not running")
        return self._child.pid

    def start(self) -> None:
        """Start the child; return when every device listens. Raises LabError if it ends instead (see its stderr)."""
        command = [sys.executable, "-m", "drivers.lab", "--exit-with-stdin", *self._arguments]
        self._child = subprocess.Popen(  # noqa: S603 our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=self._environ
        )
        assert self._child.stdout is not None
        announced = self._child.stdout.readline()
        if not announced:
            self.stop()
            raise LabError("the lab did not start")
        self._adopt(json.loads(announced))

    def _adopt(self, announced: Mapping[str, Any]) -> None:
        self.devices = tuple(LabDevice(**device) for device in announced["devices"])
        self.username, self.password = announced["username"], announced["password"]
        self.secret, self._control = announced["secret"], announced["control"]
        self.eapi_ca = announced.get("eapi_ca", "")

    def stop(self) -> int:
        """End the lab in good order; by force if it does not. Returns its exit status; harmless when it has ended."""
        child, self._child = self._child, None
        if child is None:
            return 0
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            return child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
        finally:
            child.stdout.close()

    def kill(self) -> None:
        """End it as `kill -9` does. What `record` holds is kept."""
        if self._child is not None:
            self._child.kill()
            self.stop()

    def device(self, name: str) -> LabDevice:
        """The device of this name. Raises LabError."""
        for device in self.devices:
            if device.name == name:
                return device
        raise LabError(f"no device {name!r}")

    def set_faults(self, device: LabDevice | str | None, *faults: Fault) -> None:
        """Replace the faults of a device (None: of all). What the old ones held up goes on."""
        self._ask("set_faults", device=_name(device), faults=[fault.to_json() for fault in faults])

    def clear_faults(self, device: LabDevice | str | None = None) -> None:
        """No more faults on a device (None: on any)."""
        self.set_faults(device)

    def restart(self, device: LabDevice | str) -> None:
        """Power-cycle a device: sessions end, what was not saved is lost, it answers again after `reload_ms`."""
        self._ask("restart", device=_name(device))

    def records(self, device: LabDevice | str | None = None, *, since: int = 0) -> list[Entry]:
        """What a device (None: any) has received, oldest first; only entries with a `seq` above `since`."""
        return [Entry(**fields) for fields in self._ask("records", device=_name(device), since=since)]

    def commands(self, device: LabDevice | str | None = None, *, since: int = 0) -> list[str]:
        """The command lines of `records`, without empty ones and answers."""
        return [e.line for e in self.records(device, since=since) if e.line and e.kind == "command"]

    def overlaps(self, device: LabDevice | str | None = None) -> list[Entry]:
        """Commands that began while another was running on the same device."""
        return [entry for entry in self.records(device) if entry.overlaps]

    def logins(self, device: LabDevice | str | None = None) -> list[Login]:
        """Every attempt to log in."""
        return [Login(**fields) for fields in self._ask("logins", device=_name(device))]

    def stats(self, device: LabDevice | str) -> Stats:
        """Counts of one device."""
        return Stats(**self._ask("stats", device=_name(device))[0])

    def all_stats(self) -> dict[str, Stats]:
        """Counts of every device, by name."""
        return {fields["device"]: Stats(**fields) for fields in self._ask("stats", device=None)}

    def running_config(self, device: LabDevice | str) -> list[str]:
        """The running configuration's lines."""
        lines: list[str] = self._ask("config", device=_name(device))["running"]
        return lines

    def startup_config(self, device: LabDevice | str) -> list[str] | None:
        """The saved configuration's lines; None when it was erased."""
        lines: list[str] | None = self._ask("config", device=_name(device))["startup"]
        return lines

    def wait_received(
        self, device: LabDevice | str, line: str, *, since: int = 0, done: bool = False, timeout_s: float = 10
    ) -> Entry:
        """Wait until the device has received a line that starts with `line` (`done`: and has finished with it).

        Looks at entries with a `seq` above `since`. Raises LabError after `timeout_s` seconds.
        """
        asked = {"device": _name(device), "line": line, "since": since, "done": done}
        return Entry(**self._ask("wait_received", **asked, timeout_s=timeout_s))

    def wait_sessions(self, device: LabDevice | str, sessions: int, *, timeout_s: float = 10) -> None:
        """Wait until the device has just that many sessions. Raises LabError after `timeout_s` seconds."""
        self._ask("wait_sessions", device=_name(device), sessions=sessions, timeout_s=timeout_s)

    def _ask(self, op: str, *, timeout_s: float = 10, **arguments: Any) -> Any:
        """One request on a connection of its own, so that threads need no lock."""
        request = {"op": op, "token": self._control.get("token"), "timeout_s": timeout_s, **arguments}
        try:
            reply = json.loads(self._exchange(json.dumps(request).encode() + b"\n", timeout_s + 20))
        except (OSError, ValueError) as error:
            raise LabError(f"{op}: the lab is not there") from error
        if "error" in reply:
            raise LabError(f"{op}: {reply['error']}")
        return reply["ok"]

    def _exchange(self, request: bytes, timeout_s: float) -> bytes:
        address = (self._control.get("host", ""), self._control.get("port", 0))
        with socket.create_connection(address, timeout_s) as connection, connection.makefile("rb") as replies:
            connection.sendall(request)
            return replies.readline()


def _name(device: LabDevice | str | None) -> str | None:
    return device.name if isinstance(device, LabDevice) else device


def _environ(username: str, password: str | None, secret: str | None, users: Sequence[User]) -> dict[str, str]:
    """The child's environment: ours, with nothing of another lab's, and the logins, which `ps` must not show."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NETPULSE_")}
    environ[USERNAME] = username
    environ |= {name: value for name, value in ((PASSWORD, password), (SECRET, secret)) if value is not None}
    environ[USERS] = json.dumps([asdict(user) for user in users])
    return environ
