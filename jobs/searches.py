"""Looking for jobs by what their devices said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, any_, bindparam, exists, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobs.output_tables import output_text
from jobs.tables import job, job_output

LONGEST_S = 10.0
FEW = 5000
"""So many outputs are found by the index. Of more, a page is soon full when jobs are looked at from the newest on."""

_SIMPLE = text("'pg_catalog.simple'::regconfig")
_BOUNDED = text(  # which way to the outputs is the best depends on how rare the words are
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', :most_ms, true)"
)
_JOB_BY_JOB = text(
    "SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
    "set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)"
)
_QUERY_CANCELED = "57014"


class SearchTooLong(Exception):
    """It was given up."""


@dataclass(frozen=True)
class Search:
    """What one of a job's outputs must have."""

    words: str | None = None
    """All of these words, in any order."""
    parsed: Any = None
    """Records that contain this JSON value; None: any or none."""
    longest_s: float = LONGEST_S

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        """On a row of job_output, and of output_text where there are words."""
        if self.words is not None:
            yield output_text.c.digest == job_output.c.digest
            yield output_text.c.words.op("@@")(func.plainto_tsquery(_SIMPLE, self.words))
        if self.parsed is not None:
            yield job_output.c.parsed.contains(self.parsed)


async def search(connection: AsyncConnection, wanted: Search, selection: Select[Any], limit: int) -> Sequence[Row[Any]]:
    """The first `limit` rows of `selection`, a query of jobs, newest first, that have what is `wanted`.

    `connection` is in a transaction, which is of no use for anything but reading afterwards. Raises SearchTooLong.
    """
    await connection.execute(_BOUNDED, {"most_ms": f"{wanted.longest_s * 1000:.0f}"})
    try:
        ids = select(job_output.c.job_id).where(*wanted.conditions()).limit(FEW + 1)
        few = (await connection.execute(ids)).scalars().all()
        if len(few) <= FEW:
            chosen = selection.where(job.c.id == any_(bindparam(None, list(set(few)), type_=ARRAY(UUID))))
        else:
            await connection.execute(_JOB_BY_JOB)
            chosen = selection.where(
                exists().where(job_output.c.job_id == job.c.id, *wanted.conditions()).correlate(job)
            )
        found: Sequence[Row[Any]] = (await connection.execute(chosen.limit(limit))).all()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _QUERY_CANCELED:
            raise SearchTooLong from None
        raise
    return found
