"""NAPALM's IOS driver on a held command line: nothing of its own is left behind, and no host goes unchecked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import scp
from napalm.base.exceptions import CommandErrorException
from napalm.ios import IOSDriver
from netmiko import FileTransfer
from paramiko import Transport

from drivers.napalm.arguments import NapalmConnection
from drivers.napalm.console import Console

_REFUSED = "\n% Invalid input detected"
"""By these words NAPALM knows that a merge failed, and goes back to before; IOS has other words for other refusals."""

SecondLogin = Callable[[], Transport]


class HeldIos(IOSDriver):  # type: ignore[misc]  # napalm has no types
    """One driver object for one call. `second_login` opens the connection that files travel on."""

    __module__ = IOSDriver.__module__  # beside which NAPALM looks for the templates that it reads output with

    def __init__(self, console: Console, login: NapalmConnection, second_login: SecondLogin) -> None:
        options = login.optional_args.model_dump(
            include={"dest_file_system", "auto_rollback_on_error", "canonical_int"}, exclude_none=True
        )
        super().__init__(login.host, login.username, "", int(login.timeout), options)
        self.device = self._netmiko_device = console
        self._second_login = second_login

    def __del__(self) -> None:
        """The session is not this object's to close."""

    @property
    def prompt_quiet_configured(self) -> bool:
        """As if: `Console` answers the questions, and the device's configuration stays as it is."""
        return True

    @prompt_quiet_configured.setter
    def prompt_quiet_configured(self, value: Any) -> None: ...

    def is_alive(self) -> dict[str, bool]:
        """Without the NUL that NAPALM types."""
        return {"is_alive": self.device.remote_conn.transport.is_active()}

    # ── files ──

    def copy_running(self, name: str) -> None:
        """Keep the running configuration in a file."""
        path = self._gen_full_path(name)
        self.device.send_command(f"copy running-config {path}")
        if not self._check_file_exists(path):
            raise CommandErrorException(f"{path} was not written")

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self._check_file_exists(self._gen_full_path(name)))

    def delete_file(self, name: str) -> None:
        """Delete a file."""
        self.device.send_command(f"delete {self._gen_full_path(name)}")

    def _discard_config(self) -> None:
        """Delete the candidate, where NAPALM writes another file in its place."""
        if self.has_file(self.candidate_cfg):
            self.delete_file(self.candidate_cfg)

    def _load_candidate_wrapper(
        self, *, source_config: str, dest_file: str, file_system: str, **_: Any
    ) -> tuple[bool, str]:
        """NAPALM's, with a file that nobody else may read."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n") as file:
            file.write(source_config)
            file.flush()
            return self._scp_file(file.name, dest_file, file_system)  # type: ignore[no-any-return]

    def _xfer_file(self, source_file: str, dest_file: str, file_system: str, **_: Any) -> tuple[bool, str]:
        """NAPALM's, over a connection whose host key is looked at as well."""
        transfer = FileTransfer(self.device, source_file, dest_file, file_system, direction="put")
        if "ip scp server enable" not in self.device.send_command("show running-config | include ip scp server"):
            raise CommandErrorException("SCP is not enabled on the device: configure `ip scp server enable`")
        if not transfer.verify_space_available():
            return False, "Insufficient space available on remote device"
        transport = self._second_login()
        try:
            client = scp.SCPClient(transport, socket_timeout=self.timeout)
            client.put(source_file, f"{file_system}/{dest_file}")
        finally:
            transport.close()
        return transfer.verify_file(), "File transfer to remote device failed"

    # ── commits ──

    def _commit_handler(self, cmd: str) -> str:
        """NAPALM's, which is lost where a question is asked in other words."""
        output: str = self.device.dialogue(cmd)
        self.device.relearn()
        merged = cmd.startswith("copy ") and cmd.endswith(" running-config")
        return output + _REFUSED if merged and self.device.refuses(output) else output
