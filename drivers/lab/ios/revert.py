"""A change that goes back unless it is confirmed: `revert timer`, `configure confirm`, `configure revert`."""

import time

from drivers.lab.countdown import Countdown
from drivers.lab.ios import archive
from drivers.lab.ios.router import Pending
from drivers.lab.ios.session import Args, Do, Session, Show
from drivers.lab.terminal import Output

MINUTES = range(1, 121)
_NO_ARCHIVE = "%Please turn config archive on before using this feature.\n\n"
_NONE = "%No Rollback Confirmed Change pending\n\n"
_TOLD = """Rollback Confirmed Change: Rollback will begin in {minutes} minute{s}.
Enter "configure confirm" if you wish to keep what you've configured

"""


def minutes_of(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) in MINUTES else None


def begin(session: Session, minutes: str, *, idle: bool = False) -> bool:
    """Remember the configuration as it is, and start the clock. Says whether it could, and tells the user."""
    router, write, count = session.router, session.terminal.write, minutes_of(minutes)
    if count is None:
        write("% Invalid timer value: 1 to 120 minutes\n\n")
    elif not archive.enabled(router):
        write(_NO_ARCHIVE)
    elif router.pending is not None:
        write("%Rollback Confirmed Change is already pending\n\n")
    else:
        name = archive.save(router)
        countdown = Countdown(count, router.minute_ms, router.revert)
        router.pending = Pending(session.user.name, idle, router.running.copy(), countdown, name)
        write(f"Rollback Confirmed Change: Backing up current running config to {name}\n\n")
        write(_TOLD.format(minutes=count, s="s" * (count != 1)))
        return True
    return False


def touch(session: Session) -> None:
    """The user has typed something: an idle timer begins again."""
    pending = session.router.pending
    if pending is not None and pending.idle and pending.user == session.user.name:
        pending.countdown.restart()


async def _confirm(session: Session, _: Args) -> None:
    if session.router.pending is None:
        session.terminal.write(_NONE)
    session.router.settle()


async def _now(session: Session, _: Args) -> None:
    pending = session.router.pending
    if pending is None:
        session.terminal.write(_NONE)
        return
    session.router.revert()
    session.terminal.write(f"Rollback Confirmed Change: rolling to: {pending.backup_name}\n\n")
    session.terminal.write("Total number of passes: 1\nRollback Done\n\n")


async def _timer(session: Session, args: Args) -> None:
    """Give the change another time."""
    router, minutes = session.router, minutes_of(args[-1])
    if router.pending is None:
        session.terminal.write(_NONE)
    elif minutes is None:
        session.terminal.write("% Invalid timer value: 1 to 120 minutes\n\n")
    else:
        router.pending.countdown.cancel()
        router.pending.countdown = Countdown(minutes, router.minute_ms, router.revert)


async def _configure(session: Session, args: Args) -> None:
    if begin(session, args[-1]):
        session.enter_configuration()


async def _configure_idle(session: Session, args: Args) -> None:
    if begin(session, args[-1], idle=True):
        session.enter_configuration()


def _rollback_timer(session: Session, _: Args) -> Output:
    pending = session.router.pending
    if pending is None:
        return "%No Rollback Confirmed Change pending\n"
    since = time.gmtime(pending.since)
    kind, minutes = "idle" if pending.idle else "absolute", pending.countdown.minutes
    return (
        f"Time configured(dd/mm/hh:mm:ss UTC): {time.strftime('%H:%M:%S UTC %a %b %d %Y', since)}\n"
        f"Timer type: {kind} timer\nTimer value: {minutes} min\nUser: {pending.user}\n"
    )


COMMANDS: dict[str, Show | Do] = {
    "configure confirm": Do(_confirm, 15),
    "configure revert now": Do(_now, 15),
    "configure revert timer <word>": Do(_timer, 15),
    "configure revert timer idle <word>": Do(_timer, 15),
    "configure terminal revert timer <word>": Do(_configure, 15),
    "configure terminal revert timer idle <word>": Do(_configure_idle, 15),
    "show archive config rollback timer": Show(_rollback_timer, 15),
}
