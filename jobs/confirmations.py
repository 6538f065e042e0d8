"""Confirming a change that its device would otherwise undo."""

from __future__ import annotations

import json
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobs.authorisation import authorise_again
from jobs.principal import Principal
from jobs.submit import Accepted, Intake, Refused, insert
from jobs.tables import job

_KEPT = ("driver", "connection_args", "credential_ref", "driver_args")


class NothingToConfirm(Exception):
    """The job is none that waits for a confirmation. The message says why."""


async def confirm(intake: Intake, job_id: UUID, principal: Principal) -> Accepted | None:
    """Queue a job that confirms the change of another; None: there is no such job.

    Raises NothingToConfirm, Refused; Forbidden if the login that was used is not for `principal`.
    """
    async with intake.database.connect() as connection:
        confirmation = await _confirmation(connection, job_id, principal)
        if confirmation is None:
            return None
        [answer] = await insert(connection, [json.dumps(confirmation)])
    if isinstance(answer, Refused):
        raise answer
    return answer


async def _confirmation(connection: AsyncConnection, job_id: UUID, principal: Principal) -> dict[str, object] | None:
    left = func.extract("epoch", job.c.confirm_by - func.clock_timestamp()).label("left_s")
    row = (await connection.execute(select(job, left).where(job.c.id == job_id))).one_or_none()
    if row is None:
        return None
    if row.confirm_by is None:
        raise NothingToConfirm("The job made no change with revert_in that could be confirmed.")
    if row.confirmed_at is not None:
        raise NothingToConfirm("The change is confirmed already.")
    if row.left_s <= 0:
        raise NothingToConfirm("The time to confirm is over: the device has undone the change by itself.")
    authorise_again(principal, row.request)
    request = {name: row.request[name] for name in _KEPT if name in row.request}
    return {
        "driver": row.driver,
        "operation": "confirm",
        "device_key": row.device_key,
        "host": row.host,
        "port": int(row.device_key.rpartition(":")[2]),
        "zone": row.zone,
        "strategy": row.strategy,
        "priority": row.priority,
        "request": {**request, "confirm": str(job_id)},
        "sealed": row.sealed and bytes(row.sealed).decode(),
        "ttl_s": float(row.left_s),
        "execution_timeout_s": row.execution_timeout_s,
        "max_attempts": 1,
        "submitted_by": principal.name,
    }
