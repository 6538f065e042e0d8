"""The drivers that this process can speak: the built-in ones and those installed as plug-ins (entry point group)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from drivers.base import Driver
from drivers.netmiko import NetmikoDriver

GROUP = "netpulse.drivers"


def load_drivers() -> Mapping[str, Driver]:
    """Drivers by name. A plug-in is a class without constructor arguments; a built-in driver's name cannot be taken."""
    drivers: dict[str, Driver] = {}
    for entry in entry_points(group=GROUP):
        plug_in: Driver = entry.load()()
        drivers[plug_in.name] = plug_in
    for built_in in (NetmikoDriver(),):
        drivers[built_in.name] = built_in
    return drivers
