"""The line that a command becomes: what the server's shell is given, so that the command ends when its client does."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote

from drivers.paramiko.arguments import Running

_WATCHED = (
    "trap : TERM; exec 3<&0; "
    '(while read -r x; do :; done; trap "" TERM; kill -TERM 0; '
    "for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $$ || break; sleep 0.2; done; kill -KILL 0) <&3 >/dev/null 2>&1 & w=$!; "
    'exec 3<&-; SHLVL=1 "${SHELL:-/bin/sh}" -c "$1" </dev/null; r=$?; exec 2>/dev/null; kill $w; exit $r'
)
"""Runs "$1" with the user's shell, and next to it a watch that ends the process group once standard input ends: when
the client gives up, and when the connection breaks. The server by itself would let the command run on. The watch also
swallows a password that sudo did not ask for. SHLVL: bash has read its .bashrc once by then. The trap: the outer shell
lasts as long as the command. A command killed by a signal shows as 128 plus its number."""

_ON_TERMINAL = 'SHLVL=1 "${SHELL:-/bin/sh}" -c "$1"; exit $?'
"""There the kernel ends the process group by SIGHUP."""


@dataclass(frozen=True)
class Question:
    """What sudo says to ask for the password, and the answer, if there is one."""

    marker: bytes
    answer: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Line:
    """What one channel is to run."""

    text: str = field(repr=False)
    pty: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    question: Question | None = None
    watched: bool = False
    """Its standard input stays open, since it is ended by the end of that."""


def command_line(command: str, args: Running, password: str | None) -> Line:
    """A client's command. `password` is for sudo, should it ask."""
    return _line(_ON_TERMINAL if args.get_pty else _WATCHED, (command,), args, password, pty=args.get_pty)


def script_line(script: str, parameters: tuple[str, ...], args: Running, password: str | None) -> Line:
    """A script of ours (POSIX sh) with its parameters, to the end even if the connection breaks."""
    return _line(script, parameters, args, password, pty=False)


def _line(script: str, parameters: tuple[str, ...], args: Running, password: str | None, *, pty: bool) -> Line:
    environment, watched = args.environment or {}, script is _WATCHED
    words = " ".join(quote(word) for word in ("sh", "-c", script, "netpulse", *parameters))
    if not args.sudo:
        return Line(f"exec {words}", pty, environment, None, watched)
    marker = f"netpulse-{secrets.token_hex(8)}:"
    keep = f"--preserve-env={','.join(environment)} " if environment else ""
    answer = None if password is None else password.encode() + b"\n"
    return Line(
        f"exec sudo -S -p {marker} {keep}-- {words}", pty, environment, Question(marker.encode(), answer), watched
    )
