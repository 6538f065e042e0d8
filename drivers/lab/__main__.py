"""`python -m drivers.lab`: simulated devices until SIGTERM, SIGINT or (with `--exit-with-stdin`) the end of stdin.

When every device listens, one JSON line on stdout says where, and how to log in.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from typing import Any

from drivers.lab.addresses import DEFAULT_HOST
from drivers.lab.control import Control
from drivers.lab.countdown import MINUTE_MS
from drivers.lab.device import Device
from drivers.lab.fleet import PERSONAS, Fleet, Plan
from drivers.lab.users import PASSWORD, SECRET, USERNAME, USERS, Credentials, User


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the lab; return the exit status."""
    options = _parser().parse_args(arguments)
    _raise_file_limit()
    try:
        asyncio.run(_serve(options))
    except (OSError, ValueError) as error:  # an address in use, a bad user list
        sys.stderr.write(f"lab: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m drivers.lab", description=__doc__, epilog=_EPILOG)
    parser.add_argument("--devices", type=int, default=1, help="how many")
    parser.add_argument("--persona", choices=sorted(PERSONAS), default="ios", help="which platform")
    parser.add_argument("--prefix", default="R", help="of their names: R1, R2, …")
    parser.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="of the first device; 0: free ones (default)")
    parser.add_argument("--https-port", type=int, default=0, help="the same for eAPI, where the platform has it")
    parser.add_argument("--spread", action="store_true", help="an address each from --host on, one port (Linux)")
    parser.add_argument("--user", type=_user, action="append", default=[], help="name:password[:privilege], again")
    parser.add_argument("--reload-ms", type=float, default=1000, help="how long a reload takes (default %(default)s)")
    parser.add_argument("--minute-ms", type=float, default=MINUTE_MS, help="a minute of a device's timers")
    parser.add_argument("--record", metavar="FILE", help="append what the devices receive, as JSON lines")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when stdin does")
    return parser


def _user(text: str) -> User:
    try:
        return User.parse(text)
    except ValueError as error:  # argparse's own message would repeat the password
        raise argparse.ArgumentTypeError(str(error)) from None


_EPILOG = f"""The first login is {USERNAME} (default admin), {PASSWORD} and {SECRET} (default: random) from the
environment; {USERS} is a JSON list of more."""


def _raise_file_limit() -> None:
    """A listener and a session each need a file; the usual soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(options: argparse.Namespace) -> None:
    plan = Plan(
        devices=options.devices,
        persona=options.persona,
        prefix=options.prefix,
        host=options.host,
        port=options.port,
        https_port=options.https_port,
        spread=options.spread,
        reload_ms=options.reload_ms,
        minute_ms=options.minute_ms,
        record=options.record,
    )
    ended = _ended(with_stdin=options.exit_with_stdin)
    async with Fleet(plan, Credentials.read(os.environ, options.user)) as fleet:
        control = Control(fleet)
        await control.open()
        sys.stdout.write(json.dumps(_announcement(fleet, control)) + "\n")
        sys.stdout.flush()
        await ended.wait()
        control.close()


def _announcement(fleet: Fleet, control: Control) -> dict[str, Any]:
    credentials = fleet.credentials
    certificate = {"eapi_ca": fleet.eapi_ca} if fleet.eapi_ca else {}
    return {
        "devices": [_whereabouts(device) for device in fleet.devices.values()],
        "username": credentials.primary.name,
        "password": credentials.primary.password,
        "secret": credentials.secret,
        "control": control.address,
        **certificate,
    }


def _whereabouts(device: Device) -> dict[str, Any]:
    https = {"https_port": device.https_port} if device.https_port else {}
    return {"name": device.name, "host": device.host, "port": device.port, **https}


def _ended(*, with_stdin: bool) -> asyncio.Event:
    """Set when the lab is to end."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin)
            ended.set()

    if with_stdin:
        loop.add_reader(sys.stdin, read)
    return ended


if __name__ == "__main__":
    sys.exit(main())
