"""Line by line, then netmiko's `commit` where its class has one."""

from __future__ import annotations

import inspect

from netmiko.base_connection import BaseConnection

from drivers.errors import CommandRejected
from drivers.netmiko.procedures.procedure import Procedure

_DISCARD = (("vyos", "discard"), ("juniper", "rollback 0"), ("huawei_vrp", "clear configuration candidate"))
"""By prefix of the device type: how a candidate is dropped where leaving alone would keep it. (IOS XR: netmiko says
`no` when it is asked.)"""


class PlainProcedure(Procedure):
    """For every platform without a procedure of its own, and for clients that enter configuration mode their way."""

    def understands(self) -> frozenset[str]:
        return frozenset(inspect.signature(type(self.entry.connection).commit).parameters) & {"comment"}

    def commit(self) -> None:
        connection = self.entry.connection
        if type(connection).commit is BaseConnection.commit:
            return
        options = {"comment": self.args.comment} if self.args.comment else {}
        try:
            self.entry.vendor("commit", lambda: connection.commit(**options))
        except ValueError as error:
            raise CommandRejected("the device refused to commit the change; it was dropped") from error

    def drop(self) -> None:
        name = self.entry.connection.device_type
        command = next((command for prefix, command in _DISCARD if name.startswith(prefix)), None)
        if command:
            self.entry.ask(command)
