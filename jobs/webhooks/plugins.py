"""What makes a webhook's HTTP request: `basic`, and plug-ins by entry point `netpulse.webhooks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol
from uuid import UUID

GROUP = "netpulse.webhooks"
BASIC = "basic"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that is to be sent."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Without those that say how the body is framed, and without X-NetPulse-…: these are added."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """What is to be told, and how its client wants it told."""

    type: str
    """`job.completed`, `job.failed` or `job.cancelled`; of detached tasks `task.log` or `task.ended`."""
    delivery: UUID
    """The same for each attempt."""
    payload: Mapping[str, Any]
    """The job as `GET /job/{id}` shows it, or the detached task, with `event_type`, `final` and `timestamp`; cut where
    it is too long."""
    asked: Outgoing
    """What `basic` sends: the request as `options.webhook` describes it, template, cookies and login included."""


class WebhookPlugin(Protocol):
    """What an entry point of the group names: a callable without arguments that makes one of these."""

    def request(self, event: Event) -> Outgoing:
        """The request that tells of `event`. Blocks nothing: it is called in the event loop."""


class Basic:
    """The request as its client describes it."""

    def request(self, event: Event) -> Outgoing:
        """As it is."""
        return event.asked


@cache
def installed() -> tuple[str, ...]:
    """The names that `options.webhook.name` may have."""
    return (BASIC, *sorted(entry_points(group=GROUP).names - {BASIC}))


def load_plugins() -> dict[str, WebhookPlugin]:
    """All of them by name."""
    found: dict[str, WebhookPlugin] = {entry.name: entry.load()() for entry in entry_points(group=GROUP)}
    return {**found, BASIC: Basic()}
