"""What a platform must provide to be simulated. The transport knows no more of it than this."""

from typing import Protocol, runtime_checkable

from drivers.lab.terminal import Terminal
from drivers.lab.users import User


class LoggedOut(Exception):
    """The user has ended the session."""


class Rebooting(Exception):
    """The user has restarted the device."""


class Cli(Protocol):
    """One session's conversation with a device."""

    @property
    def mode(self) -> str:
        """Short name of the current mode, for the record: `user`, `exec`, `config`, `config-if`, …"""

    def greeting(self) -> str: ...

    def prompt(self) -> str: ...

    def help(self, text: str) -> str:
        """What `?` shows after `text`, with the prompt that follows it."""

    async def run(self, line: str) -> None:
        """Obey one line, showing its output. Raises LoggedOut or Rebooting."""

    async def interrupt(self, line: str, *, obey: bool) -> None:
        """Ctrl-Z (`obey`: the line counts, then leave the configuration) or Ctrl-C (it does not)."""

    def log_out(self) -> None:
        """The session has ended, however it did."""


@runtime_checkable
class Exits(Protocol):
    """A conversation that ends with an exit status, as a shell's does."""

    status: int


@runtime_checkable
class Timed(Protocol):
    """A persona with timers: `minute_ms` is how long a minute of theirs takes."""

    minute_ms: float


class Persona(Protocol):
    """One device's state: what all its sessions share and what survives a restart."""

    ssh_version: str

    def log_in(self, terminal: Terminal, user: User) -> Cli: ...

    def restart(self) -> None:
        """Lose what was not saved."""

    def configs(self) -> dict[str, list[str] | None]:
        """The configurations by name, for tests to look at: `running`, `startup` (None: there is none)."""
