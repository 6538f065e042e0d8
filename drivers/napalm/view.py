"""NAPALM on a command line that is held open by netmiko's driver: one login serves both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from drivers.base import Arguments, Change, Report
from drivers.napalm.arguments import NapalmConnection
from drivers.napalm.changes import Steps
from drivers.napalm.console import Console
from drivers.napalm.driver_args import NapalmConfig, NapalmQuery
from drivers.napalm.platforms import platform
from drivers.napalm.queries import Query
from drivers.napalm.ways import way
from drivers.netmiko import NetmikoSession


class NapalmView:
    """The working methods of a `drivers.base.ConfigSession`; all the rest is the netmiko session's own."""

    def __init__(self, session: NetmikoSession, login: NapalmConnection) -> None:
        self._session = session
        self._login = login
        self._platform = platform(login.device_type)

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.run_commands`."""
        assert isinstance(args, NapalmQuery)
        privileged = True if self._login.canonical().secret is not None else None
        with self._driver(commands, args.read_timeout, privileged=privileged, asks=False) as driver:
            Query(self._platform, driver, args, report).run(commands)

    def apply_config(self, change: Change, report: Report) -> str | None:
        """See `drivers.base.ConfigSession.apply_config`."""
        with self._steps(change, report) as steps:
            return steps.apply()

    def undo(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.undo`."""
        with self._steps(change, report) as steps:
            steps.undo()

    def keep(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.keep`."""
        with self._steps(change, report) as steps:
            steps.keep()

    def confirm(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.confirm`."""
        with self._steps(change, report) as steps:
            steps.confirm()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    @contextmanager
    def _steps(self, change: Change, report: Report) -> Iterator[Steps]:
        args = change.args
        assert isinstance(args, NapalmConfig)
        with self._driver(change.lines, args.read_timeout, privileged=True, asks=True) as driver:
            yield Steps(self._platform, way(self._platform, driver, change), report)

    @contextmanager
    def _driver(self, lines: Sequence[str], timeout_s: float, *, privileged: bool | None, asks: bool) -> Iterator[Any]:
        """A driver object for one call: what NAPALM keeps on it between calls would reach the next job."""
        enable = None if self._login.optional_args.force_no_enable else privileged
        with self._session.borrowed(lines, timeout_s, privileged=enable) as held:
            yield driver_on(self._session, self._login, Console(held, timeout_s, asks=asks))


def driver_on(session: NetmikoSession, login: NapalmConnection, console: Console) -> Any:
    """The driver object of the login's platform, working on `console`."""
    if login.device_type == "ios":
        from drivers.napalm.ios import HeldIos

        return HeldIos(console, login, session.another_login)
    from drivers.napalm.nxos import HeldNxosSsh

    return HeldNxosSsh(console, login)
