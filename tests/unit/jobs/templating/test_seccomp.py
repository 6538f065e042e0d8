"""The filter, run by a small interpreter of the kernel's language: for machines that no test runs on, too."""

from __future__ import annotations

import resource

import pytest

from jobs.templating.seccomp import MACHINES, Instruction, Machine, instructions

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000
LINE = 3
ANONYMOUS, READ_WRITE, EXECUTE = 0x22, 3, 4


def verdict(code: list[Instruction], architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do with one call (linux/seccomp.h: struct seccomp_data)."""
    words = {0: number, 4: architecture} | {16 + 8 * at: value for at, value in enumerate(arguments)}
    at = loaded = 0
    while True:
        operation, if_true, if_false, constant = code[at]
        if operation == 0x06:
            return constant
        if operation == 0x20:
            loaded, jump = words.get(constant, 0), 0
        else:
            holds = loaded == constant if operation == 0x15 else bool(loaded & constant)
            jump = if_true if holds else if_false
        at += 1 + jump


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


def test_what_may_be_called_with_which_arguments(machine: Machine) -> None:
    code = list(instructions(machine, [LINE], [LINE, 1]))

    def call(number: int, *arguments: int) -> int:
        return verdict(code, machine.architecture, number, *arguments)

    assert [call(number) for number in machine.plain] == [ALLOW] * len(machine.plain)
    assert (call(machine.read, LINE), call(machine.read, 4)) == (ALLOW, REFUSE)
    assert (call(machine.pread64, LINE), call(machine.pread64, 4)) == (ALLOW, REFUSE)
    assert (call(machine.write, LINE), call(machine.write, 1), call(machine.write, 4)) == (ALLOW, ALLOW, REFUSE)
    assert call(machine.mmap, 0, 9, READ_WRITE, ANONYMOUS) == ALLOW
    assert call(machine.mmap, 0, 9, READ_WRITE | EXECUTE, ANONYMOUS) == REFUSE
    assert call(machine.mmap, 0, 9, READ_WRITE, 2, 5) == REFUSE  # a file's
    assert (call(machine.mprotect, 0, 9, READ_WRITE), call(machine.mprotect, 0, 9, EXECUTE)) == (ALLOW, REFUSE)
    assert call(machine.prlimit64, 0, resource.RLIMIT_CPU) == ALLOW
    assert call(machine.prlimit64, 0, resource.RLIMIT_AS) == REFUSE
    assert call(machine.prlimit64, 1, resource.RLIMIT_CPU) == REFUSE


def test_everything_else_is_refused_and_another_architecture_killed(machine: Machine) -> None:
    code = list(instructions(machine, [LINE], [LINE]))
    positioned = {machine.pread64, machine.prlimit64}
    known = {*machine.plain, *positioned, machine.read, machine.write, machine.mmap, machine.mprotect}

    assert {verdict(code, machine.architecture, number) for number in range(600) if number not in known} == {REFUSE}
    assert verdict(code, machine.architecture, 0x40000000 | machine.plain[0]) == REFUSE  # x32's numbers
    assert verdict(code, 0x40000003, machine.plain[0]) == KILL


def test_no_jump_is_longer_than_the_language_allows(machine: Machine) -> None:
    assert all(jump < 256 for _, *jumps, _ in instructions(machine, [LINE], [LINE, 1, 2]) for jump in jumps)
