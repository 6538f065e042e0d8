"""Commands as IOS reads them: any unambiguous abbreviation, and an error that points at the wrong place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

A = TypeVar("A")


class CliError(Exception):
    """A line that IOS would not take: what it says of it, and the column that it points at, if it does."""

    def __init__(self, said: str, column: int | None = None) -> None:
        super().__init__(said)
        self.said, self.column = said, column

    def text(self, indent: int) -> str:
        """What IOS shows; `indent` is the width of the prompt before the line."""
        caret = "" if self.column is None else " " * (indent + self.column) + "^\n"
        return caret + self.said


class Invalid(CliError):
    """At `column`, the line ceases to be a command."""

    def __init__(self, column: int) -> None:
        super().__init__("% Invalid input detected at '^' marker.\n\n", column)


class Incomplete(CliError):
    """More words are needed. `words` are those so far, spelled out."""

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        super().__init__("% Incomplete command.\n\n")
        self.words = words


class Ambiguous(CliError):
    """Several commands begin like this."""

    def __init__(self, line: str) -> None:
        super().__init__(f'% Ambiguous command:  "{line}"\n')


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line, and its column."""

    text: str
    column: int


def words_of(line: str, start: int = 0) -> list[Word]:
    """Split at blanks from column `start` on."""
    words, column = [], start
    for part in line[start:].split(" "):
        if part:
            words.append(Word(part, column))
        column += len(part) + 1
    return words


@dataclass(frozen=True, slots=True)
class Parsed(Generic[A]):
    """A line understood: its action, its words with the keywords spelled out, its arguments."""

    action: A
    words: tuple[str, ...]
    args: tuple[str, ...]

    @property
    def keywords(self) -> int:
        """How many of the words are keywords: of two readings, the one with more is the closer."""
        return len(self.words) - len(self.args)


@dataclass(slots=True)
class _Node(Generic[A]):
    keywords: "dict[str, _Node[A]]" = field(default_factory=dict)
    argument: "_Node[A] | None" = None
    rest: A | None = None  # the action when everything that follows is one argument
    action: A | None = None


class Grammar(Generic[A]):
    """A tree of commands.

    Each is a pattern of keywords, `<word>` (one argument) and, at its end, `<line>` (the rest, at least one word).
    """

    def __init__(self, commands: Mapping[str, A]) -> None:
        self._root: _Node[A] = _Node()
        for pattern, action in commands.items():
            self._add(pattern.split(), action)

    def _add(self, words: list[str], action: A) -> None:
        node = self._root
        for word in words:
            if word == "<line>":
                node.rest = action
                return
            if word == "<word>":
                node.argument = node = node.argument or _Node()
            else:
                node = node.keywords.setdefault(word, _Node())
        node.action = action

    def parse(self, line: str, start: int = 0) -> Parsed[A]:
        """Understand `line` from column `start`. Raises CliError."""
        node, spelled, args = self._root, list[str](), list[str]()
        for word in words_of(line, start):
            if name := _keyword(node, word, line):
                node = node.keywords[name]
                spelled.append(name)
            elif node.argument is not None:
                node = node.argument
                spelled.append(word.text)
                args.append(word.text)
            elif node.rest is not None:
                rest = line[word.column :].rstrip()
                return Parsed(node.rest, (*spelled, rest), (*args, rest))
            else:
                raise Invalid(word.column + _agreeing(word.text, node.keywords))
        if node.action is None:
            raise Incomplete(tuple(spelled))
        return Parsed(node.action, tuple(spelled), tuple(args))

    def next_words(self, line: str) -> Iterator[str]:
        """What may come after (or complete) the last word of `line`, for `?`."""
        *before, last = [*words_of(line)] if line and not line.endswith(" ") else [*words_of(line), Word("", len(line))]
        node = self._root
        for word in before:
            name = _keyword(node, word, line)
            following = node.keywords[name] if name else node.argument
            if following is None:
                return
            node = following
        yield from (name for name in sorted(node.keywords) if name.startswith(last.text.lower()))
        if not last.text:
            yield from ["WORD"] * (node.argument is not None)
            yield from ["LINE"] * (node.rest is not None)
            yield from ["<cr>"] * (node.action is not None)


def _keyword(node: _Node[A], word: Word, line: str) -> str | None:
    """The keyword that `word` stands for here, or None. Raises Ambiguous."""
    text = word.text.lower()
    if text in node.keywords:
        return text
    found = [name for name in node.keywords if name.startswith(text)]
    if len(found) > 1 and node.argument is None and node.rest is None:
        raise Ambiguous(line)
    return found[0] if len(found) == 1 else None


def _agreeing(text: str, keywords: Mapping[str, object]) -> int:
    """How many characters of `text` still lead to a keyword: IOS points at the first that does not."""
    return max((_common(text.lower(), name) for name in keywords), default=0)


def _common(one: str, other: str) -> int:
    """How many characters they have in common at the start."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
