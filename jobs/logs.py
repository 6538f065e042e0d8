"""Structured logs on standard error, ours and the libraries' alike, without secrets."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Collection, Mapping

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from jobs.redaction import SHORTEST, redact
from jobs.settings import LogSettings

QUIET = {
    # At DEBUG it writes what it sends to devices, passwords in commands included.
    "netmiko": logging.WARNING,
    # They log what devices answer, and requests at DEBUG; what went wrong is in the job.
    "napalm": logging.CRITICAL,
    "ncclient": logging.CRITICAL,
    "jnpr": logging.CRITICAL,
    "paramiko": logging.CRITICAL,  # a refused login is a result, not an event of ours; it logs tracebacks for it
    "procrastinate": logging.WARNING,
    "asyncio": logging.WARNING,
    "uvicorn": logging.WARNING,
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
}

_SECRET_NAMES = ("password", "secret", "passphrase", "pkey", "api_key", "authorization", "cookie", "token", "sealed")


def configure_logs(settings: LogSettings, secrets: Collection[str]) -> None:
    """Send every log of this process to standard error; this process's `secrets` never get through."""
    known = frozenset(secret for secret in secrets if len(secret) >= SHORTEST)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        Redaction(known),
    ]
    render: Processor = (
        structlog.processors.JSONRenderer() if settings.json_lines else structlog.dev.ConsoleRenderer(colors=False)
    )
    level = logging.getLevelNamesMapping()[settings.level]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, drop_exception_text, render],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, level))


class Redaction:
    """Masks fields named like secrets, and this process's own secrets in every text."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = secrets

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            event[name] = self._masked(name, value)
        return event

    def _masked(self, name: str, value: object) -> object:
        if any(part in name.lower() for part in _SECRET_NAMES):
            return "***"
        if isinstance(value, str):
            return redact(value, self._secrets)
        if isinstance(value, Mapping):
            return {key: self._masked(str(key), inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)) and name != "exc_info":
            return [self._masked("", inner) for inner in value]
        return value


def drop_exception_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace a logged exception by its trace: its text may repeat whatever a client or a device sent."""
    info = event.pop("exc_info", None)
    if info:
        error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else sys.exc_info()[1]
        if error is not None:
            event["trace"] = trace_of(error)
    return event


def trace_of(error: BaseException) -> list[str]:
    """The class of `error` and the places that it came through, innermost last; none of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return [type(error).__qualname__, *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)]
