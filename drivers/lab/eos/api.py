"""eAPI: commands whose replies are JSON, and whose questions are answered beforehand or not at all."""

from collections import deque
from collections.abc import Callable

from drivers.lab.eapi.persona import CallFailed
from drivers.lab.eos import commands
from drivers.lab.eos.errors import INCOMPATIBLE, UNCONVERTED, Refused
from drivers.lab.eos.session import Model, Reply, Session
from drivers.lab.eos.switch import Switch
from drivers.lab.users import User


class Inputs:
    """Answers a command's questions with the lines of its `input`."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self.on_answer: Callable[[str], None] = lambda _: None

    def fill(self, text: str) -> None:
        """The next command's input, in place of what the last one left."""
        self._lines = deque(text.splitlines())

    async def ask(self, question: str, *, echo: bool = True) -> str:
        if not self._lines:
            return "" if not echo else _end_of_text(question)
        answer = self._lines.popleft()
        self.on_answer(answer if echo else "***")
        return answer

    async def confirm(self, question: str) -> bool:
        raise _would_ask(question)


def _end_of_text(question: str) -> str:
    """A text of lines ends where the input does; nothing else may be left unanswered."""
    if question:
        raise _would_ask(question)
    return "EOF"


def _would_ask(question: str) -> Refused:
    return Refused(f"Command cannot be used over the API: it asks {question.strip()!r}", code=INCOMPATIBLE)


class EosCall(Session):
    """One request (`persona.ApiCall`): it begins in exec mode, and what it leaves open is left."""

    def __init__(self, switch: Switch, user: User) -> None:
        self._inputs = Inputs()
        super().__init__(switch, self._inputs, user)

    def on_answer(self, heard: Callable[[str], None]) -> None:
        self._inputs.on_answer = heard

    async def run(self, line: str, given: str, *, as_text: bool, complete: bool) -> Model:
        text = line.strip()
        if not text or text.startswith("!"):
            return {"output": ""} if as_text else {}
        self._inputs.fill(given)
        try:
            return _result(await commands.obey(self, text, complete=complete), as_text=as_text)
        except Refused as refusal:
            raise _failed(refusal) from None

    def prompted(self, question: str) -> CallFailed:
        return _failed(_would_ask(question))


def _failed(refusal: Refused) -> CallFailed:
    return CallFailed(refusal.code, refusal.phrase, refusal.over_api())


def _result(reply: Reply, *, as_text: bool) -> Model:
    if as_text:
        return {"output": reply.text if isinstance(reply.text, str) else "".join(reply.text)}
    if reply.model is None:
        raise Refused("This is an unconverted command", code=UNCONVERTED)
    return reply.model
