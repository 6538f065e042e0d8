"""Ports for servers that must know theirs before they start."""

import socket
from contextlib import closing
from random import SystemRandom

BELOW = 32_768
"""Where Linux begins to hand out ports to clients: one of those would be taken by the time the server starts."""

_random = SystemRandom()  # processes that run tests side by side must not choose alike


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    while True:
        port = _random.randrange(20_000, BELOW)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
