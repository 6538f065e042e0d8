"""An IOS router's state: what is running, what is saved, what is on its flash."""

import hashlib
import hmac
import time
import zlib
from dataclasses import dataclass, field

from drivers.lab.countdown import MINUTE_MS, Countdown
from drivers.lab.ios.config import Config
from drivers.lab.ios.flash import Flash

PHYSICAL = ("GigabitEthernet0/0", "GigabitEthernet0/1", "GigabitEthernet0/2", "GigabitEthernet0/3")

_FACTORY = """\
version 15.7
service timestamps debug datetime msec
service timestamps log datetime msec
no service password-encryption
hostname {name}
no aaa new-model
ip cef
no ip domain lookup
interface GigabitEthernet0/0
 description management
 ip address 192.0.2.{octet} 255.255.255.0
 duplex auto
 speed auto
interface GigabitEthernet0/1
 no ip address
 shutdown
 duplex auto
 speed auto
interface GigabitEthernet0/2
 no ip address
 shutdown
 duplex auto
 speed auto
interface GigabitEthernet0/3
 no ip address
 shutdown
 duplex auto
 speed auto
archive
 path flash:archive
 maximum 10
ip forward-protocol nd
no ip http server
ip scp server enable
ip ssh version 2
line con 0
line vty 0 4
 login local
 transport input ssh
"""


@dataclass(slots=True)
class Pending:
    """A change that waits to be confirmed: whose it is, and what comes back if nobody confirms it."""

    user: str
    idle: bool
    backup: Config
    countdown: Countdown
    backup_name: str
    since: float = field(default_factory=time.time)


class Router:
    """What all sessions of one device share. `factory` is the configuration that it comes with."""

    factory = _FACTORY

    def __init__(self, name: str, secret: str) -> None:
        number = zlib.crc32(name.encode())
        self.secret = secret
        self.serial = f"NPL{number % 10**8:08}"
        self.running = Config.parse(self.factory.format(name=name, octet=number % 254 + 1))
        self.startup: Config | None = self.running.copy()
        self.unsaved = False
        self.changed_by: str | None = None
        self.booted, self.boot_reason = time.time(), "power-on"
        self.flash = Flash()
        self.archived: list[str] = []  # paths, oldest first
        self.archive_count = 1
        self.minute_ms = MINUTE_MS
        self.pending: Pending | None = None
        self.lines: dict[int, str] = {}  # vty number to user

    @property
    def hostname(self) -> str:
        return self.running.value("hostname", "Router")

    def take_line(self, user: str) -> int:
        """The lowest free vty."""
        number = next(n for n in range(len(self.lines) + 1) if n not in self.lines)
        self.lines[number] = user
        return number

    def is_secret(self, text: str) -> bool:
        """Whether this is the enable secret: the configured one, or else the lab's."""
        configured = self.running.value("enable secret 9")
        return hmac.compare_digest(sealed(text), configured or sealed(self.secret))

    def save(self) -> None:
        self.startup, self.unsaved = self.running.copy(), False

    def erase(self) -> None:
        self.startup = None

    def configs(self) -> dict[str, list[str] | None]:
        return {"running": self.running.lines(), "startup": self.startup.lines() if self.startup else None}

    def touch(self, user: str) -> None:
        """Note that `user` has changed the configuration."""
        self.unsaved, self.changed_by = True, user

    def settle(self) -> None:
        """Keep what has been changed: nothing waits to be confirmed any more."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.countdown.cancel()

    def revert(self) -> None:
        """Go back to what was running before the change that waits."""
        pending = self.pending
        self.settle()
        if pending is not None:
            self.running = pending.backup
            self.touch(pending.user)

    def restart(self) -> None:
        """Boot with the saved configuration, or as from the factory."""
        self.settle()
        saved = self.startup or Config.parse(self.factory.format(name="Router", octet=1))
        self.running, self.unsaved = saved.copy(), False
        self.booted, self.boot_reason = time.time(), "reload"


def sealed(secret: str) -> str:
    """A secret as the configuration shows it."""
    return "$9$" + hashlib.sha256(secret.encode()).hexdigest()[:24]
