"""FRRouting (Debian package frr) as a router that one logs in to: its vtysh behind a real sshd, with its own network.

zebra gives up its rights only when root has started it, so this needs root, on Linux.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.sshd import Sshd, sshd
from tests.waiting import until

DAEMONS = ("zebra", "staticd")
_PROGRAMS = Path("/usr/lib/frr")


@contextmanager
def frr() -> Iterator[Sshd]:
    """A router whose configuration begins empty. Every login of the server ends up in its vtysh."""
    _require()
    with ExitStack() as cleanup:
        # Not the tests' folder: the path of a Unix socket has 107 characters at the most.
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="frr-")))
        _fill(folder)
        for daemon in DAEMONS:
            cleanup.enter_context(_running(daemon, folder))
        extra = f"LogLevel VERBOSE\nForceCommand env VTYSH_PAGER= {' '.join(_vtysh(folder))}\n"
        yield cleanup.enter_context(sshd(folder / "sshd", extra=extra))


def vtysh(router: Sshd, *lines: str) -> str:
    """Run lines on the router without a login; what it says."""
    command = [*_vtysh(router.folder.parent), *(word for line in lines for word in ("-c", line))]
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def running_config(router: Sshd) -> list[str]:
    """Its lines."""
    return vtysh(router, "show running-config").splitlines()


def reset(router: Sshd) -> None:
    """Take back the routes that tests gave it."""
    routes = [line for line in running_config(router) if line.startswith("ip route ")]
    if routes:
        vtysh(router, "configure terminal", *(f"no {route}" for route in routes))


def _vtysh(folder: Path) -> list[str]:
    return ["vtysh", "--vty_socket", str(folder), "--config_dir", str(folder)]


def _require() -> None:
    why = None
    if not (_PROGRAMS / "zebra").exists() or shutil.which("vtysh") is None:
        why = "FRR is not installed (Debian package frr)"
    elif os.geteuid() != 0 or shutil.which("unshare") is None:
        why = "FRR's daemons need root and unshare"
    if why is not None:
        pytest.skip(f"NO REAL ROUTER: {why}, so nothing was tested")


def _fill(folder: Path) -> None:
    for name in ("vtysh.conf", *(f"{daemon}.conf" for daemon in DAEMONS)):
        (folder / name).write_text("")
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "frr", "frr")
    folder.chmod(0o755)


@contextmanager
def _running(daemon: str, folder: Path) -> Iterator[None]:
    options = {"--vty_socket": folder, "-f": folder / f"{daemon}.conf", "-i": folder / f"{daemon}.pid", "-P": 0}
    command: Sequence[object] = [
        *("unshare", "--net", _PROGRAMS / daemon, "-u", "frr", "-g", "frr", "-z", folder / "zserv.api"),
        *(part for option in options.items() for part in option),
    ]
    with (folder / f"{daemon}.log").open("wb") as log:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: (folder / f"{daemon}.vty").exists() or process.poll(), f"{daemon} listens")
        assert process.poll() is None, (folder / f"{daemon}.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(10)
