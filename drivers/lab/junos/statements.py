"""A JunOS configuration: a set of statements, each a path of words, shown as `set` lines, in braces, or compared."""

from collections.abc import Iterable, Iterator

Path = tuple[str, ...]
Tree = dict[str, "Tree"]

# Statements of one value: a second `set` replaces it.
_SINGLE = (
    "autonomous-system contact description domain-name encrypted-password host-name location mtu router-id speed "
    "time-zone version vlan-id"
)
SINGLE = frozenset(_SINGLE.split())
# Keywords that are shown on one line with the name or the value after them.
_NAMING = (
    "address area class family filter group interface name-server neighbor next-hop policy-statement route server "
    "term unit user vlan"
)
_NAMED = SINGLE | frozenset(_NAMING.split())
_TOPS = (
    "access applications apply-groups chassis class-of-service event-options firewall forwarding-options groups "
    "interfaces policy-options protocols routing-instances routing-options security snmp switch-options system "
    "vlans"
)
TOPS = frozenset(_TOPS.split())


class Statements:
    """Statements in their order of entry."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.paths = dict.fromkeys(paths)

    @classmethod
    def parse(cls, text: str) -> "Statements":
        """Read `set` lines."""
        return cls(words(line)[1:] for line in text.splitlines() if line.startswith("set "))

    def copy(self) -> "Statements":
        return Statements(self.paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Statements) and self.paths.keys() == other.paths.keys()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def set(self, path: Path) -> None:
        if len(path) > 1 and path[-2] in SINGLE:
            self.delete(path[:-1])
        if not any(each[: len(path)] == path for each in self.paths):
            for shorter in range(1, len(path)):  # what was empty has something in it now
                self.paths.pop(path[:shorter], None)
            self.paths[path] = None

    def delete(self, path: Path) -> bool:
        """Take away what begins with `path`. Says whether there was anything."""
        gone = [each for each in self.paths if each[: len(path)] == path]
        for each in gone:
            del self.paths[each]
        return bool(gone)

    def value(self, *path: str) -> str:
        return next((each[len(path)] for each in self.paths if each[:-1] == path), "")

    def names(self, *path: str) -> list[str]:
        """The words that follow `path`, each once."""
        return list(dict.fromkeys(p[len(path)] for p in self.paths if p[: len(path)] == path and len(p) > len(path)))

    def set_lines(self, below: Path = ()) -> list[str]:
        return [f"set {' '.join(path)}" for path in sorted(self.paths) if path[: len(below)] == below]

    def text(self, below: Path = ()) -> str:
        """In braces, from `below` down."""
        return "".join(f"{line}\n" for line in _braces(_at(self._tree(), below)))

    def compare(self, old: "Statements") -> str:
        """What `show | compare` says of the way here from `old`; empty if nothing has changed."""
        return "".join(f"{line}\n" for line in _compare(old._tree(), self._tree(), ()))

    def _tree(self) -> Tree:
        root: Tree = {}
        for path in sorted(self.paths):
            node = root
            for label in _labels(path):
                node = node.setdefault(label, {})
        return root


def words(line: str) -> Path:
    """Split at blanks, but not within double quotes, which stay."""
    found, open_quote = list[str](), False
    for part in line.split(" "):
        if open_quote:
            found[-1] += f" {part}"
        elif part:
            found.append(part)
        if part.count('"') % 2:
            open_quote = not open_quote
    return tuple(found)


def _labels(path: Path) -> Iterator[str]:
    """The words of a path, those together that are shown together."""
    at = 0
    while at < len(path):
        width = 2 if path[at] in _NAMED and at + 1 < len(path) else 1
        yield " ".join(path[at : at + width])
        at += width


def _at(tree: Tree, path: Path) -> Tree:
    for label in _labels(path):
        tree = tree.get(label, {})
    return tree


def _braces(tree: Tree, indent: str = "") -> Iterator[str]:
    for label, below in tree.items():
        if below:
            yield f"{indent}{label} {{"
            yield from _braces(below, indent + "    ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{label};"


def _compare(old: Tree, new: Tree, at: Path) -> Iterator[str]:
    gone = {label: old[label] for label in old if label not in new}
    come = {label: new[label] for label in new if label not in old}
    if gone or come:
        yield " ".join(("[edit", *at)) + "]"
        yield from (f"-  {line}" for line in _braces(gone))
        yield from (f"+  {line}" for line in _braces(come))
    for label in old:
        if label in new:
            yield from _compare(old[label], new[label], (*at, label))
