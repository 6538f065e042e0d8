"""Simulated network devices over real SSH, for the demo and the tests.

`LabProcess` starts them in a process of their own (`python -m drivers.lab`) and talks to it. Importing this package
needs no asyncssh; only the process that runs the devices does.
"""

from drivers.lab.faults import (
    Ask,
    Drop,
    Fault,
    Huge,
    NonUtf8,
    OneByte,
    PromptChange,
    RefuseConnect,
    RefuseLogin,
    Silent,
    Slow,
    Stall,
)
from drivers.lab.process import LabDevice, LabProcess
from drivers.lab.record import Entry, Stats
from drivers.lab.users import User

__all__ = [
    "Ask",
    "Drop",
    "Entry",
    "Fault",
    "Huge",
    "LabDevice",
    "LabProcess",
    "NonUtf8",
    "OneByte",
    "PromptChange",
    "RefuseConnect",
    "RefuseLogin",
    "Silent",
    "Slow",
    "Stall",
    "Stats",
    "User",
]
