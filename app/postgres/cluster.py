"""The files of a PostgreSQL cluster: made once by initdb, guarded by version, opened to named OS accounts only."""

import logging
import os
import shutil
import tempfile
from pathlib import Path

from app.postgres.account import Account
from app.postgres.binaries import Binaries
from app.postgres.child import spawn
from app.postgres.errors import PostgresError, WrongVersion

ROLE = "netpulse"

log = logging.getLogger(__name__)


def ensure_cluster(cluster: Path, binaries: Binaries, account: Account, *, durable: bool) -> None:
    """Make `cluster` unless it is there; raise WrongVersion if it is there and not for these binaries."""
    if cluster.exists():
        _check_version(cluster, binaries)
    else:
        _create(cluster, binaries, account, durable=durable)


def write_access_files(data: Path, *accounts: Account) -> dict[str, str]:
    """Write who may connect to `data`'s server: the OS accounts named, as the role netpulse. Returns its settings.

    They are kept outside the cluster, whose owner may be less than we are and could put links in our way.
    """
    users = "".join(f'netpulse "{name}" {ROLE}\n' for name in sorted({account.name for account in accounts}))
    return {
        "hba_file": _write(data / "pg_hba.conf", "local all all peer map=netpulse\n"),
        "ident_file": _write(data / "pg_ident.conf", users),
    }


def _check_version(cluster: Path, binaries: Binaries) -> None:
    made_by = (cluster / "PG_VERSION").read_text().strip()
    if made_by != str(binaries.major):
        raise WrongVersion(
            f"{cluster} was made by PostgreSQL {made_by}, but the programs in {binaries.directory} are version "
            f"{binaries.major}: set NETPULSE_PG_BIN to the bin directory of a PostgreSQL {made_by}, "
            "or move the directory away to start empty."
        )


def _create(cluster: Path, binaries: Binaries, account: Account, *, durable: bool) -> None:
    """Run initdb next to `cluster`, then rename: a half-made cluster, left by a kill, never looks like a whole one."""
    for abandoned in cluster.parent.glob("initdb-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix="initdb-", dir=cluster.parent))
    os.chown(scratch, account.uid, account.gid)
    said = _initdb(scratch, binaries, account, "C.UTF-8", durable=durable)
    if "invalid locale" in said:
        log.warning("this system has no C.UTF-8 locale: text sorts and changes case by ASCII rules only (locale C)")
        said = _initdb(scratch, binaries, account, "C", durable=durable)
    if said:
        raise PostgresError(f"initdb failed in {scratch}:\n{said}")
    scratch.rename(cluster)


def _initdb(target: Path, binaries: Binaries, account: Account, locale: str, *, durable: bool) -> str:
    """Run initdb; return '' or what it said when it failed (it leaves `target` empty then)."""
    command: list[str | Path] = [
        *(binaries.directory / "initdb", "-D", target, "-U", ROLE, "--auth-local=peer", "--auth-host=reject"),
        *("--encoding=UTF8", f"--locale={locale}", "--no-instructions"),
        *([] if durable else ["--no-sync"]),
    ]
    with tempfile.TemporaryFile() as output:
        status = spawn(command, account, output).wait()
        output.seek(0)
        return output.read().decode(errors="replace") if status else ""


def _write(path: Path, text: str) -> str:
    handle, scratch = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        os.fchmod(handle, 0o644)  # the server's account reads it
    Path(scratch).replace(path)
    return str(path)
