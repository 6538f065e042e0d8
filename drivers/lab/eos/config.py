"""A configuration: lines, each with a block of lines of its own below it, to any depth."""

import difflib
import re
from collections.abc import Sequence

_INDENT = "   "
# The order in which EOS shows them; what is not named here comes before the last group, in the order of entry.
_ORDER = (
    "no", "alias", "service", "hostname", "logging", "ntp", "snmp-server", "spanning-tree", "aaa", "username", "clock",
    "vlan", "vrf", "interface", "mac", "ip",
)  # fmt: skip
_LAST = ("route-map", "router", "banner", "management")
_ALONE = ("banner", "interface", "management", "router", "vlan", "vrf")  # each has a `!` before it
_WITHIN = ("description", "name", "mtu", "shutdown", "speed", "no", "switchport", "channel-group", "vrf", "ip", "ipv6")

_INTERFACES = ("Ethernet", "Loopback", "Management", "Port-Channel", "Tunnel", "Vlan", "Vxlan")
_PHYSICAL = ("Ethernet", "Management")


class Config:
    """Lines in their order of entry, each with what is below it."""

    def __init__(self) -> None:
        self.blocks: dict[str, Config] = {}

    @classmethod
    def parse(cls, text: str) -> "Config":
        """Read indented lines, without texts of several lines; `!` is a comment."""
        config = cls()
        path: list[str] = []
        for line in text.splitlines():
            if line.strip().startswith("!") or not line.strip():
                continue
            depth = (len(line) - len(line.lstrip())) // len(_INDENT)
            path = [*path[:depth], line.strip()]
            config.at(path)
        return config

    def copy(self) -> "Config":
        config = Config()
        config.blocks = {line: below.copy() for line, below in self.blocks.items()}
        return config

    def at(self, path: Sequence[str]) -> "Config":
        """The block below these lines, which are made if need be."""
        block = self
        for line in path:
            block = block.blocks.setdefault(line, Config())
        return block

    def enter(self, line: str, replaces: str | None = None) -> None:
        """Enter `line` in place of one that starts with the words `replaces`; it is no longer denied."""
        if line in self.blocks:
            return
        for denial in (f"no {line}", f"no {replaces}"):
            self.blocks.pop(denial, None)
        if replaces is not None:
            self.remove(replaces)
        self.blocks[line] = Config()

    def remove(self, words: str) -> None:
        """Take away every line that starts with these words."""
        for line in [line for line in self.blocks if starts_with(line, words)]:
            del self.blocks[line]

    def value(self, words: str, default: str = "") -> str:
        """What follows these words on the first line that starts with them."""
        return next((line[len(words) :].strip() for line in self.blocks if starts_with(line, words)), default)

    def interfaces(self) -> list[str]:
        return sorted((top.partition(" ")[2] for top in self.blocks if top.startswith("interface ")), key=natural)

    def interface(self, name: str) -> "Config":
        """The block of an interface, empty if there is none."""
        return self.blocks.get(f"interface {name}") or Config()

    def lines(self) -> list[str]:
        """As `show running-config` shows it, with a `!` between groups."""
        shown: list[str] = []
        previous = ""
        for top in sorted(self.blocks, key=_rank):
            keyword = top.partition(" ")[0]
            if keyword != previous or self.blocks[top].blocks or keyword in _ALONE:
                shown.append("!")
            shown += [*top.split("\n"), *self.blocks[top]._indented(_INDENT)]
            previous = keyword
        return [*shown, "!", "end"]

    def _indented(self, indent: str) -> list[str]:
        shown: list[str] = []
        for line in sorted(self.blocks, key=lambda line: (bool(self.blocks[line].blocks), _rank_within(line))):
            below = self.blocks[line]._indented(indent + _INDENT)
            shown += [f"{indent}!"] * bool(below) + [indent + line, *below]
        return shown


def diff(running: Config, other: Config, name: str) -> str:
    """What the configuration session `name` would change, as `show session-config diffs` shows it."""
    lines = difflib.unified_diff(
        running.lines(), other.lines(), "system:/running-config", f"session:/{name}-session-config", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def starts_with(line: str, words: str) -> bool:
    """Whether `line` begins with these whole words."""
    return line == words or line.startswith((words + " ", words + "\n"))


def interface_name(text: str) -> str | None:
    """Spell out `et1`, `Lo 0`, …; None if it is no interface's name."""
    match = re.fullmatch(r"([A-Za-z-]+) ?(\d+(?:[/.]\d+)*)", text.strip())
    if match is None:
        return None
    found = [name for name in _INTERFACES if name.lower().startswith(match[1].lower())]
    return f"{found[0]}{match[2]}" if found else None


def short_name(interface: str) -> str:
    """`Et1` for `Ethernet1`, as tables and prompts show it."""
    return interface[:2] + interface.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")


def is_physical(interface: str) -> bool:
    """Whether an interface is there, configured or not."""
    return interface.startswith(_PHYSICAL) and "." not in interface


def natural(text: str) -> list[str | int]:
    """Sort key by which Ethernet10 comes after Ethernet9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def _rank(top: str) -> tuple[int, list[str | int]]:
    keyword = top.partition(" ")[0]
    if keyword in _LAST:
        return len(_ORDER) + 1 + _LAST.index(keyword), natural(top)
    rank = _ORDER.index(keyword) if keyword in _ORDER else len(_ORDER)
    return rank, natural(top) if keyword in ("interface", "vlan") else []


def _rank_within(line: str) -> int:
    keyword = line.partition(" ")[0]
    return _WITHIN.index(keyword) if keyword in _WITHIN else len(_WITHIN)
