"""A router's flash file system: one directory, kept over restarts."""

import hashlib
import time
from dataclasses import dataclass, field

CAPACITY_BYTES = 255_988_736
_IMAGE = ("c2900-universalk9-mz.SPA.157-3.M8.bin", 107_410_736)
_OLD = b"! an earlier configuration\nversion 15.6\nhostname old\nend\n"


@dataclass(frozen=True, slots=True)
class File:
    """A file. `size_bytes` is what `dir` shows: an image takes room, but the lab keeps none of it."""

    content: bytes
    size_bytes: int
    changed: float = field(default_factory=time.time)

    def line(self, number: int, name: str) -> str:
        """As `dir` lists it."""
        stamp = time.strftime("%b %d %Y %H:%M:%S +00:00", time.gmtime(self.changed))
        return f"{number:>5}  -rw-  {self.size_bytes:>12}  {stamp}  {name}\n"


class Flash:
    """Files by name. What cannot be done raises OSError, with IOS's words for it."""

    def __init__(self) -> None:
        self.files = {_IMAGE[0]: File(b"", _IMAGE[1]), "old-config.txt": File(_OLD, len(_OLD))}

    @property
    def free_bytes(self) -> int:
        return CAPACITY_BYTES - sum(file.size_bytes for file in self.files.values())

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise FileNotFoundError("No such file or directory")
        return self.files[name].content

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file."""
        if not name or "/" in name:
            raise OSError("No such file or directory")
        old = self.files[name].size_bytes if name in self.files else 0
        if len(content) > self.free_bytes + old:
            raise OSError("No space left on device")
        self.files[name] = File(content, len(content))

    def delete(self, name: str) -> None:
        self.read(name)
        del self.files[name]

    def md5(self, name: str) -> str:
        return hashlib.md5(self.read(name), usedforsecurity=False).hexdigest()

    def listing(self, name: str = "") -> str:
        """All files, or one, as `dir` shows them."""
        if name:
            self.read(name)
        numbered = enumerate(self.files.items(), 1)
        lines = "".join(file.line(number, each) for number, (each, file) in numbered if name in ("", each))
        total = f"{CAPACITY_BYTES} bytes total ({self.free_bytes} bytes free)"
        return f"Directory of flash:/{name}\n\n{lines}\n{total}\n"
