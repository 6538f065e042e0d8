"""The event-driven class is in its place for every platform that netmiko knows."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import netmiko
import paramiko
import pytest
from netmiko.base_connection import BaseConnection
from netmiko.exceptions import ReadException
from netmiko.ssh_dispatcher import CLASS_MAPPER

from drivers.netmiko.arguments import DEVICE_TYPES
from drivers.netmiko.channels import LineTelnet, TelnetEventChannel
from drivers.netmiko.connection import EventConnection, connection_class
from drivers.netmiko.reads import EventReads

OURS = ("write_channel", "read_channel", "read_until_pattern", "read_channel_timing", "clear_buffer", "disconnect")


@pytest.mark.parametrize("device_type", sorted(CLASS_MAPPER))
def test_it_stands_just_above_the_base(device_type: str) -> None:
    kind = connection_class(device_type)
    order = kind.__mro__
    above = order.index(BaseConnection) - 2
    assert order[above : above + 3] == (EventConnection, EventReads, BaseConnection)
    assert order[1] is CLASS_MAPPER[device_type]
    for name in OURS:  # a platform that brought its own would sleep again, or write past the lease check
        assert getattr(kind, name) is getattr(EventConnection, name)


def test_classes_are_made_once() -> None:
    assert connection_class("cisco_ios") is connection_class("cisco_ios")
    assert connection_class("cisco_ios") is connection_class("cisco_xe")  # one class of netmiko's under two names


def test_serial_lines_are_not_device_types() -> None:
    assert "cisco_ios_serial" in CLASS_MAPPER
    assert not {name for name in DEVICE_TYPES if "serial" in name}


def unconnected() -> EventConnection:
    return connection_class("cisco_ios")(host="192.0.2.1", password="x", auto_connect=False)


def test_no_filter_stays_on_netmikos_logger() -> None:
    before = list(netmiko.log.filters)
    unconnected()
    assert netmiko.log.filters == before


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(ReadException, match="empty pattern"):
        unconnected().read_until_pattern("")


@pytest.fixture
def flooded() -> Iterator[TelnetEventChannel]:
    """A device that never stops talking."""
    ours, theirs = socket.socketpair()

    def talk() -> None:
        with suppress(OSError):
            while True:
                theirs.sendall(b"r1#" * 10_000)

    talker = threading.Thread(target=talk)
    talker.start()
    yield TelnetEventChannel(LineTelnet(ours, "192.0.2.1", 23))
    ours.close()
    talker.join()
    theirs.close()


def test_a_device_that_never_stops_does_not_stop_the_clock(flooded: TelnetEventChannel) -> None:
    connection = unconnected()
    connection.channel, connection.base_prompt, connection._full_prompt = flooded, "r1", "r1#"
    assert len(flooded.receive()) < 2**21
    assert not connection.settle(0.01)


@pytest.mark.parametrize("name", ["_send_user_message", "is_active", "get_exception"])
def test_paramiko_still_has_what_we_use(name: str) -> None:
    assert hasattr(paramiko.Transport, name)
