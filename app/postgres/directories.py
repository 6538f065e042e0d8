"""Where the embedded PostgreSQL keeps its data and its socket, and that nobody else can put theirs there."""

import hashlib
import os
import stat
from pathlib import Path

from app.postgres.account import Account, may_enter, unprivileged_account
from app.postgres.errors import Unreachable


def default_data_dir(checkout: Path) -> Path:
    """`<checkout>/.netpulse` if the server can live there, else a directory outside named after the checkout.

    Outside means below /var/lib/netpulse for root, whose checkout other accounts often may not enter, and in /var/tmp
    for those who cannot write to the checkout. Creates nothing.
    """
    inside = checkout.resolve() / ".netpulse"
    return inside if _usable(inside) else outside_dir("data", str(inside))


def outside_dir(purpose: str, *identity: str) -> Path:
    """A directory of ours outside the checkout: always the same one for the same `identity`."""
    name = f"{purpose}-{digest(*identity)}"
    if os.geteuid() == 0 and os.access("/var/lib", os.W_OK):
        return Path("/var/lib/netpulse") / name
    return Path("/var/tmp") / f"netpulse-{os.geteuid()}-{name}"  # noqa: S108 - ownership is checked by own_directory


def digest(*parts: str) -> str:
    """A short name for `parts`."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def own_directory(path: Path) -> None:
    """Create `path` and what is missing above it; refuse one that belongs to somebody else.

    New directories may be passed through by the server's account when we are root, and are private otherwise.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            _create(folder)
    refuse_foreign(path, os.geteuid())


def socket_directory(data: Path, account: Account) -> Path:
    """Create the private directory for the socket of `data`, owned by the server's `account`.

    In /tmp whatever TMPDIR says: a socket's path is limited to about 100 bytes.
    """
    path = socket_path(data)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        refuse_foreign(path, os.geteuid(), account.uid)
    os.chown(path, account.uid, account.gid)
    path.chmod(0o700)
    return path


def socket_path(data: Path) -> Path:
    """The directory of the socket that serves `data`."""
    return Path("/tmp") / f"netpulse-{os.geteuid()}-{digest(str(data))}"  # noqa: S108 - checked by refuse_foreign


def refuse_foreign(path: Path, *owners: int) -> None:
    """Raise Unreachable unless `path` is a real directory of one of `owners` (user ids)."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
        raise Unreachable(
            f"{path} is not a directory that belongs to user id {owners[0]}: choose another place or remove it"
        )


def _create(folder: Path) -> None:
    try:
        folder.mkdir()
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # whatever the umask, which mkdir's own mode is subject to
    except FileExistsError:
        return
    except OSError as error:
        raise Unreachable(f"{folder} cannot be created: {error.strerror}") from error


def _usable(data: Path) -> bool:
    existing = data if data.exists() else data.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        return False
    if data.exists() and data.stat().st_uid != os.geteuid():
        return False
    return os.geteuid() != 0 or may_enter(unprivileged_account(), existing)
