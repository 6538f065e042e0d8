"""Commands that outlive the connection, and this service: what is known of each lies in a folder on the host.

`~/.netpulse/tasks/<id>/` holds `cmd`, `pid` (the process, its start time and the boot's identity: together they
name one process for ever), `log` (both streams) and, at the end, `rc`. The task leads a session and process group of
its own.
"""

from __future__ import annotations

import secrets
from uuid import UUID

from drivers.base import TaskState
from drivers.errors import CommandRejected, DriverError
from drivers.paramiko.arguments import Running
from drivers.paramiko.execution import Ended, Remote
from drivers.paramiko.shell import script_line

_MOST_LOG = 16_000_000
"""Bytes of log in one look."""

_STOP_S = 15.0

_COMMON = r"""
d="$HOME/.netpulse/tasks/$1"
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
started() { s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; s=${s##*) }; set -- $s; [ "$1" != Z ] && echo "${20}"; }
runs() { read -r pid start booted 2>/dev/null <"$d/pid" || return 1
  [ "$booted" = "$boot" ] && [ "$(started "$pid")" = "$start" ]; }
"""

_START = (
    _COMMON
    + r"""
umask 077
command -v setsid >/dev/null || exit 71
mkdir -p "$HOME/.netpulse/tasks" || exit 72
mkdir "$d" 2>/dev/null || { [ -d "$d" ]; exit; }
printf '%s\n' "$2" >"$d/cmd"
setsid sh -c 'trap : TERM; "${SHELL:-/bin/sh}" -c "$2"; echo $? >"$1/rc.new"; mv "$1/rc.new" "$1/rc"' \
  netpulse "$d" "$2" >"$d/log" 2>&1 </dev/null &
s=$(cat "/proc/$!/stat"); s=${s##*) }; pid=$!; set -- $s
echo "$pid ${20} $boot" >"$d/pid.new" && mv "$d/pid.new" "$d/pid"
"""
)

_LOOK = (
    _COMMON
    + r"""
state=lost; rc=-
if runs; then state=running; fi
if [ -e "$d/rc" ]; then state=exited; rc=$(cat "$d/rc"); fi
size=$(($(wc -c <"$d/log" 2>/dev/null || echo 0)))
echo "$2 $state $rc $size"
[ "$4" -gt 0 ] && [ "$size" -gt "$3" ] && tail -c "+$(($3 + 1))" "$d/log" | head -c "$4"
exit 0
"""
)

_STOP = (
    _COMMON
    + r"""
members() { for f in /proc/[0-9]*/stat; do
    read -r s 2>/dev/null <"$f" || continue
    s=${s##*) }; set -- $s
    if [ "$4" = "$pid" ] && [ "$1" != Z ]; then f=${f#/proc/}; echo "${f%/stat}"; fi
  done; }
runs || exit 0
kill -TERM $(members) 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
  left=$(members); [ -n "$left" ] || break
  sleep 0.2
done
[ -z "$left" ] || kill -KILL $left 2>/dev/null
[ -e "$d/rc" ] || { echo 137 >"$d/rc.new" && mv "$d/rc.new" "$d/rc"; }
"""
)
"""All of the session that the task leads; a process that is dead but not collected yet does not count."""

_FORGET = _COMMON + r'runs && exit 73; rm -rf -- "$d"'

_WHY = {
    71: "the host has no setsid, without which a task cannot be detached",
    72: "the host does not let this login make a folder for its tasks",
    73: "the task still runs: stop it first",
}


class Tasks:
    """The detached tasks of one login on one host. `password` is for sudo. Raises CommandRejected."""

    def __init__(self, remote: Remote, args: Running, password: str | None) -> None:
        self._remote = remote
        self._args = args
        self._password = password

    def start(self, task_id: str, command: str) -> None:
        """Start it, unless it was started before: the folder is made once."""
        self._run(_START, task_id, command)

    def look(self, task_id: str, offset: int, size: int) -> TaskState:
        """Its state, and at most `size` bytes of log from `offset` on; the state is the older of the two."""
        mark = secrets.token_hex(8)  # a login shell may have words of its own
        bounds = str(max(0, offset)), str(max(0, min(size, _MOST_LOG)))
        said = self._run(_LOOK, task_id, mark, *bounds).stdout.partition(f"{mark} ".encode())[2]
        head, _, log = said.partition(b"\n")
        return _state(head.decode(errors="replace").split(), log)

    def stop(self, task_id: str) -> TaskState:
        """End its session: SIGTERM, after 5 s SIGKILL. Nothing if it does not run."""
        self._run(_STOP, task_id)
        return self.look(task_id, 0, 0)

    def forget(self, task_id: str) -> None:
        """Remove its folder. Raises CommandRejected while it runs."""
        self._run(_FORGET, task_id)

    def _run(self, script: str, task_id: str, *parameters: str) -> Ended:
        line = script_line(script, (str(UUID(task_id)), *parameters), self._args, self._password)
        ended = self._remote.run(line, max(_STOP_S, self._args.timeout))
        if ended.exit_status != 0:
            why = _WHY.get(ended.exit_status or 0, "the host refused a step of the task's management")
            raise CommandRejected(why)
        return ended


def _state(words: list[str], log: bytes) -> TaskState:
    match words:
        case ["running", "-", size] if size.isdecimal():
            return TaskState("running", None, log, int(size))
        case ["exited", status, size] if size.isdecimal():
            return TaskState("exited", int(status) if status.isdecimal() else None, log, int(size))
        case ["lost", "-", size] if size.isdecimal():
            return TaskState("lost", None, log, int(size))
    raise DriverError("the host's answer about the task makes no sense")
