"""What counts as a refusal, and what does not."""

import pytest

from drivers.netmiko.refusal import Refusals

REFUSALS = [
    ("cisco_ios", "          ^\n% Invalid input detected at '^' marker.\n"),
    ("cisco_ios", "% Incomplete command.\n"),
    ("cisco_ios", '% Ambiguous command:  "sh"'),
    ("cisco_ios", "% Unknown command or computer name, or unable to find computer address"),
    ("cisco_ios", "% Authorization failed."),
    ("cisco_ios", "Command authorization failed."),
    ("cisco_ios", "% 10.0.0.0 overlaps with GigabitEthernet0/1"),
    ("cisco_ios_telnet", "% Invalid input detected at '^' marker."),
    ("cisco_nxos", "Syntax error while parsing 'foo'"),
    ("cisco_asa", "ERROR: % Invalid input detected at '^' marker."),
    ("arista_eos", "% Invalid input"),
    ("juniper_junos", "              ^\nunknown command."),
    ("juniper_junos", "     ^\nsyntax error, expecting <command>."),
    ("juniper_junos", "error: configuration database modified"),
    ("huawei", "Error: Unrecognized command found at '^' position."),
    ("hp_comware", " % Unrecognized command found at '^' position."),
    ("fortinet", "Unknown action 0\nCommand fail. Return code -1"),
    ("paloalto_panos", "Invalid syntax."),
    ("vyos", "  Invalid command: [foo]"),
    ("mikrotik_routeros", "bad command name foo (line 1 column 1)"),
]

ACCEPTED = [
    ("cisco_ios", ""),
    ("cisco_ios", "% Generating 2048 bit RSA keys, keys will be non-exportable..."),
    ("cisco_ios", "%LINK-3-UPDOWN: Interface Gi0/1, changed state to up"),
    ("cisco_ios", "description error: none"),
    ("cisco_ios", "  12 input errors, 0 CRC\n  % of Invalid packets"),
    ("juniper_junos", "lo0 error: 0"),
    ("linux", "bash: error: nothing\n% Invalid input"),
    ("generic", "% Invalid input"),
]


@pytest.mark.parametrize(("device_type", "output"), REFUSALS)
def test_refusals(device_type: str, output: str) -> None:
    assert Refusals(device_type).in_answer(output)
    assert Refusals(device_type).in_change(output)


@pytest.mark.parametrize(("device_type", "output"), ACCEPTED)
def test_not_refusals(device_type: str, output: str) -> None:
    assert not Refusals(device_type).in_answer(output)
    assert not Refusals(device_type).in_change(output)


def test_a_log_that_lists_refusals_is_an_answer() -> None:
    assert not Refusals("cisco_ios").in_answer("% Invalid input detected at '^' marker.\n" * 20)
    assert not Refusals("cisco_ios").in_answer("% Invalid input" + "x" * 3000)


def test_a_text_of_the_users_adds_to_the_built_in_ones() -> None:
    refusals = Refusals("cisco_ios", "not [supported]")
    assert refusals.in_change("this is not [supported] here")
    assert refusals.in_change("% Incomplete command.")
    assert not refusals.in_change("not s")
