"""The real OpenSSH server of Debian's package openssh-server, in a folder of its own, for the user of the tests.

Logins are by key; password logins would need PAM. Where it is not installed, the tests say so and are skipped.
"""

import getpass
import grp
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.ports import free_port
from tests.waiting import until

_CONFIG = """
ListenAddress 127.0.0.1:{port}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
PermitRootLogin yes
AcceptEnv LC_* NETPULSE_*
SetEnv HOME={folder}/home PATH={folder}/bin:{path}
Subsystem sftp internal-sftp
MaxStartups 100
"""


@dataclass
class Sshd:
    """A running server. Commands have their home in `folder`/home, and find programs in `folder`/bin before others."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def key(self) -> Path:
        """The private key that it accepts."""
        return self.folder / "id_ed25519"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def kill_connections(self) -> None:
        """End every connection's process as `kill -9` does, the listener stays."""
        self._each_connection(psutil.Process.kill)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every connection's process stands still, and nobody is told."""
        self._each_connection(psutil.Process.suspend)
        try:
            yield
        finally:
            self._each_connection(psutil.Process.resume)

    def wait_idle(self) -> None:
        """Until no connection is served any more, and what came over them is written."""
        until(lambda: not psutil.Process(self.process.pid).children(), "its connections have ended")

    def _each_connection(self, act: Callable[[psutil.Process], None]) -> None:
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.name().startswith("sshd"):
                    act(child)


@contextmanager
def sshd(
    folder: Path, *, extra: str = "", kinds: Sequence[str] = ("ed25519",), passwords: bool = False
) -> Iterator[Sshd]:
    """Run one, with host keys of these kinds; `extra` goes into its configuration."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("NO REAL SSH SERVER: sshd is not installed (Debian package openssh-server), so nothing was tested")
    prepare(folder, kinds)
    port = free_port()
    path = os.environ.get("PATH", "/usr/bin:/bin")
    text = _CONFIG.format(port=port, folder=folder, path=path, passwords="yes" if passwords else "no")
    keys = "".join(f"HostKey {folder}/host_{kind}\n" for kind in kinds)
    (folder / "sshd_config").write_text(text + keys + extra)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it, Debian makes it when the service starts
    command: list[str | Path] = [program, "-D", "-E", folder / "log", "-f", folder / "sshd_config"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    server = Sshd(folder, port, process)
    try:
        until(lambda: _listens(server), "sshd listens")
        yield server
    finally:
        server.kill_connections()
        process.terminate()
        process.wait(10)


def prepare(folder: Path, kinds: Sequence[str]) -> None:
    """Make host keys of these kinds, and the key of the login."""
    for needed in (folder, folder / "home", folder / "bin"):
        needed.mkdir(exist_ok=True)
    for kind in kinds:
        make_key(folder / f"host_{kind}", kind)
    if not (folder / "id_ed25519").exists():
        make_key(folder / "id_ed25519", "ed25519")
    authorize(folder, folder / "id_ed25519")


def make_key(file: Path, kind: str, passphrase: str = "") -> Path:
    """A new key pair, in place of one that is there."""
    file.unlink(missing_ok=True)
    command: list[str | Path] = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", file]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file


def authorize(folder: Path, *keys: Path) -> None:
    """Let these keys in."""
    (folder / "authorized_keys").write_text("".join(Path(f"{key}.pub").read_text() for key in keys))


def require_terminals() -> None:
    """Skip where an sshd that is not root cannot hand out terminals: it must give them to the group `tty`."""
    if os.geteuid() == 0:
        return
    ours, theirs = os.openpty()
    group = os.fstat(theirs).st_gid
    for descriptor in (ours, theirs):
        os.close(descriptor)
    if group != grp.getgrnam("tty").gr_gid:
        pytest.skip("NO TERMINALS: sshd is not root here, and /dev/pts is not of the group tty, so nothing was tested")


def user() -> str:
    """Who logs in: the user of the tests."""
    return getpass.getuser()


def _listens(server: Sshd) -> bool:
    assert server.process.poll() is None, server.log
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) == 0
