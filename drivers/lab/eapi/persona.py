"""What a platform must provide to be asked over eAPI."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from drivers.lab.users import User


class CallFailed(Exception):
    """A command of a call failed: `code` and `phrase` say how, `said` is the device's own word."""

    def __init__(self, code: int, phrase: str, said: str) -> None:
        super().__init__(said)
        self.code, self.phrase, self.said = code, phrase, said


class ApiCall(Protocol):
    """The commands of one request, which share a mode."""

    @property
    def mode(self) -> str:
        """As `persona.Cli.mode`."""

    def on_answer(self, heard: Callable[[str], None]) -> None:
        """Tell `heard` of every line of input that a command takes (`***` for a secret)."""

    async def run(self, line: str, given: str, *, as_text: bool, complete: bool) -> dict[str, Any]:
        """Obey one command, with its input; `complete` allows shortened words. Raises CallFailed or Rebooting."""

    def prompted(self, question: str) -> CallFailed:
        """How a command fails that would ask this."""

    def log_out(self) -> None:
        """The request has ended, however it did."""


@runtime_checkable
class ApiPersona(Protocol):
    """A persona (`drivers.lab.persona.Persona`) that has an eAPI too."""

    def call(self, user: User) -> ApiCall: ...
