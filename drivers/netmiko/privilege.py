"""User and privileged mode (`enable`), on platforms that know the difference."""

from __future__ import annotations

from netmiko.exceptions import ReadTimeout
from paramiko.ssh_exception import AuthenticationException

from drivers.errors import AuthenticationFailed
from drivers.netmiko.connection import EventConnection


class Privilege:
    """Where one session stands. `where` names the device in errors."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._now: bool | None = None  # None: not looked at yet
        self._at_login: bool | None = None

    def want(self, connection: EventConnection, wanted: bool | None) -> None:
        """Enter or leave enable mode; None: stay. A session that its login made privileged stays so.

        Raises AuthenticationFailed.
        """
        if wanted is None or wanted is self._now:
            return
        privileged = connection.check_enable_mode()
        if self._at_login is None:
            self._at_login = privileged
        if wanted and not privileged:
            self._enable(connection)
            privileged = True
        elif privileged and not wanted and not self._at_login:
            with connection.answering():
                connection.exit_enable_mode()
            privileged = False
        self._now = privileged
        connection.relearn()

    def forget(self) -> None:
        """Look again next time: where configuration mode is privileged mode (Linux), leaving one leaves the other."""
        self._now = None

    def _enable(self, connection: EventConnection) -> None:
        try:
            with connection.answering():
                connection.enable()
        except (ValueError, ReadTimeout, AuthenticationException) as error:
            why = (
                "refused the enable password"
                if connection.secret
                else "wants an enable password, and there is no secret"
            )
            raise AuthenticationFailed(f"{self._where} {why}") from error
