"""The kernel's own allow-list of system calls (Linux): what a Python that only computes needs, and nothing else.

Everything else fails with EPERM, so that evaluated code sees a PermissionError: no file, socket, process or signal.
A filter cannot be lifted again, by whatever code. Sources: seccomp(2), linux/seccomp.h, the kernel's syscall tables.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import resource
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
_MODE_FILTER = 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_LOAD, _IF_EQUAL, _IF_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_PROT_EXEC, _MAP_ANONYMOUS = 4, 0x20

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor's numbers of the system calls that are allowed."""

    architecture: int
    plain: tuple[int, ...]
    """Allowed with any argument: close, munmap, mremap, madvise, brk, futex, the clocks, getrandom, getpid, gettid,
    getrusage, sched_yield, restart_syscall, exit, exit_group, and what handles the process's own signals."""
    read: int
    pread64: int
    write: int
    mmap: int
    mprotect: int
    prlimit64: int


MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        (3, 11, 25, 28, 12, 202, 228, 229, 96, 201, 318, 39, 186, 98, 24, 219, 60, 231, 13, 14, 15, 131),
        read=0,
        pread64=17,
        write=1,
        mmap=9,
        mprotect=10,
        prlimit64=302,
    ),
    "aarch64": Machine(
        0xC00000B7,
        (57, 215, 216, 233, 214, 98, 113, 114, 169, 278, 172, 178, 165, 124, 128, 93, 94, 134, 135, 139, 132),
        read=63,
        pread64=67,
        write=64,
        mmap=222,
        mprotect=226,
        prlimit64=261,
    ),
}


@dataclass(frozen=True, slots=True)
class _Check:
    argument: int
    what: Literal["equal", "bits set", "bits clear"]
    value: int


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


def prctl(option: int, argument: int, pointer: object = 0) -> None:
    """prctl(2). Raises OSError; AttributeError where the C library has none."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(argument), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), "prctl")


def install(readable: Collection[int], writable: Collection[int]) -> bool:
    """Refuse this process everything else from now on; False where this system has no such thing.

    `readable`, `writable`: the descriptors that stay usable. no_new_privs must be set.
    """
    machine = MACHINES.get(platform.machine())
    if not sys.platform.startswith("linux") or machine is None or sys.maxsize < 2**32:
        return False
    code = [_Filter(*instruction) for instruction in instructions(machine, readable, writable)]
    program = _Program(len(code), (_Filter * len(code))(*code))
    try:
        prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))
    except OSError:
        return False
    return True


def instructions(machine: Machine, readable: Collection[int], writable: Collection[int]) -> Iterator[Instruction]:
    """The filter, in the kernel's own little language (classic BPF)."""
    yield (_LOAD, 0, 0, _ARCHITECTURE_AT)
    yield (_IF_EQUAL, 1, 0, machine.architecture)
    yield (_RETURN, 0, 0, _KILL)
    for number in machine.plain:
        yield from _allow(number)
    for descriptor in readable:
        yield from _allow(machine.read, _Check(0, "equal", descriptor))
        yield from _allow(machine.pread64, _Check(0, "equal", descriptor))
    for descriptor in writable:
        yield from _allow(machine.write, _Check(0, "equal", descriptor))
    memory_only = _Check(3, "bits set", _MAP_ANONYMOUS)
    yield from _allow(machine.mmap, _Check(2, "bits clear", _PROT_EXEC), memory_only)
    yield from _allow(machine.mprotect, _Check(2, "bits clear", _PROT_EXEC))
    # The processor time of the next task; the hard limits are in force by then.
    yield from _allow(machine.prlimit64, _Check(0, "equal", 0), _Check(1, "equal", resource.RLIMIT_CPU))
    yield (_RETURN, 0, 0, _REFUSE)


def _allow(number: int, *checks: _Check) -> Iterator[Instruction]:
    """Return from the filter if the call is `number` and all `checks` hold; else fall through to what follows."""
    after = 2 * len(checks) + 1
    yield (_LOAD, 0, 0, _NUMBER_AT)
    yield (_IF_EQUAL, 0, after, number)
    for check in checks:
        after -= 2
        # Little-endian: the lower half of the argument, which is all that the kernel looks at for these.
        yield (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * check.argument)
        code = _IF_EQUAL if check.what == "equal" else _IF_BITS
        yield (code, after, 0, check.value) if check.what == "bits clear" else (code, 0, after, check.value)
    yield (_RETURN, 0, 0, _ALLOW)
