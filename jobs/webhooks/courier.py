"""One attempt of one delivery, from its row to what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from jobs.logs import trace_of
from jobs.seal import Seal, SealBroken
from jobs.template_runner import TemplateRunner
from jobs.templating.errors import TemplateError
from jobs.webhooks.options import TASK_EVENTS, Webhook
from jobs.webhooks.outbox import Claim, Outbox, Verdict
from jobs.webhooks.payload import encoded, payload_of, task_payload
from jobs.webhooks.plugins import Event, Outgoing, WebhookPlugin
from jobs.webhooks.requests import final_headers, outgoing
from jobs.webhooks.retries import pause_s
from jobs.webhooks.sender import Answer, NotSent, Sender

log = structlog.get_logger()

MOST_S = 150.0
"""An attempt with all its preparations takes no longer: less than its lease."""

AT_ONCE = 2
"""Payloads in the making: a job may have said many megabytes."""


class Undeliverable(Exception):
    """It cannot be sent, now or ever. The message is one sentence."""


class Courier:
    """Makes attempts."""

    def __init__(
        self,
        outbox: Outbox,
        seal: Seal,
        templates: TemplateRunner,
        sender: Sender,
        plugins: Mapping[str, WebhookPlugin],
        max_bytes: int,
    ) -> None:
        """`max_bytes`: of a payload."""
        self._outbox = outbox
        self._seal = seal
        self._templates = templates
        self._sender = sender
        self._plugins = plugins
        self._max_bytes = max_bytes
        self._making = asyncio.Semaphore(AT_ONCE)

    async def attempt(self, claim: Claim) -> Verdict:
        """What came of one attempt. Raises only what SQLAlchemy raises when PostgreSQL is away."""
        try:
            webhook = await self._webhook(claim)
        except Undeliverable as error:
            return Verdict(str(error))
        try:
            async with asyncio.timeout(MOST_S):
                answer = await self._sent(claim, webhook)
        except (Undeliverable, NotSent) as error:
            return Verdict(str(error))
        except TemplateError as error:
            return _judged(claim, webhook, Answer(None, f"The template made no body: {error}"), alive=None)
        except TimeoutError:
            return _judged(claim, webhook, Answer(None, "The payload was not ready in time."), alive=None)
        return _judged(claim, webhook, answer, alive=answer.alive)

    async def _webhook(self, claim: Claim) -> Webhook:
        if claim.sealed is None:
            given = json.dumps(await self._outbox.public_webhook(claim.job_id))
        else:
            given = self._opened(claim.sealed)
        try:
            return Webhook.model_validate_json(given)
        except ValidationError as error:  # its text is bare of what was given, its fields are ours
            fields = sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False) if fault["loc"]})
            raise Undeliverable(f"The webhook is not valid: look at {', '.join(fields) or 'all of it'}.") from None

    def _opened(self, sealed: bytes) -> str:
        try:
            return self._seal.open(sealed)
        except SealBroken:
            raise Undeliverable(
                "The webhook was sealed under a key that is no longer in NETPULSE_SECRET_KEYS; put the key back."
            ) from None

    async def _sent(self, claim: Claim, webhook: Webhook) -> Answer:
        async with self._making:
            request = await self._request(claim, webhook)
        timestamp = str(int(datetime.now(UTC).timestamp()))
        secret = webhook.secret.get_secret_value() if webhook.secret else None
        headers = final_headers(request, claim.event_type, claim.id, timestamp, secret)
        return await self._sender.send(request.method, request.url, headers, request.body, webhook.timeout)

    async def _request(self, claim: Claim, webhook: Webhook) -> Outgoing:
        payload = await (self._task_payload(claim) if claim.event_type in TASK_EVENTS else self._payload(claim))
        body = await self._rendered(webhook.template, payload) if webhook.template else encoded(payload)
        event = Event(claim.event_type, claim.id, payload, outgoing(webhook, body))
        try:
            return self._plugins[webhook.name].request(event)
        except Exception as error:  # noqa: BLE001 - a plug-in's bug is its webhooks' trouble, and nobody else's
            log.warning("webhook.plugin_failed", plugin=webhook.name, trace=trace_of(error))
            raise Undeliverable(f"The plug-in {webhook.name} made no request; the log says why.") from None

    async def _payload(self, claim: Claim) -> dict[str, Any]:
        record = await self._outbox.job(claim.job_id)
        if record is None:
            raise Undeliverable("The job was removed from the history.")
        return payload_of(record, claim.event_type, claim.created_at, self._max_bytes)

    async def _task_payload(self, claim: Claim) -> dict[str, Any]:
        row, piece = await self._outbox.task(claim.job_id), await self._outbox.said(claim.id)
        if row is None:
            raise Undeliverable("The task was removed from the history.")
        return task_payload(row, piece, claim.event_type, claim.created_at, self._max_bytes)

    async def _rendered(self, template: str, payload: dict[str, Any]) -> bytes:
        return (await self._templates.render("jinja2", template, payload, {})).encode(errors="replace")


def _judged(claim: Claim, webhook: Webhook, answer: Answer, *, alive: bool | None) -> Verdict:
    if answer.error is None or answer.final or claim.tries > webhook.max_retries:
        return Verdict(answer.error, answer.status, None, alive)
    pause = pause_s(webhook.retry_intervals, claim.tries, answer.retry_after_s)
    return Verdict(answer.error, answer.status, pause, alive)
