"""A file of configuration lines, obeyed as if they were typed: on a scratch copy, so that the caller may decide."""

import contextlib
import copy
from dataclasses import dataclass, field

from drivers.lab.faults import How
from drivers.lab.ios import configure
from drivers.lab.ios.config import Config
from drivers.lab.ios.grammar import CliError
from drivers.lab.ios.router import PHYSICAL, Router
from drivers.lab.ios.session import Session
from drivers.lab.persona import LoggedOut, Rebooting
from drivers.lab.terminal import HungUp, Terminal
from drivers.lab.users import User


@dataclass(slots=True)
class Outcome:
    """The configuration that the lines lead to, and those that were refused, each with what IOS says of it."""

    config: Config
    refused: list[tuple[str, str]] = field(default_factory=list)


class _Nowhere:
    """A wire that leads nowhere."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def cut(self, how: How) -> None: ...


async def merged(router: Router, content: bytes, user: User) -> Outcome:
    """What the running configuration becomes when these lines are added to it."""
    return await _replay(router, router.running.copy(), content, user)


async def replaced(router: Router, content: bytes, user: User) -> Outcome:
    """What these lines alone come to. Physical interfaces stay, whether named or not."""
    return await _replay(router, Config({f"interface {name}": [] for name in PHYSICAL}), content, user)


async def _replay(router: Router, start: Config, content: bytes, user: User) -> Outcome:
    scratch = copy.copy(router)
    scratch.running, scratch.lines = start, {}
    terminal = Terminal(_Nowhere(), length=0)
    terminal.feed(_keys(content))
    terminal.hang_up()
    session, outcome = Session(scratch, terminal, user), Outcome(start)
    session.configure()
    with contextlib.suppress(HungUp, LoggedOut, Rebooting):  # the end of the lines, or a `do` that would leave
        await _obey_all(session, outcome)
    return outcome


async def _obey_all(session: Session, outcome: Outcome) -> None:
    indented = False
    while session.config_mode:
        line = (await session.terminal.read_line()).text.rstrip()
        if not line.startswith(" ") and (indented or line == "!"):
            session.configure()  # back at the margin
        indented = line.startswith(" ")
        if not line or line.lstrip().startswith("!"):
            continue
        try:
            await configure.obey(session, line)
        except CliError as error:
            outcome.refused.append((line, error.text(0)))


def _keys(content: bytes) -> bytes:
    """Lines without the control characters that a terminal would obey; IOS's own delimiter as it is typed."""
    plain = content.replace(b"\r\n", b"\n").replace(b"\x03", b"^C")
    return bytes(byte for byte in plain if byte >= 0x20 or byte == 0x0A)
