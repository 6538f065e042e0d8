"""Files on a device, as netmiko's classes for file transfers know them: where they lie, how large, which digest."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from netmiko.scp_handler import BaseFileTransfer
from netmiko.ssh_dispatcher import FILE_TRANSFER_MAP

from drivers.errors import CommandRejected
from drivers.netmiko.connection import EventConnection

_HOMES = {
    "arista_eos": "/mnt/flash",
    "cisco_ios": None,
    "cisco_nxos": "bootflash:",
    "cisco_xe": None,
    "cisco_xr": None,
    "juniper_junos": "/var/tmp",  # noqa: S108 (the device's)
    "linux": "/var/tmp",  # noqa: S108
}
"""Where files lie by default; None: the device is asked (netmiko: `_autodetect_fs`)."""

_PLAIN_PATH = re.compile(r"(?!-)[\w@%=,./:~-]{1,1024}", re.ASCII)
"""netmiko puts names into patterns and command lines unquoted."""


def can_move_files(device_type: str) -> bool:
    """Whether netmiko knows the platform's files; never over telnet."""
    return device_type.removesuffix("_ssh") in _HOMES


class RemoteFile:
    """One file on the device behind `connection`, whose command line is asked about it."""

    def __init__(self, connection: EventConnection, remote_path: str, file_system: str | None) -> None:
        self._connection = connection
        for name in (remote_path, file_system):
            if name is not None and not _PLAIN_PATH.fullmatch(name):
                raise CommandRejected("the path has characters that this platform's command line has other uses for")
        self._folder, self._name = self._split(remote_path, file_system)
        self._asked = _asking(connection.device_type)(connection, self._folder, self._name)

    @property
    def path(self) -> str:
        """For SCP."""
        return f"{self._folder.rstrip('/')}/{self._name}"

    def exists(self) -> bool:
        """Raises CommandRejected if the device's answer cannot be read."""
        try:
            return bool(self._asked.check_file_exists())
        except ValueError as error:
            raise CommandRejected("the device does not tell whether the file is there") from error

    def size(self) -> int:
        """Bytes. Raises CommandRejected if there is no such file."""
        try:
            return int(self._asked.remote_file_size(remote_file=self._name))
        except (ValueError, OSError, IndexError) as error:
            raise CommandRejected("the device does not tell the size of the file") from error

    def md5(self) -> str:
        """Hexadecimal. Raises CommandRejected."""
        try:
            return str(self._asked.remote_md5(remote_file=self._name)).lower()
        except (ValueError, OSError) as error:
            raise CommandRejected("the device does not tell the digest of the file") from error

    def _split(self, remote_path: str, file_system: str | None) -> tuple[str, str]:
        if ":" in remote_path:
            folder, _, name = remote_path.partition(":")
            return folder + ":", name.lstrip("/")
        if remote_path.startswith("/"):
            folder, _, name = remote_path.rpartition("/")
            return folder, name
        return file_system or self._home(), remote_path

    def _home(self) -> str:
        home = _HOMES[self._connection.device_type.removesuffix("_ssh")]
        try:
            return home or self._connection._autodetect_fs()
        except (ValueError, AttributeError) as error:
            raise CommandRejected("the device does not tell where it keeps its files: name the file_system") from error


@cache
def _asking(device_type: str) -> type[Any]:
    """netmiko's class for the platform, without what its constructor does to files of this machine."""

    def prepare(self: Any, connection: EventConnection, folder: str, name: str) -> None:
        self.ssh_ctl_chan, self.file_system = connection, folder
        self.source_file = self.dest_file = name
        self.direction = "put"

    known: type[BaseFileTransfer] = FILE_TRANSFER_MAP[device_type]
    return type(f"Asking{known.__name__}", (known,), {"__init__": prepare})
