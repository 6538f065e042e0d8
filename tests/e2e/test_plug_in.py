"""The worked example of a driver plug-in: installed by pip from its folder, then spoken through like any other."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from drivers.lab import LabProcess
from tests.stack import Stack, error_of

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "driver"
TOKEN = "plug-in-token-5521"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with the plug-in in it. Nothing is fetched: it builds with what is here."""
    source, target = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for file in EXAMPLE.iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-build-isolation", "--no-deps", f"--target={target}", source], check=True)
    return target


@pytest.fixture
def controller() -> Iterator[int]:
    """Port of a management controller."""

    class Controller(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            good = self.path == "/redfish/v1" and self.headers["X-Auth-Token"] == TOKEN
            text = json.dumps({"RedfishVersion": "1.6.0"} if good else {"error": {}}).encode()
            self.send_response(200 if good else 404)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_said: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Controller) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_example_is_short() -> None:
    assert len((EXAMPLE / "netpulse_redfish.py").read_text().splitlines()) < 60


def test_a_plug_in_from_a_folder(
    database: str, tmp_path: Path, lab: LabProcess, installed: Path, controller: int
) -> None:
    with Stack(database, tmp_path, lab, settings={"PYTHONPATH": str(installed)}) as stack:
        login = {"host": "127.0.0.1", "port": controller, "token": TOKEN}
        body = {"driver": "redfish", "connection_args": login, "command": ["/redfish/v1", "/redfish/v1/Nothing"]}
        job = stack.http.post("/device/execute?wait=30", json=body).json()["data"]
        refused = stack.http.post("/device/execute", json={**body, "command": None, "config": ["x"]})

    found, missing = job["result"]["retval"]
    assert (job["queue"], found["parsed"]) == ("fifo", {"RedfishVersion": "1.6.0"})
    assert (missing["metadata"]["verdict"], error_of(job)) == ("refused", "CommandRejected")
    assert refused.status_code == 400
    assert TOKEN not in json.dumps(job)
