"""How each platform's NAPALM driver is made to change by a name of ours, and to undo what has that name.

NAPALM's own `rollback` goes back to what was there before the last commit, whoever made it (EOS: to what was saved
before). So an undoable change keeps a copy of the running configuration under its own name, found again from any login.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.base import Change
from drivers.napalm.platforms import Platform
from drivers.napalm.ways.files import EosWay, IosWay, NxosWay
from drivers.napalm.ways.junos import JunosWay
from drivers.napalm.ways.way import Way

_WAYS: dict[str, Callable[[Any, Change], Way]] = {
    "eos": EosWay,
    "ios": IosWay,
    "junos": JunosWay,
    "nxos": NxosWay,
    "nxos_ssh": NxosWay,
}


def way(platform: Platform, driver: Any, change: Change) -> Way:
    """The platform's way, on a driver object that is the change's own."""
    return _WAYS.get(platform.name, Way)(driver, change)


__all__ = ["Way", "way"]
