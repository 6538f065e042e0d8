"""Pieces of detached tasks' logs: as clients get them, and as webhooks are told of them."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, cast

from drivers.base import TaskSession
from jobs.call import Call

PIECE_BYTES = 65_536
"""Log in one event, at the most."""

MOST_PIECES = 16
"""In one look; what is left comes with the next one."""

TELL_S = 10.0
"""A look begins no further piece after so long."""

_LONGEST_LETTER = 4
"""Bytes of a letter in UTF-8."""


async def tell_log(call: Call, task_id: str) -> None:
    """Make events of what the log has had since the task's webhook was last told of it, if it wants that.

    Raises what the session raises.
    """
    webhook = call.work.request.get("options", {}).get("webhook")
    if webhook is None or "task.log" not in (webhook.get("events") or ["task.log"]):
        return
    offset = await _told(call, task_id, None, None, "", False)
    until = time.monotonic() + TELL_S
    for _ in range(MOST_PIECES):
        if offset is None or time.monotonic() > until:
            return
        offset = await _tell_piece(call, task_id, offset)


async def _tell_piece(call: Call, task_id: str, offset: int) -> int | None:
    """Where the next one begins; None: there is none now."""
    session = cast(TaskSession, call.session)
    state = await call.do(session.look_at_task, task_id, call.work.args, offset=offset, size=PIECE_BYTES)
    secrets = call.progress.secrets
    last = state.state != "running" and offset + len(state.log) >= state.log_size
    log = state.log if last else whole_lines(state.log, secrets, full=len(state.log) >= PIECE_BYTES)
    if not log and not last:
        return None
    text = redacted(log, secrets).decode(errors="replace").replace("\0", "\ufffd")  # which PostgreSQL cannot hold
    told = await _told(call, task_id, offset, offset + len(log), text, last)
    return None if last else told


async def _told(call: Call, task_id: str, *piece: Any) -> int | None:
    """See tell_task_log.sql."""
    queue = call.world.queue
    sql = "SELECT netpulse.tell_task_log($1, $2, $3, $4, $5, $6, $7)"
    offset: int | None = await queue.ask(sql, queue.worker_id, call.work.job.id, task_id, *piece)
    return offset


def whole_lines(log: bytes, secrets: Collection[str], *, full: bool) -> bytes:
    """The whole lines at the beginning of `log`, of which more may come; of a line that fills it (`full`), the letters.

    It does not end within a secret, of which each half would be shown.
    """
    piece = log[: log.rfind(b"\n") + 1]
    while held := _begun(piece, secrets):
        piece = piece[: piece.rfind(b"\n", 0, len(piece) - held) + 1]
    if piece or not full:
        return piece
    letters = log[: whole_letters(log)]
    return letters[: len(letters) - _begun(letters, secrets)] or letters


def _begun(log: bytes, secrets: Collection[str]) -> int:
    """How many bytes at the end of `log` may be the beginning of a secret."""
    lengths = (
        length
        for secret in map(str.encode, secrets)
        for length in range(min(len(secret) - 1, len(log)), 0, -1)
        if log.endswith(secret[:length])
    )
    return max(lengths, default=0)


def redacted(log: bytes, secrets: Collection[str]) -> bytes:
    """`log` with every secret as ***."""
    for secret in sorted(secrets, key=len, reverse=True):
        log = log.replace(secret.encode(), b"***")
    return log


def whole_letters(log: bytes) -> int:
    """Bytes of `log` without a letter that is cut off at its end."""
    for cut in range(1, min(_LONGEST_LETTER, len(log)) + 1):
        lead = log[-cut]
        if lead & 0xC0 != 0x80:  # the first byte of the last letter
            letter = 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0)
            return len(log) - cut if letter > cut and len(log) > cut else len(log)
    return len(log)
