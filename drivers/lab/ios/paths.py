"""What stands behind a path: a file on flash, or one of the two configurations."""

from drivers.lab.ios.config import Config
from drivers.lab.ios.router import Router

RUNNING, STARTUP = "system:running-config", "nvram:startup-config"
_PLAIN = {"running-config": RUNNING, "startup-config": STARTUP}


class NoFile(Exception):
    """There is no such file, or no room for it: `text` is what IOS says of it."""

    def __init__(self, verb: str, path: str, reason: str) -> None:
        super().__init__(reason)
        self.text = f"%Error {verb} {path} ({reason})\n"


def spelled(path: str) -> str:
    """A path in full: `x` and `flash:/x` are `flash:x`, `running-config` is `system:running-config`."""
    if path in _PLAIN:
        return _PLAIN[path]
    device, colon, name = path.rpartition(":")
    return f"{device.lower() if colon else 'flash'}:{name.lstrip('/')}"


def shown(path: str) -> str:
    """A path as IOS repeats it."""
    device, _, name = spelled(path).partition(":")
    return f"{device}:/{name}" if device == "flash" else f"{device}:{name}"


def flash_name(path: str, verb: str = "opening") -> str:
    """The name of a file on flash. Raises NoFile for any other place."""
    device, _, name = spelled(path).partition(":")
    if device not in ("flash", "flash0"):
        raise NoFile(verb, shown(path), "No such device")
    return name


def read(router: Router, path: str) -> bytes:
    """What a path holds. Raises NoFile."""
    match spelled(path):
        case "null:":
            return b""
        case full if full == RUNNING:
            return text_of(router.running).encode()
        case full if full == STARTUP and router.startup is not None:
            return text_of(router.startup).encode()
        case full if full == STARTUP:
            raise NoFile("opening", STARTUP, "No such file or directory")
    try:
        return router.flash.read(flash_name(path))
    except OSError as error:
        raise NoFile("opening", shown(path), str(error)) from None


def write(router: Router, path: str, content: bytes) -> None:
    """Put a file on flash. Raises NoFile."""
    try:
        router.flash.write(flash_name(path), content)
    except OSError as error:
        raise NoFile("opening", shown(path), str(error)) from None


def text_of(config: Config) -> str:
    """A configuration as a file."""
    return "\n".join([*config.lines(), "end", ""])


def config_in(router: Router, path: str) -> Config:
    """The configuration that a path holds. Raises NoFile."""
    return Config.parse(read(router, path).decode("utf-8", "replace"))
