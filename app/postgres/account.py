"""The OS account that PostgreSQL runs as: it refuses to be root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from app.postgres.errors import PostgresError


@dataclass(frozen=True)
class Account:
    """An OS account, as in passwd."""

    name: str
    uid: int
    gid: int


def current_account() -> Account:
    """The account we run as. It needs a name: peer authentication compares names."""
    try:
        return _by_uid(os.geteuid())
    except KeyError:
        raise PostgresError(
            f"User id {os.geteuid()} has no name in the password database, which the embedded PostgreSQL needs: "
            "add one, or set DATABASE_URL to use a server of your own."
        ) from None


def server_account(cluster: Path) -> Account:
    """The account for the server of `cluster`: ourselves, or when we are root its owner, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return current_account()
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        return _by_uid(owner)
    return unprivileged_account()


def unprivileged_account() -> Account:
    """The account that root lends to a new server."""
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise PostgresError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody to run it as: "
        "run NetPulse as an ordinary user, or set DATABASE_URL."
    )


def may_enter(account: Account, directory: Path) -> bool:
    """Whether `account` can pass through `directory` and all above it, going by their modes (no ACLs)."""
    return all(_may_search(account, folder.stat()) for folder in (directory, *directory.parents))


def _may_search(account: Account, directory: os.stat_result) -> bool:
    if directory.st_uid == account.uid:
        return bool(directory.st_mode & stat.S_IXUSR)
    if directory.st_gid == account.gid:
        return bool(directory.st_mode & stat.S_IXGRP)
    return bool(directory.st_mode & stat.S_IXOTH)


def _by_uid(uid: int) -> Account:
    found = pwd.getpwuid(uid)
    return Account(found.pw_name, found.pw_uid, found.pw_gid)
