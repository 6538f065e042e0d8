"""How IOS reads a line."""

import pytest

from drivers.lab.ios.grammar import Ambiguous, CliError, Grammar, Incomplete, Invalid

GRAMMAR = Grammar(
    {
        "show version": "version",
        "show interfaces": "interfaces",
        "show interfaces <line>": "interface",
        "show ip interface brief": "brief",
        "write memory": "save",
        "write erase": "erase",
        "hostname <word>": "hostname",
    }
)


@pytest.mark.parametrize(
    ("line", "action"),
    [("show version", "version"), ("sh ver", "version"), ("SH IP INT BR", "brief"), ("  wr   mem ", "save")],
)
def test_an_abbreviation_is_understood(line: str, action: str) -> None:
    assert GRAMMAR.parse(line).action == action


def test_keywords_are_spelled_out_and_arguments_are_kept() -> None:
    parsed = GRAMMAR.parse("sh int Gi0/1  x ")
    assert parsed.words == ("show", "interfaces", "Gi0/1  x")
    assert parsed.args == ("Gi0/1  x",)


def test_two_candidates_are_ambiguous() -> None:
    with pytest.raises(Ambiguous) as caught:
        GRAMMAR.parse("sh i")
    assert caught.value.text(3) == '% Ambiguous command:  "sh i"\n'


@pytest.mark.parametrize("line", ["show", "hostname", "show ip int"])
def test_too_few_words_are_incomplete(line: str) -> None:
    with pytest.raises(Incomplete):
        GRAMMAR.parse(line)


@pytest.mark.parametrize(
    ("line", "column"), [("bogus", 0), ("show bogus", 5), ("show vxrsion", 6), ("show version now", 13)]
)
def test_the_caret_is_where_the_line_ceases_to_be_a_command(line: str, column: int) -> None:
    with pytest.raises(Invalid) as caught:
        GRAMMAR.parse(line)
    assert caught.value.column == column
    assert caught.value.text(3).split("\n")[0] == " " * (3 + column) + "^"


def test_a_line_can_begin_further_on() -> None:
    with pytest.raises(CliError) as caught:
        GRAMMAR.parse("do show bogus", 3)
    assert caught.value.column == 8


@pytest.mark.parametrize(
    ("text", "words"),
    [("sh", ["show"]), ("write ", ["erase", "memory"]), ("show interfaces ", ["LINE", "<cr>"]), ("bogus ", [])],
)
def test_question_mark(text: str, words: list[str]) -> None:
    assert list(GRAMMAR.next_words(text)) == words
