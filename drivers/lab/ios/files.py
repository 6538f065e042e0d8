"""Commands for files: `dir`, `more`, `copy`, `delete`, `verify`."""

import hashlib
from functools import partial
from itertools import product

from drivers.lab.ios import archive, paths, replay
from drivers.lab.ios.session import Args, Do, Session, Show
from drivers.lab.terminal import Output

_OVERWRITE = "%Warning:There is a file already existing with this name\nDo you want to over write? [confirm]"


def quiet(session: Session) -> bool:
    """Whether file commands ask nothing."""
    return "file prompt quiet" in session.router.running.blocks


def _dir(session: Session, args: Args) -> Output:
    try:
        return session.router.flash.listing(paths.flash_name(args[0] if args else "flash:"))
    except paths.NoFile as missing:
        return missing.text
    except OSError as error:
        return paths.NoFile("opening", paths.shown(args[0]), str(error)).text


def _more(session: Session, args: Args) -> Output:
    try:
        text = paths.read(session.router, args[0]).decode("utf-8", "replace")
    except paths.NoFile as missing:
        return missing.text
    return text.replace("\r\n", "\n") + "\n" * (not text.endswith("\n"))


def _verify(session: Session, args: Args) -> Output:
    try:
        content = paths.read(session.router, args[0])
    except paths.NoFile as missing:
        return missing.text
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if len(args) > 1 and args[1].lower() != digest:
        return f"...Done!\n%Error verifying {paths.shown(args[0])}\nComputed signature  = {digest}\n"
    return f"...Done!\nverify /md5 ({paths.shown(args[0])}) = {digest}\n\n"


async def _delete(session: Session, args: Args, *, forced: bool = False) -> None:
    try:
        name, asks = paths.flash_name(args[0], "deleting"), not (forced or quiet(session))
        if asks:
            name = await session.terminal.ask(f"Delete filename [{name}]? ") or name
        if not asks or await session.terminal.confirm(f"Delete flash:/{name}? [confirm]"):
            session.router.flash.delete(name)
    except paths.NoFile as missing:
        session.terminal.write(missing.text + "\n")
    except OSError as error:
        session.terminal.write(f"%Error deleting flash:/{name} ({error})\n\n")


async def copy(session: Session, source: str, target: str) -> None:
    """Copy between files and configurations, asking as IOS does unless `file prompt quiet`."""
    router = session.router
    try:
        content = paths.read(router, source)
        if not quiet(session):
            target = await _asked_target(session, source, target)
        match paths.spelled(target):
            case paths.RUNNING:
                await _merge(session, content)
            case paths.STARTUP:
                await _to_startup(session, source)
            case _:
                await _to_flash(session, target, content)
    except paths.NoFile as missing:
        session.terminal.write(missing.text)


async def _asked_target(session: Session, source: str, target: str) -> str:
    device, _, name = paths.spelled(target).partition(":")
    name = name or paths.spelled(source).partition(":")[2]
    answer = await session.terminal.ask(f"Destination filename [{name}]? ")
    return f"{device}:{answer or name}"


async def _merge(session: Session, content: bytes) -> None:
    router = session.router
    outcome = await replay.merged(router, content, session.user)
    for line, said in outcome.refused:
        session.terminal.write(f"{line}\n{said}")
    if outcome.config.blocks != router.running.blocks:
        router.running = outcome.config
        router.touch(session.user.name)
    session.terminal.write(_copied(content))


async def _to_startup(session: Session, source: str) -> None:
    router = session.router
    if paths.spelled(source) == paths.RUNNING:
        await save(session)
        return
    router.startup = paths.config_in(router, source)
    session.terminal.write("[OK]\n" + _copied(paths.read(router, source)))


async def save(session: Session) -> None:
    """`write memory`."""
    session.router.save()
    session.terminal.write("Building configuration...\n[OK]\n")
    archive.after_save(session.router)


async def _to_flash(session: Session, target: str, content: bytes) -> None:
    name = paths.flash_name(target)
    exists = name in session.router.flash.files
    if exists and not quiet(session) and not await session.terminal.confirm(_OVERWRITE):
        session.terminal.write("%Error copying (Not overwritten)\n")
        return
    paths.write(session.router, target, content)
    session.terminal.write(_copied(content))


def _copied(content: bytes) -> str:
    return f"\n{len(content)} bytes copied in 0.024 secs ({len(content) * 1000 // 24} bytes/sec)\n"


async def _copy(source: str, target: str, session: Session, args: Args) -> None:
    """What the pattern does not name, the arguments do."""
    named = [*args]
    from_ = source if source != "<word>" else named.pop(0)
    await copy(session, from_, target if target != "<word>" else named.pop(0))


_SIDES = ("running-config", "startup-config", "<word>")
COMMANDS: dict[str, Show | Do] = {
    **{f"copy {a} {b}": Do(partial(_copy, a, b), 15) for a, b in product(_SIDES, _SIDES) if a != b or a == "<word>"},
    "delete <word>": Do(_delete, 15),
    "delete /force <word>": Do(partial(_delete, forced=True), 15),
    "delete /force /recursive <word>": Do(partial(_delete, forced=True), 15),
    "dir": Show(_dir, 15),
    "dir <word>": Show(_dir, 15),
    "more <word>": Show(_more, 15),
    "verify /md5 <word>": Show(_verify, 15),
    "verify /md5 <word> <word>": Show(_verify, 15),
}
