"""A configuration: top-level lines, some with lines of their own below them."""

import re
from collections.abc import Iterator

# Where IOS shows what; the rest comes between the interfaces and the lines, in the order of entry.
_ORDER = ("version", "service", "hostname", "boot", "enable", "aaa", "clock", "vrf", "username", "vlan", "interface")
_LAST = ("banner", "line", "ntp")

_INTERFACES = (
    "Async", "BVI", "Bundle-Ether", "Dialer", "Ethernet", "FastEthernet", "FortyGigabitEthernet", "GigabitEthernet",
    "HundredGigE", "Loopback", "Port-channel", "Serial", "TenGigabitEthernet", "Tunnel", "TwentyFiveGigE", "Vlan",
    "mgmt",
)  # fmt: skip
_VIRTUAL = ("BVI", "Dialer", "Loopback", "Port-channel", "Tunnel", "Vlan")


class Config:
    """Top-level lines in their order of entry, each with the lines below it."""

    def __init__(self, blocks: dict[str, list[str]] | None = None) -> None:
        self.blocks = blocks or {}

    @classmethod
    def parse(cls, text: str) -> "Config":
        """Read what `lines` writes, up to an `end`. Indented lines belong to the line above; `!` is a comment."""
        config = cls()
        below: list[str] = []
        for line in _whole(text):
            if line == "end":
                break
            if line.startswith(" "):
                below.append(line.strip())
            elif line and not line.startswith("!"):
                below = config.blocks.setdefault(line, [])
        return config

    def copy(self) -> "Config":
        return Config({top: list(below) for top, below in self.blocks.items()})

    def lines(self) -> list[str]:
        """As `show running-config` shows it, with a `!` between groups."""
        shown: list[str] = []
        previous = ""
        for top in sorted(self.blocks, key=_rank):
            keyword = top.partition(" ")[0]
            if keyword != previous or self.blocks[top]:
                shown.append("!")
            shown += [*top.split("\n"), *(f" {line}" for line in self.blocks[top])]
            previous = keyword
        return [*shown, "!"]

    def section(self, top: str | None) -> list[str]:
        """The lines below `top`, which is made if need be."""
        return self.blocks.setdefault(top or "", [])

    def enter(self, top: str | None, line: str, replaces: str | None) -> None:
        """Enter `line`, at the top or below `top`; it takes the place of one that starts with the words `replaces`."""
        entries = list(self.blocks) if top is None else self.section(top)
        old = next((entry for entry in entries if replaces is not None and starts_with(entry, replaces)), None)
        if line in entries:
            return
        self._affirm(top, {f"no {line}", f"no {replaces}"})
        if top is None:
            if old is not None:
                del self.blocks[old]
            self.blocks[line] = []
        elif old is not None:
            entries[entries.index(old)] = line
        else:
            entries.append(line)

    def _affirm(self, top: str | None, denials: set[str]) -> None:
        """What is entered now is no longer denied."""
        for denial in denials:
            if top is None:
                self.blocks.pop(denial, None)
            elif denial in self.blocks[top]:
                self.blocks[top].remove(denial)

    def remove(self, top: str | None, words: str) -> bool:
        """Take away every line that starts with these words. Says whether there was one."""
        entries = list(self.blocks) if top is None else self.section(top)
        found = [entry for entry in entries if starts_with(entry, words)]
        for entry in found:
            if top is None:
                del self.blocks[entry]
            else:
                entries.remove(entry)
        return bool(found)

    def value(self, words: str, default: str = "", top: str | None = None) -> str:
        """What follows these words on the first line that starts with them."""
        entries = self.blocks if top is None else self.blocks.get(top, [])
        return next((e[len(words) :].strip() for e in entries if starts_with(e, words)), default)

    def interfaces(self) -> list[str]:
        return sorted((top.partition(" ")[2] for top in self.blocks if top.startswith("interface ")), key=_natural)


def _whole(text: str) -> Iterator[str]:
    """Lines, a banner with all of its own as one."""
    lines = iter(text.replace("\x03", "^C").splitlines())
    for line in lines:
        while line.startswith("banner ") and line.count("^C") == 1 and (more := next(lines, None)) is not None:
            line += "\n" + more
        yield line.rstrip()


def starts_with(line: str, words: str) -> bool:
    """Whether `line` begins with these whole words."""
    return line == words or line.startswith((words + " ", words + "\n"))


def interface_name(text: str) -> str | None:
    """Spell out `gi0/1`, `Lo 0`, …; None if it is no interface's name."""
    match = re.fullmatch(r"([A-Za-z-]+) ?(\d+(?:[/.]\d+)*)", text.strip())
    if match is None:
        return None
    found = [name for name in _INTERFACES if name.lower().startswith(match[1].lower())]
    return f"{found[0]}{match[2]}" if found else None


def is_virtual(interface: str) -> bool:
    """Whether an interface comes into being by naming it, and goes by `no interface`."""
    return interface.startswith(_VIRTUAL) or "." in interface


def _rank(top: str) -> tuple[int, list[str | int]]:
    keyword = top.partition(" ")[0]
    if keyword in _LAST:
        return len(_ORDER) + 1 + _LAST.index(keyword), []
    rank = _ORDER.index(keyword) if keyword in _ORDER else len(_ORDER)
    return rank, _natural(top) if keyword in ("interface", "vlan") else []


def _natural(text: str) -> list[str | int]:
    """Sort key by which 0/10 comes after 0/9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]
