"""What was decided: audit events."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One decision. What the fields mean: see `jobs.access_tables.audit_event`."""

    action: str
    allowed: bool
    actor: str | None = None
    client: str | None = None
    request_id: str | None = None
    host: str | None = None
    subject: str | None = None
    reason: str | None = None
    job_id: UUID | None = None
    batch_id: UUID | None = None
    detail: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As `jsonb_populate_record(null::netpulse.audit_event, …)` takes it; what is None is left out."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}
