"""Templates and parsing through the warm children, against the same library called directly in this process."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import ntc_templates
from jinja2.sandbox import SandboxedEnvironment
from textfsm import TextFSM

from jobs.templating.pool import Children
from tests.bench.measure import Measure, Site, median_ms

_FSM = Path(ntc_templates.__file__).parent / "templates" / "cisco_ios_show_interfaces.textfsm"
_INTERFACE = """GigabitEthernet1/0/{number} is up, line protocol is up (connected)
  Hardware is Gigabit Ethernet, address is 0c11.6745.{number:04x} (bia 0c11.6745.{number:04x})
  Description: access port {number}
  Internet address is 192.0.2.1/24
  MTU 1500 bytes, BW 1000000 Kbit/sec, DLY 10 usec,
     reliability 255/255, txload 1/255, rxload 1/255
  Encapsulation ARPA, loopback not set
  Keepalive set (10 sec)
  Full-duplex, 1000Mb/s, media type is 10/100/1000BaseTX
  input flow-control is off, output flow-control is unsupported
  ARP type: ARPA, ARP Timeout 04:00:00
  Last input 00:00:01, output 00:00:00, output hang never
  Last clearing of "show interface" counters never
  Input queue: 0/75/0/0 (size/max/drops/flushes); Total output drops: 0
  Queueing strategy: fifo
  Output queue: 0/40 (size/max)
  5 minute input rate 1000 bits/sec, 1 packets/sec
  5 minute output rate 2000 bits/sec, 2 packets/sec
     {number} packets input, 164231 bytes, 0 no buffer
     Received 512 broadcasts (0 multicasts)
     0 runts, 0 giants, 0 throttles
     0 input errors, 0 CRC, 0 frame, 0 overrun, 0 ignored
     0 watchdog, 0 multicast, 0 pause input
     {number} packets output, 1234567 bytes, 0 underruns
     0 output errors, 0 collisions, 1 interface resets
     0 unknown protocol drops
     0 babbles, 0 late collision, 0 deferred
     0 lost carrier, 0 no carrier, 0 pause output
     0 output buffer failures, 0 output buffers swapped out
"""
_LINES = "".join(
    f"interface {{{{ ports[{n}].name }}}}\n description {{{{ ports[{n}].description }}}}\n"
    f" {{% if ports[{n}].vlan %}}switchport access vlan {{{{ ports[{n}].vlan }}}}{{% endif %}}\n"
    " spanning-tree portfast\n!\n"
    for n in range(100)
)
_PORTS = [{"name": f"Gi1/0/{n}", "description": f"port {n}", "vlan": n % 3 * 10} for n in range(100)]


def templating(site: Site) -> Iterator[Measure]:
    """Parsing 1,000 interfaces, rendering 500 lines, and a task that is next to nothing."""
    repeats = 3 if site.quick else 7
    interfaces = "".join(_INTERFACE.format(number=number) for number in range(1000))
    fsm = _FSM.read_text(encoding="utf-8")
    direct = median_ms(lambda: TextFSM(io.StringIO(fsm)).ParseText(interfaces), repeats, warm_up=1)
    rendered = median_ms(lambda: SandboxedEnvironment().from_string(_LINES).render(ports=_PORTS), repeats, warm_up=1)
    parse, render, small = asyncio.run(_in_children(interfaces, repeats))
    yield Measure("parse 1,000 interfaces", parse, "ms", "≤ 3 ×", direct, "textfsm itself")
    yield Measure("render 500 lines", render, "ms", "", rendered, "jinja2 itself, compiling each time")
    yield Measure("render one word", small, "ms")


async def _in_children(interfaces: str, repeats: int) -> tuple[float, float, float]:
    children = Children(1)
    await children.start()
    try:
        ask = {"platform": "cisco_ios", "command": "show interfaces", "text": interfaces}
        parse = await _median_ms(children, "ntc", ask, repeats)
        render = await _median_ms(children, "jinja2", {"template": _LINES, "context": {"ports": _PORTS}}, repeats)
        small = await _median_ms(children, "jinja2", {"template": "{{ a }}", "context": {"a": 1}}, 50 * repeats)
    finally:
        await children.close()
    return parse, render, small


async def _median_ms(children: Children, engine: str, task: dict[str, Any], repeats: int) -> float:
    await children.run(engine, task)
    took = []
    for _ in range(repeats):
        began = perf_counter()
        await children.run(engine, task)
        took.append((perf_counter() - began) * 1000)
    return median(took)
