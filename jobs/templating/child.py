"""A child process: loads the engines, gives up every right, then runs one task after the other."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.templating import lockdown, wire
from jobs.templating.engines import Engine, load_engines
from jobs.templating.errors import MemoryExceeded, ParsingFailed, SizeExceeded, TemplateError, TemplateRefused, as_json
from jobs.templating.limits import Limits


def main(start: Mapping[str, Any]) -> None:
    """Run until the parent closes the line. `start`: {"parent": its process id, "limits": …}."""
    limits = Limits(**start["limits"])
    line = os.dup(0)
    engines, evaluating = load_engines()
    gc.freeze()
    gauge = lockdown.open_gauge()
    sandboxed = lockdown.enter(limits, start["parent"], line, gauge)
    hello = {"sandboxed": sandboxed, "engines": sorted(engines), "evaluating": evaluating}
    wire.send(line, wire.encode(hello, limits.answer_bytes))
    child = Child(engines, limits, gauge)
    while (task := wire.receive(line, limits.request_bytes)) is not None:
        lockdown.allow_cpu(limits.cpu_s)
        wire.send(line, child.answer(task))
    sys.exit()


@dataclass(frozen=True, slots=True)
class Child:
    """What a child does with its tasks."""

    engines: Mapping[str, Engine]
    limits: Limits
    gauge: int | None

    def answer(self, task: Mapping[str, Any]) -> bytes:
        """The frame that says how it ended: {"result"} or {"error"}, each with {"spent"}."""
        try:
            return self._frame({"result": self.engines[task["engine"]](task["task"])})
        except TemplateError as error:
            failure = error
        except MemoryError:
            most = self.limits.memory_bytes // 2**20
            failure = MemoryExceeded(f"rendering or parsing needs more than {most} MB of memory")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a bug, or a task that is none
            failure = TemplateRefused(f"the engine failed ({type(error).__name__})")
        return self._frame({"error": as_json(failure)})

    def _used(self) -> int:
        try:
            return lockdown.used_bytes(self.gauge)
        except (OSError, ValueError, IndexError):  # evaluated code has closed it: not to be used again
            return self.limits.memory_bytes

    def _frame(self, answer: Mapping[str, Any]) -> bytes:
        """`spent`: this process has grown so much that the next task might not find the memory that it may have."""
        spent = self._used() > self.limits.memory_bytes // 2
        try:
            return wire.encode({**answer, "spent": spent}, self.limits.answer_bytes, default=str)
        except SizeExceeded as error:
            raise SizeExceeded(f"the result is {error.message}") from None
        except (TypeError, ValueError):
            raise ParsingFailed("the result is not plain data") from None
