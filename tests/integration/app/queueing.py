"""A worker as the database sees it: takes jobs and ends them by the SQL functions, without a device."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import psycopg


class SqlWorker:
    """Registered with its first use; commits each step."""

    def __init__(self, url: str, node: str = "node1", pid: int = 4711) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self.id: int = self._value("SELECT netpulse.register_worker(%s, %s, 'default', 10)", node, pid)
        self._queue_worker: int = self._value("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()

    def claim(self) -> list[UUID]:
        """Take over what waits, and start what may be started."""
        self._value("SELECT netpulse.adopt_devices(%s, 100)", self.id)
        rows = self._connection.execute(
            "SELECT id FROM netpulse.claim_jobs(%s, %s, 100)", [self.id, self._queue_worker]
        ).fetchall()
        return [row[0] for row in rows]

    def finish(
        self, job: UUID | str, state: str = "finished", outputs: Sequence[str] = ("done",), **result: Any
    ) -> None:
        """End a claimed job; `outputs` are verdicts, one for each command."""
        whole = {"id": str(job), "state": state, "extra_attempts": 0, "session_reused": True, **result}
        said = [output(job, position, verdict) for position, verdict in enumerate(outputs)]
        done = self._value("SELECT netpulse.finish_jobs(%s, %s, %s)", self.id, json.dumps([whole]), json.dumps(said))
        assert done == [UUID(str(job))]

    def run_all(self) -> list[UUID]:
        """Claim and finish until nothing waits."""
        ended = []
        while jobs := self.claim():
            for job in jobs:
                self.finish(job)
            ended += jobs
        return ended

    def execute(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows of any statement."""
        return self._connection.execute(statement.encode(), arguments or None).fetchall()

    def _value(self, statement: str, *arguments: Any) -> Any:
        return self.execute(statement, *arguments)[0][0]


def output(job: UUID | str, position: int, verdict: str) -> dict[str, Any]:
    status = {"done": 0, "refused": 1, "skipped": None}[verdict]
    return {
        "job_id": str(job),
        "position": position,
        "command": f"line {position}",
        "verdict": verdict,
        "stdout": "" if verdict == "skipped" else f"output {position}",
        "stderr": "",
        "exit_status": status,
        "started_at": None if verdict == "skipped" else datetime.now(UTC).isoformat(),
        "duration_s": 0.0 if verdict == "skipped" else 0.25,
    }
