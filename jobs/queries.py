"""Running the commands of a query."""

from __future__ import annotations

from jobs.call import Call


async def query(call: Call) -> None:
    """Run the job's commands."""
    lines = call.work.lines
    await call.do(call.session.run_commands, lines, call.work.args, call.reporter(last=len(lines)))
