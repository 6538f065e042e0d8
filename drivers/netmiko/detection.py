"""What is this device? netmiko's own patterns (`SSHDetect`), asked over an open session."""

from __future__ import annotations

import re
import time

from netmiko.exceptions import ReadTimeout
from netmiko.ssh_autodetect import SSH_MAPPER_BASE

from drivers.errors import DriverError
from drivers.netmiko.arguments import DEVICE_TYPES
from drivers.netmiko.connection import EventConnection, connection_class
from drivers.netmiko.refusal import Refusals

DETECTION_S = 30.0
"""For all questions together."""

_EACH_S = 5.0
_SURE = 99
_ALIASES = {"cisco_xr_2": "cisco_xr", "cisco_wlc_85": "cisco_wlc"}
"""netmiko has two ways to find some types (`SSHDetect.autodetect`)."""


def detect(connection: EventConnection, where: str) -> str:
    """The device type with the best match. Raises DriverError if nothing matches."""
    answers: dict[str, str] = {}
    found: dict[str, int] = {}
    until = time.monotonic() + DETECTION_S
    for name, clue in SSH_MAPPER_BASE:
        command, priority = str(clue["cmd"]), int(clue["priority"])  # type: ignore[call-overload]  # netmiko: object
        if command not in answers:
            answers[command] = _answer(connection, command, until)
        if _matches(clue["search_patterns"], answers[command]):  # type: ignore[arg-type]
            found[_ALIASES.get(name, name)] = priority
            if priority >= _SURE:
                break
    best = max(found, key=found.__getitem__, default=None)
    if best not in DEVICE_TYPES:
        raise DriverError(f"{where} is of no kind that can be told from what it says: name its device_type")
    return best


def become(connection: EventConnection, device_type: str) -> None:
    """Make an open connection one of another device type, and prepare its terminal (netmiko: `redispatch`)."""
    connection.device_type = device_type
    connection.__class__ = connection_class(device_type)
    connection.prepare()


def _answer(connection: EventConnection, command: str, until: float) -> str:
    """Raises DriverError once the time is up; what a question leaves behind would spoil the next."""
    if not command:
        return ""
    try:
        said = connection.send_command(command, read_timeout=min(_EACH_S, max(0.1, until - time.monotonic())))
    except ReadTimeout as error:
        raise DriverError("the device did not answer what would have told its kind: name its device_type") from error
    refused = Refusals(connection.device_type).in_answer(said) or re.search(r"command not found", said)
    return "" if refused else said


def _matches(patterns: list[str], said: str) -> bool:
    return any(re.search(pattern, said, re.IGNORECASE) for pattern in patterns)
