"""The command line, `netpulse`. Each command imports what it needs: the server's libraries take a second to load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

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
    """API keys: who may ask for what."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="read, query, config or admin; may be given again.")
@click.option("--host", "hosts", multiple=True, help="Network or glob of devices; may be given again. By default any.")
@click.option(
    "--credential", "credentials", multiple=True, help="Glob of credentials; may be given again. By default any."
)
@click.option("--expires-days", "expires_in_days", type=float, help="Days that it counts; by default for ever.")
@click.option("--description", help="For people.")
@explained
def create_key(**given: object) -> None:
    """Make an API key called NAME, and print it: it is shown this once."""
    from app.cli.keys import run_create

    run_create(**given)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@explained
def list_keys(as_json: bool) -> None:
    """Print all API keys, but not their texts."""
    from app.cli.keys import run_list

    run_list(as_json=as_json)


@keys.command("revoke")
@click.argument("name")
@explained
def revoke_key(name: str) -> None:
    """Let the API key NAME count no more."""
    from app.cli.keys import run_revoke

    run_revoke(name)


@keys.command("rotate")
@click.argument("name")
@click.option("--grace-s", default=0.0, show_default=True, help="Seconds that the key before still counts.")
@explained
def rotate_key(name: str, grace_s: float) -> None:
    """Give the API key NAME a new text, and print that."""
    from app.cli.keys import run_rotate

    run_rotate(name, grace_s)


@main.group()
def secrets() -> None:
    """The secret keys, and what is sealed under them."""


@secrets.command("new")
def new_secret() -> None:
    """Print a fresh key for NETPULSE_SECRET_KEYS."""
    from jobs.seal import new_key

    click.echo(new_key())


@secrets.command("rotate")
@click.option("--batch", default=100, show_default=True, help="Rows read at a time.", type=click.IntRange(1, 10_000))
@click.option("--dry-run", is_flag=True, help="Only count.")
@explained
def rotate_secrets(batch: int, dry_run: bool) -> None:
    """Seal all again under the first of NETPULSE_SECRET_KEYS, while everything runs."""
    from app.cli.secrets import run_rotate

    run_rotate(batch, dry_run=dry_run)


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


@main.group()
def schedule() -> None:
    """Requests that come again and again by themselves."""


@schedule.command("list")
@explained
def list_schedules() -> None:
    """Print the schedules."""
    from app.cli.schedules import run_list

    run_list()


@schedule.command("show")
@click.argument("name")
@explained
def show_schedule(name: str) -> None:
    """Print a schedule, when it is due next, and what became of its latest ticks."""
    from app.cli.schedules import run_show

    run_show(name)


@schedule.command("create")
@click.argument("file", type=click.File("rb"))
@explained
def create_schedule(file: BinaryIO) -> None:
    """Make a schedule of FILE, a body of POST /schedule in JSON; - reads standard input."""
    from app.cli.schedules import run_create

    run_create(file)


@schedule.command("enable")
@click.argument("name")
@explained
def enable_schedule(name: str) -> None:
    """Let a schedule fire."""
    from app.cli.schedules import run_enable

    run_enable(name, enabled=True)


@schedule.command("disable")
@click.argument("name")
@explained
def disable_schedule(name: str) -> None:
    """Let a schedule rest."""
    from app.cli.schedules import run_enable

    run_enable(name, enabled=False)


@schedule.command("run")
@click.argument("name")
@explained
def run_schedule(name: str) -> None:
    """Queue a schedule's jobs once, now."""
    from app.cli.schedules import run_now

    run_now(name)


@schedule.command("delete")
@click.argument("name")
@explained
def delete_schedule(name: str) -> None:
    """Remove a schedule; what it has queued goes on."""
    from app.cli.schedules import run_delete

    run_delete(name)


@main.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@explained
def retention(dry_run: bool) -> None:
    """Remove now what NETPULSE_RETENTION__… does not keep; workers do so by themselves."""
    from app.cli.retention import run_retention

    run_retention(dry_run=dry_run)


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
