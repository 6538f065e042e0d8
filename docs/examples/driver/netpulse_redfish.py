"""A NetPulse driver: server management controllers by Redfish (DMTF DSP0266). A command is the path of a resource."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException

from drivers.base import Arguments, Driver, Reply, Report, Secret, Strategy, Target, Verdict, login_digest
from drivers.errors import CommandRejected, SessionLost
from drivers.sockets import LineSession


class Login(Arguments):
    host: str
    port: int = 80
    token: Secret


class RedfishSession(LineSession):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        assert isinstance(target.connection, Login)
        self._headers = {"X-Auth-Token": target.connection.token.get_secret_value()}
        self._http = HTTPConnection(target.host, target.port)

    def open(self) -> None:
        self._http.sock = self.line.connect(10)  # raises Unreachable, SessionAborted

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        answers = [self._get(path, report) for path in commands]
        if not all(answers):
            raise CommandRejected("the controller refused a path")

    def _get(self, path: str, report: Report) -> bool:
        self.guard()  # raises LeaseLost when another worker holds the device
        began, clock = datetime.now(UTC), time.perf_counter()
        try:
            self._http.request("GET", path, headers=self._headers)
            answer = self._http.getresponse()
            good, text = answer.status == 200, answer.read(1_000_000).decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise SessionLost("the controller closed the connection, or fell silent") from error
        verdict, seconds = Verdict.DONE if good else Verdict.REFUSED, time.perf_counter() - clock
        report(Reply(path, text, verdict, began, seconds, parsed=json.loads(text) if good else None))
        return good


class RedfishDriver(Driver):
    name, default_strategy = "redfish", Strategy.FIFO
    connection_args: type[Arguments] = Login
    example = {"host": "192.0.2.1", "token": "example"}

    def target(self, connection: Arguments) -> Target:
        assert isinstance(connection, Login)
        return Target(self.name, connection.host, connection.port, login_digest(connection), connection)

    def session(self, target: Target) -> RedfishSession:
        return RedfishSession(target)
