"""Logins on devices that exist nowhere."""

from drivers.base import Arguments, HostKeyPolicy, Secret, Target, login_digest

PASSWORD = "Zk4-wrong-password"


class Login(Arguments):
    """Connection arguments of some driver."""

    host: str = "r1"
    username: str = "admin"
    password: Secret
    host_key_policy: HostKeyPolicy | None = None


def target(
    host: str = "r1", *, username: str = "admin", password: str = PASSWORD, policy: HostKeyPolicy | None = None
) -> Target:
    """The login of `username` on `host`:22."""
    login = Login.model_validate({"host": host, "username": username, "password": password, "host_key_policy": policy})
    return Target("some", host, 22, login_digest(login), login)


async def never(_target: Target) -> bool:
    """No login has been replaced."""
    return False
