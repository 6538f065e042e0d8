"""How faults bend a command's output on its way to the client."""

import asyncio
import contextlib
from collections.abc import Iterator

from drivers.lab.faults import Armed, Breaking, Drop, OneByte, Stall, Struck
from drivers.lab.terminal import HungUp, Wire


class Bent:
    """The output of one struck command."""

    def __init__(self, struck: Struck) -> None:
        self._breaker = struck.breaker()
        self._one_byte = struck.first(OneByte)
        self._sent = 0

    async def send(self, data: bytes, wire: Wire) -> None:
        room = self._room()
        if room is not None and len(data) > room:
            await self._put(data[:room], wire)
            await self.finish(wire)
            data = data[room:]
        await self._put(data, wire)

    def _room(self) -> int | None:
        """Bytes until the output breaks off; None when it does not."""
        if self._breaker is None or not isinstance(self._breaker.fault, Breaking):
            return None
        return max(self._breaker.fault.after_bytes - self._sent, 0)

    async def finish(self, wire: Wire) -> None:
        """Break off here, if that was to happen and has not yet. Raises HungUp if it cut the connection."""
        breaker, self._breaker = self._breaker, None
        if breaker is None:
            return
        if isinstance(breaker.fault, Drop):
            wire.cut(breaker.fault.how)
            raise HungUp
        if isinstance(breaker.fault, Stall):
            await _hold(breaker, breaker.fault.resume_ms)

    async def _put(self, data: bytes, wire: Wire) -> None:
        self._sent += len(data)
        if self._one_byte is None:
            wire.write(data)
            await wire.drain()
            return
        await one_by_one(data, wire, self._one_byte.gap_ms)


async def one_by_one(data: bytes, wire: Wire, gap_ms: float) -> None:
    """Send byte by byte, `gap_ms` apart."""
    for byte in data:
        wire.write(bytes((byte,)))
        await asyncio.sleep(gap_ms / 1000)


async def _hold(armed: Armed, resume_ms: float | None) -> None:
    """Wait until the fault is cleared, or its time is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if resume_ms is None else resume_ms / 1000):
            await armed.cleared.wait()


def filler(size_bytes: int) -> Iterator[str]:
    """`size_bytes` of numbered lines, in blocks; every line is different, so that a lost one shows."""
    block, length = [], 0
    for number in range(size_bytes // _FILLER_LINE):
        block.append(f"line {number:09} {_FILLER}\n")
        length += _FILLER_LINE
        if length >= _FILLER_BLOCK:
            yield "".join(block)
            block, length = [], 0
    yield "".join(block) + "." * (size_bytes % _FILLER_LINE - 1) + "\n" * bool(size_bytes % _FILLER_LINE)


_FILLER = "0123456789abcdef" * 5
_FILLER_LINE = 96
_FILLER_BLOCK = 65_536
