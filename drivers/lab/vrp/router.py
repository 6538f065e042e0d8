"""A VRP router's state: what is running, what is saved, what was committed before."""

import re
import time
import zlib

from drivers.lab.countdown import MINUTE_MS, Countdown
from drivers.lab.ios.config import Config

_PORTS = tuple(f"GE1/0/{port}" for port in range(4))
_FACTORY = (
    "sysname {name}\naaa\n local-user admin service-type ssh\n"
    "interface GE1/0/0\n undo shutdown\n ip address 192.0.2.{octet} 255.255.255.0\n"
    + "".join(f"interface {port}\n shutdown\n" for port in _PORTS[1:])
    + "stelnet server enable\nuser-interface vty 0 4\n authentication-mode aaa\n"
)
_VIRTUAL = ("LoopBack", "Vlanif", "Eth-Trunk", "Tunnel")
_NAMES = (*_VIRTUAL, "GE")
_KEPT = 20


class Router:
    """What all sessions of one device share. `history` is newest first: what was running before each commit."""

    def __init__(self, name: str) -> None:
        number = zlib.crc32(name.encode())
        self.serial = f"NPL{number % 10**8:08}"
        self.running = Config.parse(_FACTORY.format(name=name, octet=number % 254 + 1))
        self.startup = self.running.copy()
        self.history: list[Config] = []
        self.minute_ms = MINUTE_MS
        self.trial: Countdown | None = None
        self.booted = time.time()

    @property
    def hostname(self) -> str:
        return self.running.value("sysname", "HUAWEI")

    def commit(self, candidate: Config, *, trial_s: int | None = None) -> None:
        """Make `candidate` what is running; with `trial_s`, only for so long unless there is another commit."""
        self.confirm()
        self.history = [self.running, *self.history][:_KEPT]
        self.running = candidate.copy()
        if trial_s is not None:
            self.trial = Countdown(trial_s / 60, self.minute_ms, self.abort_trial)

    def confirm(self) -> None:
        """What is on trial stays."""
        trial, self.trial = self.trial, None
        if trial is not None:
            trial.cancel()

    def abort_trial(self) -> None:
        """What is on trial goes."""
        self.confirm()
        self.running = self.history.pop(0)

    def restart(self) -> None:
        self.confirm()
        self.running, self.booted = self.startup.copy(), time.time()

    def configs(self) -> dict[str, list[str] | None]:
        return {"running": self.running.lines(), "startup": self.startup.lines()}


def interface_name(text: str) -> str | None:
    """Spell out `ge1/0/1`, `loopback 0`, …; None if this router has no such interface and cannot make it."""
    match = re.fullmatch(r"([A-Za-z-]+) ?(\d+(?:[/.]\d+)*)", text.strip())
    if match is None:
        return None
    found = [name for name in _NAMES if name.lower().startswith(match[1].lower())]
    name = f"{found[0]}{match[2]}" if found else ""
    return name if name.startswith(_VIRTUAL) or name in _PORTS else None


def is_virtual(interface: str) -> bool:
    return interface.startswith(_VIRTUAL)
