"""`checkpoint`, `rollback` and what shows them."""

import time
from functools import partial

from drivers.lab.ios import diffs
from drivers.lab.ios.config import Config
from drivers.lab.ios.session import Args, Do, Session, Show
from drivers.lab.nxos.switch import MOST_CHECKPOINTS, Checkpoint, Switch
from drivers.lab.terminal import Output

_ROLLED = """\
Executing Rollback Patch
Generating Running-config for verification
Generating Patch for verification
Verification is Successful.

Rollback completed successfully.

"""


class _Missing(Exception):
    """There is no such configuration; the text is what NX-OS says."""


def _switch(session: Session) -> Switch:
    assert isinstance(session.router, Switch)
    return session.router


async def _make(session: Session, args: Args) -> None:
    switch = _switch(session)
    name = args[0] if args else _free_name(switch)
    if name in switch.checkpoints:
        session.terminal.write(f"ERROR: Checkpoint {name} already exists\n")
    elif len(switch.checkpoints) >= MOST_CHECKPOINTS:
        session.terminal.write(f"ERROR: The maximum of {MOST_CHECKPOINTS} checkpoints is reached\n")
    else:
        switch.checkpoints[name] = Checkpoint(switch.running.copy(), session.user.name)
        session.terminal.write(f"{name} created Successfully\nDone\n" if not args else "Done\n")


def _free_name(switch: Switch) -> str:
    names = (f"user-checkpoint-{number}" for number in range(1, MOST_CHECKPOINTS + 2))
    return next(name for name in names if name not in switch.checkpoints)


async def _forget(session: Session, args: Args) -> None:
    if _switch(session).checkpoints.pop(args[0], None) is None:
        session.terminal.write(f"ERROR: Checkpoint {args[0]} does not exist\n")
    else:
        session.terminal.write("Done\n")


async def _clear(session: Session, _: Args) -> None:
    _switch(session).checkpoints.clear()
    session.terminal.write("Done\n")


async def _rollback(session: Session, args: Args) -> None:
    switch, write = _switch(session), session.terminal.write
    try:
        target = _config(switch, "checkpoint", args[0])
    except _Missing as missing:
        write(f"{missing}\n")
        return
    write("Note: Applying config parallelly may fail Rollback verification\n")
    write("Collecting Running-Config\n#Generating Rollback Patch\n")
    if target.blocks == switch.running.blocks:
        write("Rollback Patch is Empty\n\nRollback completed successfully.\n\n")
        return
    switch.running = target.copy()
    switch.touch(session.user.name)
    write(_ROLLED)


def _show(session: Session, args: Args) -> Output:
    checkpoints = _switch(session).checkpoints
    chosen = {name: checkpoints[name] for name in checkpoints if not args or name == args[0]}
    if args and not chosen:
        return f"ERROR: Checkpoint {args[0]} does not exist\n"
    rule = "-" * 80
    return "".join(
        f"{rule}\nName: {name}\n\n!Command: Checkpoint cmd vdc 1\n!Time: {_time(point)}\n\n" + _text(point.config)
        for name, point in chosen.items()
    )


def _summary(session: Session, _: Args) -> Output:
    return "".join(
        f"{number}) {name}:\nCreated by {point.user}\nCreated at {_time(point)}\n"
        f"Size is {len(_text(point.config)):,} bytes\nDescription: None\n\n"
        for number, (name, point) in enumerate(_switch(session).checkpoints.items(), 1)
    )


def _time(point: Checkpoint) -> str:
    return time.strftime("%a, %H:%M:%S %d %b %Y", time.gmtime(point.at))


def _text(config: Config) -> str:
    return "\n".join([*(line for line in config.lines() if line != "!"), ""])


def _config(switch: Switch, kind: str, name: str = "") -> Config:
    """The configuration that is meant. Raises _Missing."""
    if kind == "running-config":
        return switch.running
    if kind == "startup-config":
        return switch.startup or Config()
    if name not in switch.checkpoints:
        raise _Missing(f"ERROR: Checkpoint {name} does not exist")
    return switch.checkpoints[name].config


def _diff(source: str, target: str, session: Session, args: Args) -> Output:
    """The patch that leads from one to the other."""
    switch, names = _switch(session), iter(args)
    try:
        old, new = (_config(switch, kind, next(names) if kind == "checkpoint" else "") for kind in (source, target))
    except _Missing as missing:
        return f"{missing}\n"
    patch = "".join(f"{line}\n" for line in diffs.commands(old, new)) or "Rollback Patch is Empty\n"
    return f"Collecting Running-Config\n#Generating Rollback Patch\n!!\n{patch}"


_KINDS = {"checkpoint": "checkpoint <word>", "running-config": "running-config", "startup-config": "startup-config"}
COMMANDS: dict[str, Show | Do] = {
    "checkpoint": Do(_make, 15),
    "checkpoint <word>": Do(_make, 15),
    "clear checkpoint database": Do(_clear, 15),
    "no checkpoint <word>": Do(_forget, 15),
    "rollback running-config checkpoint <word>": Do(_rollback, 15),
    **{
        f"rollback running-config checkpoint <word> {how}": Do(_rollback, 15)
        for how in ("atomic", "best-effort", "stop-at-first-failure")
    },
    "show checkpoint": Show(_show),
    "show checkpoint <word>": Show(_show),
    "show checkpoint summary": Show(_summary),
    **{
        f"show diff rollback-patch {_KINDS[a]} {_KINDS[b]}": Show(partial(_diff, a, b), 15)
        for a in _KINDS
        for b in _KINDS
    },
}
