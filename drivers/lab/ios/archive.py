"""The archive of configurations, and what `show archive` says of it."""

import time

from drivers.lab.ios import diffs, paths
from drivers.lab.ios.router import Router
from drivers.lab.ios.session import Args, Do, Session, Show
from drivers.lab.terminal import Output

_DEFAULT_MAXIMUM = 10
_TOP = "archive"


def enabled(router: Router) -> bool:
    """Whether `archive` names a path to keep configurations at."""
    return bool(router.running.value("path", top=_TOP))


def maximum(router: Router) -> int:
    text = router.running.value("maximum", top=_TOP)
    return int(text) if text.isdecimal() and 1 <= int(text) <= 14 else _DEFAULT_MAXIMUM


def save(router: Router) -> str:
    """Archive the running configuration, forgetting the oldest ones; return its path. Raises paths.NoFile."""
    stamp = time.strftime("%b-%d-%H-%M-%S", time.gmtime())
    path = f"{router.running.value('path', top=_TOP)}-{stamp}-{router.archive_count}"
    paths.write(router, path, paths.text_of(router.running).encode())
    router.archive_count += 1
    router.archived.append(path)
    for old in router.archived[: -maximum(router)]:
        router.flash.files.pop(paths.flash_name(old), None)
    del router.archived[: -maximum(router)]
    return path


def after_save(router: Router) -> None:
    """`write memory` has been obeyed: with `write-memory`, the archive grows."""
    if enabled(router) and "write-memory" in router.running.blocks[_TOP]:
        save(router)


def _show(session: Session, _: Args) -> Output:
    router = session.router
    if not enabled(router):
        return "Archive feature not enabled\n"
    path, saved = router.running.value("path", top=_TOP), router.archived
    lines = [f"The maximum archive configurations allowed is {maximum(router)}."]
    lines += [f"There are currently {len(saved)} archive configurations saved."]
    lines += [f"The next archive file will be named {path}-<timestamp>-{router.archive_count}"]
    lines += [" Archive #  Name", *(f"   {n:<8} {name}" for n, name in enumerate(saved, 1))]
    return "\n".join(lines) + " <- Most Recent" * bool(saved) + "\n"


async def _config(session: Session, _: Args) -> None:
    if enabled(session.router):
        save(session.router)
    else:
        session.terminal.write("Archive feature not enabled\n")


def _differences(session: Session, args: Args) -> Output:
    """From the first configuration to the second: by default, from what is running to what is saved."""
    one, other = {0: (paths.RUNNING, paths.STARTUP), 1: (*args, paths.RUNNING)}.get(len(args), args)
    try:
        return diffs.contextual(paths.config_in(session.router, one), paths.config_in(session.router, other))
    except paths.NoFile as missing:
        return missing.text


def _incremental(session: Session, args: Args) -> Output:
    return _incremental_diffs(session, args[0], ignorecase=False)


def _incremental_ignorecase(session: Session, args: Args) -> Output:
    return _incremental_diffs(session, args[0], ignorecase=True)


def _incremental_diffs(session: Session, path: str, *, ignorecase: bool) -> Output:
    try:
        file = paths.config_in(session.router, path)
    except paths.NoFile as missing:
        return missing.text
    return diffs.incremental(session.router.running, file, ignorecase=ignorecase)


COMMANDS: dict[str, Show | Do] = {
    "archive config": Do(_config, 15),
    "show archive": Show(_show, 15),
    "show archive config differences": Show(_differences, 15),
    "show archive config differences <word>": Show(_differences, 15),
    "show archive config differences <word> <word>": Show(_differences, 15),
    "show archive config incremental-diffs <word>": Show(_incremental, 15),
    "show archive config incremental-diffs <word> ignorecase": Show(_incremental_ignorecase, 15),
}
