"""Logs: one JSON object a line, and no secret in it."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from jobs.logs import QUIET, configure_logs
from jobs.settings import LogSettings

OURS = "a-secret-of-this-process"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give the process's logging back as it was."""
    root = logging.root
    before, levels = (root.handlers, root.level), {name: logging.getLogger(name).level for name in QUIET}
    yield
    structlog.reset_defaults()
    root.handlers, root.level = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class Log:
    """What is written, standard error aside: pytest has its own ideas of that."""

    def __init__(self) -> None:
        configure_logs(LogSettings(level="DEBUG"), [OURS, "short"])
        [handler] = logging.root.handlers
        assert isinstance(handler, logging.StreamHandler)
        assert handler.stream is sys.stderr
        self._text = io.StringIO()
        handler.setStream(self._text)

    def lines(self) -> list[dict[str, Any]]:
        text = self._text.getvalue()
        assert OURS not in text
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def log() -> Log:
    return Log()


def test_an_event(log: Log) -> None:
    structlog.get_logger().info("job.failed", device="r1:22", count=3)
    [line] = log.lines()

    assert (line["event"], line["level"], line["device"], line["count"]) == ("job.failed", "info", "r1:22", 3)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("name", ["password", "Authorization", "api_key", "enable_secret", "cookie", "sealed", "pkey"])
def test_a_field_named_like_a_secret(log: Log, name: str) -> None:
    structlog.get_logger().info("x", **{name: "visible"})

    assert log.lines()[0][name] == "***"


def test_a_secret_within_a_field(log: Log) -> None:
    structlog.get_logger().info("x", request={"login": {"password": "visible", "note": OURS}, "lines": [OURS, 1]})

    assert log.lines()[0]["request"] == {"login": {"password": "***", "note": "***"}, "lines": ["***", 1]}


def test_a_secret_by_value_in_ours_and_in_libraries_logs(log: Log) -> None:
    structlog.get_logger().warning(f"saw {OURS}", url=f"http://x/?key={OURS}")
    logging.getLogger("some.library").warning("saw %s and %r", OURS, [OURS])
    ours, theirs = log.lines()

    assert (ours["event"], ours["url"]) == ("saw ***", "http://x/?key=***")
    assert (theirs["event"], theirs["logger"]) == ("saw *** and ['***']", "some.library")


def test_an_exception_shows_where_and_not_what(log: Log) -> None:
    try:
        raise ValueError(f"a device said {OURS}, or a password that we do not know")
    except ValueError:
        structlog.get_logger().exception("job.fault")
        logging.getLogger("some.library").exception("broken")
    for line in log.lines():
        assert line["trace"][0] == "ValueError"
        assert "test_logs.py" in line["trace"][1]
        assert "a device said" not in json.dumps(line)


def test_an_exception_given_by_hand(log: Log) -> None:
    error = ValueError("said this")
    structlog.get_logger().error("x", exc_info=error)
    logging.getLogger("some.library").error("x", exc_info=(ValueError, error, None))

    assert [line["trace"] for line in log.lines()] == [["ValueError"]] * 2


def test_libraries_that_log_what_they_send_are_quiet(log: Log) -> None:
    logging.getLogger("netmiko").debug("write_channel: visible")
    logging.getLogger("paramiko.transport").error("Authentication failed: visible")

    assert log.lines() == []
