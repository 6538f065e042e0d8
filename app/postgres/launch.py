"""Become a program that stops when its supervisor does: `launch.py SUPERVISOR_PID UID GID PROGRAM [ARGUMENT…]`.

Run as a script in a fresh interpreter, not as `preexec_fn`: that may deadlock in a process with threads. Root starts it
because the interpreter may be where the server's account cannot go; it changes account here.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(supervisor: int, uid: int, gid: int, command: list[str]) -> None:
    """Never returns: ends in `command`, or with status 1 if the supervisor is already gone."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":  # after setuid, which clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    if os.getppid() != supervisor:  # it died before it could be watched
        os._exit(1)
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - our own programs, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
