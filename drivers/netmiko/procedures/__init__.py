"""Safe changes: what each platform has for them, as steps on its command line."""

from __future__ import annotations

from drivers.base import Change
from drivers.netmiko.driver_args import NetmikoConfig
from drivers.netmiko.entry import Entry
from drivers.netmiko.procedures.eos import EosProcedure
from drivers.netmiko.procedures.ios import IosProcedure
from drivers.netmiko.procedures.junos import JunosProcedure
from drivers.netmiko.procedures.nxos import NxosProcedure
from drivers.netmiko.procedures.plain import PlainProcedure
from drivers.netmiko.procedures.procedure import Procedure
from drivers.netmiko.procedures.vrp import VrpProcedure

_BY_TYPE: dict[str, type[Procedure]] = {
    "arista_eos": EosProcedure,
    "cisco_ios": IosProcedure,
    "cisco_nxos": NxosProcedure,
    "cisco_xe": IosProcedure,
    "huawei_vrpv8": VrpProcedure,
    "juniper": JunosProcedure,
    "juniper_junos": JunosProcedure,
}


def procedure_class(device_type: str) -> type[Procedure]:
    """The procedure for a device type of netmiko's, over SSH or telnet."""
    return _BY_TYPE.get(device_type.removesuffix("_ssh").removesuffix("_telnet"), PlainProcedure)


def procedure_for(entry: Entry, change: Change) -> Procedure:
    """The procedure for one change. A client who enters configuration mode another way gets the plain one."""
    assert isinstance(change.args, NetmikoConfig)
    chosen = procedure_class(entry.connection.device_type)
    own_way = chosen.own_mode and change.args.config_mode_command is not None
    if own_way or not change.args.enter_config_mode:
        chosen = PlainProcedure
    return chosen(entry, change)


__all__ = ["Procedure", "procedure_class", "procedure_for"]
