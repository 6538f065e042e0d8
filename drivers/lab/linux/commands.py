"""The programs of the server. Each takes its arguments and its input, and returns its output and exit status."""

import asyncio
import time

from drivers.lab.linux.session import Program, Result, Session

_LONGEST_SLEEP_S = 60.0
_UNAME = {"-s": "Linux", "-r": "6.1.0-lab", "-m": "x86_64", "-o": "GNU/Linux"}


async def _echo(_: Session, args: list[str], __: str) -> Result:
    newline = args[:1] != ["-n"]
    return Result(" ".join(args if newline else args[1:]) + "\n" * newline)


async def _pwd(session: Session, _: list[str], __: str) -> Result:
    return Result(f"{session.folder}\n")


async def _cd(session: Session, args: list[str], _: str) -> Result:
    path = session.path(args[0] if args else session.home)
    if path not in session.folders():
        return Result(f"bash: cd: {args[0]}: No such file or directory\n", 1)
    session.folder = path
    return Result()


async def _id(session: Session, _: list[str], __: str) -> Result:
    name, number = session.who, 0 if session.root else 1000
    return Result(f"uid={number}({name}) gid={number}({name}) groups={number}({name})\n")


async def _whoami(session: Session, _: list[str], __: str) -> Result:
    return Result(f"{session.who}\n")


async def _hostname(session: Session, args: list[str], _: str) -> Result:
    if not args:
        return Result(f"{session.host.hostname}\n")
    if not session.root:
        return Result("hostname: you must be root to change the host name\n", 1)
    session.host.files["/etc/hostname"] = f"{args[0][:64]}\n"
    return Result()


async def _uname(session: Session, args: list[str], _: str) -> Result:
    if args == ["-a"]:
        return Result(f"Linux {session.host.hostname} {_UNAME['-r']} #1 SMP x86_64 GNU/Linux\n")
    names = {**_UNAME, "-n": session.host.hostname}
    if any(arg not in names for arg in args):
        return Result(f"uname: invalid option -- '{args[0].lstrip('-')}'\n", 1)
    return Result(" ".join(names[arg] for arg in args or ["-s"]) + "\n")


async def _uptime(session: Session, _: list[str], __: str) -> Result:
    minutes = int(time.time() - session.host.booted) // 60
    return Result(f" {time.strftime('%H:%M:%S')} up {minutes} min,  1 user,  load average: 0.00, 0.00, 0.00\n")


async def _date(_: Session, __: list[str], ___: str) -> Result:
    return Result(time.strftime("%a %b %d %H:%M:%S UTC %Y\n", time.gmtime()))


async def _true(_: Session, __: list[str], ___: str) -> Result:
    return Result()


async def _false(_: Session, __: list[str], ___: str) -> Result:
    return Result(status=1)


async def _sleep(_: Session, args: list[str], __: str) -> Result:
    try:
        seconds = float(args[0])
    except (IndexError, ValueError):
        return Result("sleep: invalid time interval\n", 1)
    await asyncio.sleep(min(max(seconds, 0), _LONGEST_SLEEP_S))
    return Result()


async def _ls(session: Session, args: list[str], __: str) -> Result:
    path = session.path(next((arg for arg in args if not arg.startswith("-")), "."))
    if path in session.host.files:
        return Result(f"{path}\n")
    if path not in session.folders():
        return Result(f"ls: cannot access '{path}': No such file or directory\n", 2)
    parted = (each.rpartition("/") for each in {*session.host.files, *session.folders()})
    names = sorted(name for above, _, name in parted if name and above == path.rstrip("/"))
    return Result("".join(f"{name}\n" for name in names))


async def _rm(session: Session, args: list[str], _: str) -> Result:
    said, forced = "", "-f" in args
    for name in (arg for arg in args if not arg.startswith("-")):
        path = session.path(name)
        if path not in session.host.files:
            said += "" if forced else f"rm: cannot remove '{name}': No such file or directory\n"
        elif not session.may_write(path):
            said += f"rm: cannot remove '{name}': Permission denied\n"
        else:
            del session.host.files[path]
    return Result(said, int(bool(said)))


async def _touch(session: Session, args: list[str], _: str) -> Result:
    said = "".join(session.write(name, "", appends=True, program="touch") for name in args)
    return Result(said, int(bool(said)))


async def _tee(session: Session, args: list[str], given: str) -> Result:
    names = [arg for arg in args if arg != "-a"]
    said = "".join(session.write(name, given, appends="-a" in args, program="tee") for name in names)
    return Result(given + said, int(bool(said)))


PROGRAMS: dict[str, Program] = {
    "cd": _cd,
    "date": _date,
    "echo": _echo,
    "false": _false,
    "hostname": _hostname,
    "id": _id,
    "ls": _ls,
    "pwd": _pwd,
    "rm": _rm,
    "sleep": _sleep,
    "tee": _tee,
    "touch": _touch,
    "true": _true,
    "uname": _uname,
    "uptime": _uptime,
    "whoami": _whoami,
}
