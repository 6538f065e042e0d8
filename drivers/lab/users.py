"""Who may log in to the lab."""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

USERNAME = "NETPULSE_LAB_USERNAME"
PASSWORD = "NETPULSE_LAB_PASSWORD"  # noqa: S105 the variable's name
SECRET = "NETPULSE_LAB_SECRET"  # noqa: S105 the variable's name
USERS = "NETPULSE_LAB_USERS"


@dataclass(frozen=True, slots=True)
class User:
    """One login. Privilege 15 starts in privileged mode (`R1#`), anything lower in user mode (`R1>`)."""

    name: str
    password: str = field(repr=False)
    privilege: int = 15

    @classmethod
    def parse(cls, text: str) -> "User":
        """Read `name:password[:privilege]`. Raises ValueError; the message does not repeat the password."""
        name, _, rest = text.partition(":")
        password, _, privilege = rest.partition(":")
        if not name or not password or (privilege and not privilege.isdecimal()):
            raise ValueError(f"user {name!r}: expected name:password[:privilege]")
        return cls(name, password, int(privilege or 15))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everyone who may log in, the primary user first, and the enable secret."""

    users: tuple[User, ...]
    secret: str = field(repr=False)

    @property
    def primary(self) -> User:
        return self.users[0]

    def check(self, name: str, password: str) -> User | None:
        """The user that this login names, or None."""
        for user in self.users:
            if user.name == name and hmac.compare_digest(user.password.encode(), password.encode()):
                return user
        return None

    @classmethod
    def read(cls, environ: Mapping[str, str], extra: Iterable[User] = ()) -> "Credentials":
        """Take the logins from the environment, where `ps` does not show them, and `extra` ones after them.

        `NETPULSE_LAB_USERS` is JSON: `[{"name": …, "password": …, "privilege": …}, …]`. A password or secret that is
        not given is random.
        """
        primary = User(environ.get(USERNAME) or "admin", environ.get(PASSWORD) or secrets.token_urlsafe(12))
        more = [User(**fields) for fields in json.loads(environ.get(USERS) or "[]")]
        return cls((primary, *more, *extra), environ.get(SECRET) or secrets.token_urlsafe(12))
