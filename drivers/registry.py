"""The drivers that this process can speak: the built-in ones and those installed as plug-ins (entry point group)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from drivers.base import Driver
from drivers.napalm import NapalmDriver
from drivers.netmiko import NetmikoDriver
from drivers.paramiko import ParamikoDriver
from drivers.pyeapi import PyeapiDriver

GROUP = "netpulse.drivers"

BUILT_IN = (NetmikoDriver, NapalmDriver, PyeapiDriver, ParamikoDriver)


def load_drivers(key_folders: Sequence[Path] = ()) -> Mapping[str, Driver]:
    """Drivers by name. A plug-in is a class without constructor arguments; a built-in driver's name cannot be taken.

    `key_folders`: where the key files that clients name may lie.
    """
    drivers: dict[str, Driver] = {}
    for entry in entry_points(group=GROUP):
        plug_in: Driver = entry.load()()
        drivers[plug_in.name] = plug_in
    for made in (built_in(key_folders) for built_in in BUILT_IN):
        drivers[made.name] = made
    return drivers


def warm(drivers: Mapping[str, Driver]) -> None:
    """Import what drivers import late, NAPALM for most of a second: in a thread, so that no event loop waits for it."""
    for driver in drivers.values():
        driver.capabilities(None)
