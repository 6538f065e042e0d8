"""`netpulse keys` and `netpulse secrets new`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.integration.app.answers import success
from tests.integration.app.keyring import coming_with
from tests.integration.app.serving import ROOT

BAD = {
    "no-scope": ("create", "ours"),
    "host": ("create", "ours", "--scope", "read", "--host", "a b"),
    "grace": ("rotate", "ours", "--grace-s", "-1"),
    "unknown": ("revoke", "nobody"),
}


def run(database: str | None, *arguments: str, group: str = "keys") -> "subprocess.CompletedProcess[str]":
    """`netpulse keys`, as a person runs it."""
    environment = {**os.environ, "COLUMNS": "160", **({"DATABASE_URL": database} if database else {})}
    if database is None:
        environment.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "app.cli", group, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def printed(database: str, *arguments: str) -> str:
    """What a command that did it prints."""
    done = run(database, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_life_of_a_key(api: httpx.Client, database: str) -> None:
    limits = ("--host", "192.0.2.0/24", "--host", "*.hq.example", "--credential", "sites/hq/*")
    text = printed(database, "create", "ours", "--scope", "query", "--scope", "read", *limits, "--expires-days", "1.5")
    first = text.removesuffix("\n")
    assert "\n" not in first
    with coming_with(api.base_url, first) as client:
        assert success(client.get("/job")) == []
    [key] = json.loads(printed(database, "list", "--json"))
    assert key == success(api.get("/key"))[0] | {name: key[name] for name in key if name.endswith("_at")}
    assert (key["name"], key["scopes"], key["created_by"]) == ("ours", ["read", "query"], "cli")
    assert (key["hosts"], key["credentials"]) == (["*.hq.example", "192.0.2.0/24"], ["sites/hq/*"])

    second = printed(database, "rotate", "ours", "--grace-s", "60").strip()
    for text in (first, second):
        with coming_with(api.base_url, text) as client:
            assert success(client.get("/job")) == []
    revoked = run(database, "revoke", "ours")
    assert (revoked.returncode, revoked.stdout) == (0, "")
    table = printed(database, "list")
    assert [cell.strip() for cell in table.splitlines()[3].split("│")][1:4] == ["ours", "revoked", "read query"]
    trail = [(event["action"], event["subject"]) for event in success(api.get("/audit?actor=cli"))]
    assert trail == [("keys revoke", "ours"), ("keys rotate", "ours"), ("keys create", "ours")]
    assert first not in table
    assert "revoked" in run(database, "rotate", "ours").stderr
    assert "for ever" in run(database, "create", "ours", "--scope", "read").stderr


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_values(database: str, arguments: tuple[str, ...]) -> None:
    done = run(database, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("netpulse: ")
    assert done.stderr.count("\n") == 1


def test_without_a_database(tmp_path: Path) -> None:
    away = run("postgresql://nobody@127.0.0.1:1/none", "list")
    assert (away.returncode, away.stdout, away.stderr) == (2, "", "netpulse: PostgreSQL is out of reach\n")
    unset = run(None, "list")
    assert (unset.returncode, unset.stdout) == (2, "")
    assert unset.stderr.startswith("netpulse: DATABASE_URL: needed")


def test_a_new_secret_key() -> None:
    done = run(None, "new", group="secrets")
    assert done.returncode == 0
    Fernet(done.stdout.strip())
