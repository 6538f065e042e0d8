"""When a delivery that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

JITTER = 0.2
"""A pause is longer or shorter by up to this part of it, so that what failed together is not tried together."""

LONGEST_WISH_S = 3600.0
"""A receiver's Retry-After counts up to here."""


def pause_s(
    intervals: Sequence[float],
    tries: int,
    wish_s: float | None,
    chance: Callable[[float, float], float] = random.uniform,
) -> float:
    """Seconds to the next attempt after `tries` failed ones. `wish_s`: the receiver's Retry-After."""
    pause = intervals[min(tries, len(intervals)) - 1] * chance(1 - JITTER, 1 + JITTER)
    return max(pause, min(wish_s or 0.0, LONGEST_WISH_S))


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """What a Retry-After header asks for: seconds, or a date (RFC 9110, section 10.2.3); None for anything else."""
    if header is None:
        return None
    if header.isascii() and header.isdigit() and len(header) <= 9:
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
