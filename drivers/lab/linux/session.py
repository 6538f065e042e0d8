"""Where one user stands on a server: who, in which folder, and how the last command ended."""

import posixpath
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drivers.lab.linux.host import Host
from drivers.lab.terminal import Terminal
from drivers.lab.users import User


@dataclass(frozen=True, slots=True)
class Result:
    """What a program shows, and its exit status."""

    text: str = ""
    status: int = 0


STATUS = "\x01"  # in the place of `$?`


class Session:
    """One login. `root` is within `sudo -s`; `sudo` remembers that the password was given."""

    def __init__(self, host: Host, terminal: Terminal, user: User) -> None:
        self.host, self.terminal, self.user = host, terminal, user
        self.home, self.name = f"/home/{user.name}", host.hostname  # a shell asks for the name only once
        self.folder, self.root, self.sudo, self.status = self.home, False, False, 0

    @property
    def mode(self) -> str:
        return "root" if self.root else "shell"

    @property
    def who(self) -> str:
        return "root" if self.root else self.user.name

    def variables(self) -> dict[str, str]:
        """What a line may name. The status is filled in later, when the command before has ended."""
        return {"?": STATUS, "USER": self.who, "HOME": self.home, "HOSTNAME": self.host.hostname}

    def path(self, name: str) -> str:
        """A name as an absolute path."""
        home = f"{self.home}{name[1:]}" if name == "~" or name.startswith("~/") else name
        return posixpath.normpath(posixpath.join(self.folder, home))

    def folders(self) -> set[str]:
        return self.host.folders() | {self.home}

    def may_write(self, path: str) -> bool:
        return self.root or path.startswith((f"{self.home}/", "/tmp/"))  # noqa: S108 a simulated one

    def read(self, name: str) -> str | OSError:
        """A file's text, or why there is none."""
        path = self.path(name)
        if path in self.folders():
            return IsADirectoryError(21, "Is a directory")
        if path == "/etc/shadow" and not self.root:
            return PermissionError(13, "Permission denied")
        return self.host.files.get(path, FileNotFoundError(2, "No such file or directory"))

    def write(self, name: str, text: str, *, appends: bool = False, program: str = "bash") -> str:
        """Write a file; return what `program` says if it cannot be done."""
        path = self.path(name)
        if posixpath.dirname(path) not in self.folders():
            return f"{program}: {name}: No such file or directory\n"
        if path in self.folders():
            return f"{program}: {name}: Is a directory\n"
        if not self.may_write(path):
            return f"{program}: {name}: Permission denied\n"
        try:
            self.host.write(path, (self.host.files.get(path, "") if appends else "") + text)
        except OSError as error:
            return f"{program}: {name}: {error}\n"
        return ""


Program = Callable[[Session, list[str], str], Awaitable[Result]]
"""Takes its arguments and its input."""
