"""A JunOS configuration as a set of statements."""

import pytest

from drivers.lab.junos.statements import Statements, words

TEXT = """\
set system host-name R1
set system services ssh
set interfaces ge-0/0/0 description "to the core"
set interfaces ge-0/0/0 unit 0 family inet address 192.0.2.1/24
"""


def statements() -> Statements:
    return Statements.parse(TEXT)


def test_what_is_shown_as_set_lines_can_be_read_again() -> None:
    assert Statements.parse("\n".join(statements().set_lines())) == statements()


def test_quoted_words_stay_together() -> None:
    assert words('set a description "two  words" end') == ("set", "a", "description", '"two  words"', "end")


def test_a_single_value_is_replaced_and_a_list_grows() -> None:
    changed = statements()
    changed.set(words("system host-name R2"))
    changed.set(words("interfaces ge-0/0/0 unit 0 family inet address 192.0.2.2/24"))
    assert changed.value("system", "host-name") == "R2"
    assert "set system host-name R1" not in changed.set_lines()
    assert changed.names("interfaces", "ge-0/0/0", "unit", "0", "family", "inet", "address") == [
        "192.0.2.1/24",
        "192.0.2.2/24",
    ]


def test_deleting_takes_all_that_is_below() -> None:
    changed = statements()
    assert changed.delete(words("interfaces ge-0/0/0"))
    assert changed.names("interfaces") == []
    assert not changed.delete(words("interfaces ge-0/0/0"))


def test_a_container_that_is_set_empty_gives_way_to_what_is_in_it() -> None:
    changed = Statements()
    changed.set(words("interfaces ge-0/0/1"))
    changed.set(words("interfaces ge-0/0/1 mtu 9000"))
    changed.set(words("interfaces ge-0/0/1"))
    assert changed.set_lines() == ["set interfaces ge-0/0/1 mtu 9000"]


def test_braces() -> None:
    assert statements().text(("interfaces",)) == (
        'ge-0/0/0 {\n    description "to the core";\n    unit 0 {\n        family inet {\n'
        "            address 192.0.2.1/24;\n        }\n    }\n}\n"
    )


def test_a_comparison_names_the_place_of_each_change() -> None:
    changed = statements()
    changed.set(words("system host-name R2"))
    changed.delete(words("interfaces ge-0/0/0 unit 0"))
    assert changed.compare(statements()) == (
        "[edit interfaces ge-0/0/0]\n-  unit 0 {\n-      family inet {\n-          address 192.0.2.1/24;\n"
        "-      }\n-  }\n[edit system]\n-  host-name R1;\n+  host-name R2;\n"
    )
    assert statements().compare(statements()) == ""


@pytest.mark.parametrize("line", ["interfaces ge-0/0/1 mtu 9000", "snmp location here"])
def test_a_copy_is_its_own(line: str) -> None:
    original = statements()
    original.copy().set(words(line))
    assert original == statements()
