"""Running getters and commands on one NAPALM driver object."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from drivers.base import Reply, Report, Verdict
from drivers.errors import CommandRejected, TooLarge
from drivers.napalm.driver_args import NapalmQuery
from drivers.napalm.failure import fatal, words
from drivers.napalm.platforms import NETMIKO, Platform
from drivers.netmiko.refusal import Refusals
from drivers.netmiko.transcript import LONGEST_OUTPUT

if TYPE_CHECKING:
    from napalm.base.base import NetworkDriver

_GETTER = re.compile(r"get_[a-z0-9_]+|ping|traceroute")
_ELSEWHERE = {
    "compare_config": "nothing is loaded in a query: send the lines as a change with dry_run",
    "rollback": "it changes the device: send it as the only line of a change",
    **dict.fromkeys(
        ("load_merge_candidate", "load_replace_candidate", "commit_config", "discard_config", "confirm_commit"),
        "it belongs to a change: send the lines as one",
    ),
}
"""Methods of NAPALM's that are no queries, and what to do instead."""

_PATTERN_PIPE = re.compile(r"\|\s*(?:match|except|find)\s+(?![\w ./:,@\"-]+(?:\||\Z))")
"""Junos: NAPALM itself applies these to the output, with the client's regular expression, which could freeze us."""


class Refused(Exception):
    """A command that is not, or could not be, run; the text says why."""


@dataclass(frozen=True)
class Query:
    """A job's commands, on a driver object that is open and the job's own."""

    platform: Platform
    driver: NetworkDriver
    args: NapalmQuery
    report: Report

    def run(self, commands: Sequence[str]) -> None:
        """See `drivers.base.Session.run_commands`; what ends a session is raised as the library's own."""
        self._check_arguments(commands)
        refused = [command for command in commands if not self._ask(command)]
        if refused:
            raise CommandRejected(f"{len(refused)} of {len(commands)} commands were refused, the first: {refused[0]}")

    def _check_arguments(self, commands: Sequence[str]) -> None:
        getters = [command for command in commands if command in self.platform.capabilities.getters]
        taken = frozenset().union(*(self.platform.takes(getter) for getter in getters))
        stray = sorted(self.args.given().keys() - taken)
        if stray:
            for command in commands:
                self.report(Reply(command, "", Verdict.SKIPPED, None, 0.0, exit_status=None))
            raise CommandRejected(f"no command of the list takes {', '.join(stray)}; nothing was sent")

    def _ask(self, command: str) -> bool:
        """Run one command and report it; False if it was refused."""
        started, clock = datetime.now(UTC), time.perf_counter()
        stdout, stderr, parsed = "", "", None
        try:
            stdout, parsed = self._answer(command)
            done = parsed is not None or not self._refusals.in_answer(stdout)
        except Refused as error:
            stderr, done = str(error), False
        verdict = Verdict.DONE if done else Verdict.REFUSED
        took = time.perf_counter() - clock
        self.report(Reply(command, stdout, verdict, started, took, stderr, 0 if done else 1, parsed))
        return done

    def _answer(self, command: str) -> tuple[str, Any]:
        if command in _ELSEWHERE:
            raise Refused(_ELSEWHERE[command])
        if _GETTER.fullmatch(command) and command not in self.platform.capabilities.getters:
            raise Refused(f"NAPALM's driver for {self.platform.name} has no such getter")
        try:
            result = self._get(command) if _GETTER.fullmatch(command) else self._cli(command)
            return _bounded(result)
        except NotImplementedError as error:
            raise Refused(f"NAPALM's driver for {self.platform.name} cannot do this, or not so") from error
        except (Refused, TooLarge):
            raise
        except Exception as error:  # getters raise whatever an unexpected answer makes them trip over
            if cause := fatal(error):
                raise cause from error
            raise Refused(_reason(error)) from error

    def _get(self, getter: str) -> Any:
        takes = self.platform.takes(getter)
        given = {name: value for name, value in self.args.given().items() if name in takes}
        if "destination" in takes and getter != "get_route_to" and "destination" not in given:
            raise Refused(f"{getter} needs destination, among the driver_args")
        result = getattr(self.driver, getter)(**given)
        if isinstance(result, str):  # NAPALM's way of asking for another argument
            raise Refused(result[:1000])
        return _plain(result)

    def _cli(self, command: str) -> Any:
        if command == "is_alive":
            return _plain(self.driver.is_alive())
        if self.platform.name == "junos" and _PATTERN_PIPE.search(command):
            raise Refused("match, except and find take literal text only: letters, digits, and . / : , @ -")
        answers = self.driver.cli([command], encoding=self.args.encoding or "text")
        if not isinstance(answers, dict):  # iosxr_netconf returns the exception
            raise NotImplementedError
        answer = answers[command]
        return answer if isinstance(answer, str) else _plain(answer)

    @property
    def _refusals(self) -> Refusals:
        """Only a command line says no within its output; elsewhere a refusal is an exception."""
        return Refusals(NETMIKO.get(self.platform.name, "generic"))


def _reason(error: Exception) -> str:
    if isinstance(error, (LookupError, TypeError, AttributeError, ValueError, NameError)):
        return f"NAPALM could not make sense of what the device answered ({type(error).__name__})"
    return words(error)


def _plain(value: Any) -> Any:
    """As JSON has it: other types become texts, what is no number becomes null."""
    return json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)


def _bounded(result: Any) -> tuple[str, Any]:
    text = result if isinstance(result, str) else json.dumps(result, indent=2)
    if len(text) > LONGEST_OUTPUT:
        raise TooLarge(f"the answer to one command is longer than {LONGEST_OUTPUT:,} characters")
    return text, None if isinstance(result, str) else result
