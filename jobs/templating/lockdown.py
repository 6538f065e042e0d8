"""Taking every right away from this process, for good: after it has loaded what it needs, before the first task."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import signal
import socket
import sys

from jobs.templating import seccomp
from jobs.templating.limits import Limits

_NOBODY = 65534
_MOST_FILES = 16


def enter(limits: Limits, parent: int, line: int, gauge: int | None = None) -> bool:
    """Give up all rights except computing, talking through the descriptor `line`, and reading `gauge`.

    True where the kernel sees to it.

    Elsewhere (another system, an old kernel) only the limits hold: files can be read and sockets opened.
    """
    _silence()
    os.umask(0o077)
    _become_nobody()
    _limit(limits)
    if not sys.platform.startswith("linux"):
        return False
    _die_with(parent)
    with contextlib.suppress(OSError):
        seccomp.prctl(seccomp.PR_SET_NO_NEW_PRIVS, 1)
    return seccomp.install([line, *([] if gauge is None else [gauge])], [line, 1, 2]) and _holds()


def allow_cpu(seconds: int) -> None:
    """Let the next task use so many processor seconds; then the kernel ends this process (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def open_gauge() -> int | None:
    """What `used_bytes` reads; None where the system has no such thing."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def used_bytes(gauge: int | None) -> int:
    """The address space that this process takes, as RLIMIT_AS counts it.

    Not `ru_maxrss`: on Linux that begins with what the parent had when it started this process.
    """
    if gauge is None:
        return 0
    return int(os.pread(gauge, 64, 0).split()[0]) * resource.getpagesize()


def _silence() -> None:
    """What evaluated code prints goes nowhere, and can neither fill a log nor reach the parent as an answer."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _become_nobody() -> None:
    if os.getuid() != 0:
        return
    try:
        nobody = pwd.getpwnam("nobody")
        user, group = nobody.pw_uid, nobody.pw_gid
    except KeyError:
        user = group = _NOBODY
    with contextlib.suppress(OSError):  # a container's root may have to stay what it is; the filter holds it too
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)


def _limit(limits: Limits) -> None:
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # macOS takes no RLIMIT_AS below what is mapped
            resource.setrlimit(what, (most, most))


def _die_with(parent: int) -> None:
    """Not to compute on for a parent that is gone. After `setuid`, which clears it."""
    seccomp.prctl(seccomp.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _holds() -> bool:
    """Whether the filter does what it is for: a promise is not a proof."""
    for forbidden in (lambda: os.open(os.devnull, os.O_RDONLY), socket.socket):
        try:
            forbidden()
        except OSError:
            continue
        return False
    return True
