"""An EOS switch's state: what is running, what is saved, what is being prepared."""

import hashlib
import hmac
import time
import zlib
from collections.abc import Iterable
from typing import Protocol

from drivers.lab.eos.config import Config
from drivers.lab.eos.errors import Refused
from drivers.lab.eos.sessions import Candidate, Sessions

_FACTORY = """\
no aaa root
service routing protocols model multi-agent
hostname {name}
spanning-tree mode mstp
interface Ethernet1
   description uplink
   no switchport
   ip address 198.51.100.{octet}/24
interface Ethernet2
interface Ethernet3
   shutdown
interface Ethernet4
interface Management1
   ip address 192.0.2.{octet}/24
ip routing
management api http-commands
   no shutdown
"""
_CLEAN = """\
interface Ethernet1
interface Ethernet2
interface Ethernet3
interface Ethernet4
interface Management1
"""


class Login(Protocol):
    """What the switch knows of someone who is logged in."""

    @property
    def candidate(self) -> Candidate | None: ...

    @property
    def user_name(self) -> str: ...


class Switch:
    """What all sessions of one device share, over SSH and eAPI."""

    def __init__(self, name: str, secret: str) -> None:
        number = zlib.crc32(name.encode())
        self._secret = secret
        self.serial = f"NPL{number % 10**8:08}"
        self.mac = "02:00:" + ":".join(f"{number:08x}"[i : i + 2] for i in range(0, 8, 2))
        self.running = Config.parse(_FACTORY.format(name=name, octet=number % 254 + 1))
        self.startup: Config | None = self.running.copy()
        self.unsaved = False
        self.files: dict[str, Config] = {}
        self.checkpoints: dict[str, Config] = {}
        self.sessions = Sessions(self)
        self.booted, self.boot_reason = time.time(), "power-on"
        self.lines: dict[int, Login] = {}  # by vty

    @property
    def hostname(self) -> str:
        return self.running.value("hostname", "localhost")

    def uptime_s(self) -> float:
        return time.time() - self.booted

    def take_line(self, login: Login) -> int:
        """The lowest free vty."""
        number = next(n for n in range(1, len(self.lines) + 2) if n not in self.lines)
        self.lines[number] = login
        return number

    def is_secret(self, text: str) -> bool:
        """Whether this is the enable password: the configured one, or else the lab's."""
        configured = self.running.value("enable password sha512")
        return hmac.compare_digest(sealed(text), configured or sealed(self._secret))

    def replace(self, config: Config) -> None:
        """Run another configuration from now on."""
        self.running, self.unsaved = config.copy(), True

    def save(self) -> None:
        self.startup, self.unsaved = self.running.copy(), False

    def read(self, source: str) -> Config:
        """The configuration that a name such as `flash:rollback-0` or `startup-config` means. Raises Refused."""
        found = {"running-config": self.running, "startup-config": self.startup, "clean-config": clean()}.get(source)
        kind, _, name = source.partition(":")
        if kind in ("flash", "file"):
            found = self.files.get(name.lstrip("/"))
        elif kind == "checkpoint":
            found = self.checkpoints.get(name)
        if found is None:
            raise Refused(f"Error opening {source} (No such file or directory)")
        return found

    def write(self, target: str, config: Config) -> None:
        """Keep a configuration under such a name. Raises Refused."""
        kind, _, name = target.partition(":")
        if target == "running-config":
            self.replace(config)
        elif target == "startup-config":
            self.startup, self.unsaved = config.copy(), False
        elif kind in ("flash", "file") and name.strip("/"):
            self.files[name.lstrip("/")] = config.copy()
        else:
            raise Refused(f"Error opening {target} (Invalid argument)")

    def configs(self) -> dict[str, list[str] | None]:
        return {"running": self.running.lines(), "startup": self.startup.lines() if self.startup else None}

    def editors(self, candidate: Candidate) -> Iterable[tuple[int, str]]:
        """Who has this configuration session open: vty and user."""
        return [(line, login.user_name) for line, login in self.lines.items() if login.candidate is candidate]

    def restart(self) -> None:
        """Boot with the saved configuration, or a clean one; what was being prepared is gone."""
        self.sessions.clear()
        self.running, self.unsaved = (self.startup or clean()).copy(), False
        self.booted, self.boot_reason = time.time(), "reload"


def clean() -> Config:
    """A configuration with nothing in it but what the hardware has."""
    return Config.parse(_CLEAN)


def sealed(secret: str) -> str:
    """A secret as the configuration shows it."""
    return "$6$" + hashlib.sha256(secret.encode()).hexdigest()[:24]
