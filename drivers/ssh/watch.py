"""A limit on the time of calls that have none of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def limited(seconds: float, expire: Callable[[], None]) -> Iterator[None]:
    """Call `expire` in a thread of its own if the block takes longer than `seconds`.

    paramiko waits without limit for a server that never answers the request for a shell, a command or a subsystem.
    """
    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
