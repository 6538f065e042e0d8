"""A server's state: its name and its files."""

import time
import zlib

FILE_BYTES = 1_000_000
_FILES = 500


class Host:
    """What all sessions of one server share. `files` are contents by absolute path."""

    def __init__(self, name: str) -> None:
        self.address = f"192.0.2.{zlib.crc32(name.encode()) % 254 + 1}"
        self.booted = time.time()
        self.files = {
            "/etc/hostname": f"{name}\n",
            "/etc/hosts": f"127.0.0.1 localhost\n{self.address} {name}\n",
            "/etc/os-release": 'NAME="Lab Linux"\nID=lab\nVERSION_ID="1"\n',
            "/etc/shadow": "root:*:20000:0:99999:7:::\n",
        }

    @property
    def hostname(self) -> str:
        return self.files.get("/etc/hostname", "localhost").strip() or "localhost"

    def folders(self) -> set[str]:
        """Every folder: those that hold a file, and a few that always exist."""
        found = {"/", "/etc", "/home", "/root", "/tmp", "/var/log"}  # noqa: S108 a simulated one
        for path in [*self.files, "/var/log"]:
            while path := path.rpartition("/")[0]:
                found.add(path)
        return found - self.files.keys()

    def write(self, path: str, text: str) -> None:
        """Make or replace a file. Raises OSError when it is too large, or one too many."""
        if len(text) > FILE_BYTES or (path not in self.files and len(self.files) >= _FILES):
            raise OSError("No space left on device")
        self.files[path] = text

    def restart(self) -> None:
        """Boot: what is in /tmp is gone."""
        self.files = {path: text for path, text in self.files.items() if not path.startswith("/tmp/")}  # noqa: S108
        self.booted = time.time()

    def configs(self) -> dict[str, list[str] | None]:
        """The files, each line after its path."""
        lines = [f"{path}: {line}" for path, text in sorted(self.files.items()) for line in text.splitlines()]
        return {"running": lines, "startup": lines}
