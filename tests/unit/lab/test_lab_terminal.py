"""Echo, editing, questions and paging, byte for byte."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from drivers.lab.faults import How
from drivers.lab.terminal import HungUp, Terminal, Typed

ERASE = "\b" * 9 + " " * 8 + "\b" * 9


class Paper:
    """A wire that keeps what is written."""

    def __init__(self) -> None:
        self.text = b""

    def write(self, data: bytes) -> None:
        self.text += data

    async def drain(self) -> None: ...

    def cut(self, how: How) -> None: ...


def typed(keys: bytes, use: Callable[[Terminal], Awaitable[object]], *, length: int = 0) -> tuple[object, str]:
    """What `use` returns when these keys are typed, and what is shown."""

    async def run() -> tuple[object, str]:
        paper = Paper()
        terminal = Terminal(paper, length=length)
        terminal.feed(keys)
        terminal.hang_up()
        result = await use(terminal)
        await terminal.flush()
        return result, paper.text.decode()

    return asyncio.run(run())


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\0"])
def test_every_line_end_is_one(end: bytes) -> None:
    async def two_lines(terminal: Terminal) -> list[str]:
        return [(await terminal.read_line()).text, (await terminal.read_line()).text]

    assert typed(b"one" + end + b"two" + end, two_lines) == (["one", "two"], "one\r\ntwo\r\n")


def test_backspace_rubs_out_and_stops_at_the_start() -> None:
    result, shown = typed(b"sx\x7fhow\x08\x08\x08\x08\x08ok\r", lambda t: t.read_line())
    assert result == Typed("ok")
    assert shown == "sx\b \bhow" + "\b \b" * 4 + "ok\r\n"


def test_ctrl_u_rubs_out_the_line() -> None:
    assert typed(b"abc\x15d\r", lambda t: t.read_line())[0] == Typed("d")


@pytest.mark.parametrize(("key", "end"), [(b"\x03", "ctrl-c"), (b"\x1a", "ctrl-z")])
def test_a_control_key_ends_the_line(key: bytes, end: str) -> None:
    result, _ = typed(b"abc" + key, lambda t: t.read_line())
    assert result == Typed("abc", end)  # type: ignore[arg-type]  # one of End, from the table above


def test_a_secret_is_not_echoed() -> None:
    assert typed(b"hush\r", lambda t: t.ask("Password: ", echo=False)) == ("hush", "Password: \r\n")


def test_question_mark_helps_at_once_and_the_line_goes_on() -> None:
    result, shown = typed(b"sh?ow\r", lambda t: t.read_line(helper=lambda text: f"<{text}>\nR1#"))
    assert result == Typed("show")
    assert shown == "sh?\r\n<sh>\r\nR1#show\r\n".replace("sh>", "sh>")


@pytest.mark.parametrize(("key", "sure"), [(b"\r", True), (b"\n", True), (b"y", True), (b"n", False), (b" ", False)])
def test_confirm_takes_one_key(key: bytes, sure: bool) -> None:
    assert typed(key, lambda t: t.confirm("Sure? [confirm]")) == (sure, "Sure? [confirm]\r\n")


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (b" ", f"1\r\n2\r\n --More-- {ERASE}3\r\n4\r\n"),
        (b"\r ", f"1\r\n2\r\n --More-- {ERASE}3\r\n --More-- {ERASE}4\r\n"),
        (b"q", f"1\r\n2\r\n --More-- {ERASE}"),
    ],
)
def test_a_page_at_a_time(keys: bytes, shown: str) -> None:
    assert typed(keys, lambda t: t.show("1\n2\n3\n4\n"), length=3)[1] == shown


def test_what_fits_needs_no_paging() -> None:
    assert typed(b"", lambda t: t.show("1\n2\n"), length=3)[1] == "1\r\n2\r\n"


def test_a_client_that_is_gone_ends_the_waiting() -> None:
    with pytest.raises(HungUp):
        typed(b"half a li", lambda t: t.read_line())
