"""The command line, `netpulse`. Each command imports what it needs: the server's libraries take a second to load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import rich_click as click

from app import __version__
from jobs.settings import SettingsError

P = ParamSpec("P")
T = TypeVar("T")

UNUSABLE = 2
"""Exit status when the settings or the surroundings do not allow a start; standard error says why."""


def explained(command: Callable[P, T]) -> Callable[P, T]:
    """Turn what a person can mend into a message instead of a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        from app.postgres.errors import PostgresError
        from app.supervisor import StartFailed

        try:
            return command(*args, **kwargs)
        except (SettingsError, PostgresError, StartFailed) as error:
            sys.stderr.write(f"netpulse: {error}\n")
            sys.exit(UNUSABLE)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Network devices as an HTTP API."""


@main.command()
@explained
def api() -> None:
    """Serve the HTTP API."""
    from app.cli.service import serve_api

    serve_api()


@main.command()
@explained
def worker() -> None:
    """Run jobs, holding sessions to the devices."""
    from app.cli.service import serve_worker

    serve_worker()


@main.command()
@explained
def migrate() -> None:
    """Bring the database to this version's schema."""
    from app.cli.service import migrate_database

    migrate_database()


@main.group()
def keys() -> None:
    """Secret keys."""


@keys.command("new")
def new_key() -> None:
    """Print a fresh key for NETPULSE_SECRET_KEYS."""
    from jobs.seal import new_key

    click.echo(new_key())


@main.group()
def templates() -> None:
    """The template library."""


@templates.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@explained
def import_templates(folder: Path) -> None:
    """Store all *.j2, *.textfsm, *.ttp and *.regex files below FOLDER, named by their paths there."""
    from app.cli.templates import run_import

    run_import(folder)


@templates.command("list")
@explained
def list_templates() -> None:
    """Print what is in the library."""
    from app.cli.templates import run_list

    run_list()


@main.command()
@explained
def up() -> None:
    """Run migrations, API and worker in one go; without DATABASE_URL on an embedded PostgreSQL."""
    from app.cli.up import run_up

    run_up()


@main.command()
@click.option("--devices", default=20, show_default=True, help="Simulated devices.", type=click.IntRange(1, 1000))
@click.option(
    "--lab-port",
    default=2222,
    show_default=True,
    help="TCP port of the devices, on 127.20.0.1 and up; on macOS the first of several on 127.0.0.1.",
    type=click.IntRange(1, 65535),
)
@explained
def demo(devices: int, lab_port: int) -> None:
    """Run everything with simulated devices, and show first results."""
    from app.cli.demo import run_demo

    run_demo(devices, lab_port)
