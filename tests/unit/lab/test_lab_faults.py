"""When faults strike."""

import dataclasses

import pytest

from drivers.lab.faults import KINDS, Drop, Fault, Faults, OneByte, PromptChange, RefuseLogin, Slow, Stall


def struck(faults: Faults, *lines: str) -> list[bool]:
    return [bool(faults.strike_line(line)) for line in lines]


def test_only_matching_lines_after_the_skipped_ones_and_no_more_than_count() -> None:
    faults = Faults()
    faults.replace([Stall(command="show", skip=1, count=2)])
    assert struck(faults, "show a", "conf t", "show b", "show c", "show d") == [False, False, True, True, False]


def test_empty_lines_are_left_alone() -> None:
    faults = Faults()
    faults.replace([Slow(delay_ms=1), OneByte()])
    assert faults.strike_line("").first(Slow) is None
    assert faults.strike_line("").first(OneByte) is not None


def test_a_fault_of_the_login_does_not_touch_lines() -> None:
    faults = Faults()
    faults.replace([Drop(at="login", count=1), RefuseLogin()])
    assert not faults.strike_line("show a")
    assert faults.strike(Drop, "connect") is None
    assert faults.strike(Drop, "login") is not None
    assert faults.strike(Drop, "login") is None
    assert faults.strike(RefuseLogin) is not None


def test_replacing_frees_whoever_is_held() -> None:
    faults = Faults()
    faults.replace([Stall()])
    held = faults.strike_line("show a").breaker()
    faults.replace([])
    assert held is not None
    assert held.cleared.is_set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_fault_survives_the_control_channel(kind: str) -> None:
    options: dict[str, dict[str, object]] = {"slow": {"delay_ms": 5}, "prompt_change": {"prompt": "X#"}}
    fault = Fault.from_json({"kind": kind, "command": "show", "count": 1, **options.get(kind, {})})
    assert Fault.from_json(fault.to_json()) == fault
    assert dataclasses.asdict(fault).items() <= fault.to_json().items()


@pytest.mark.parametrize("fields", [{"kind": "bogus"}, {}, {"kind": "slow"}, {"kind": "stall", "bogus": 1}])
def test_an_unknown_fault_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Fault.from_json(fields)


def test_prompt_change_is_about_lines() -> None:
    faults = Faults()
    faults.replace([PromptChange(prompt="X#")])
    change = faults.strike_line("show a").first(PromptChange)
    assert change is not None
    assert change.prompt == "X#"
