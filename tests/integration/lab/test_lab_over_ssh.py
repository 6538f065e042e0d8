"""The lab as a client sees it: a process, real SSH, paramiko and plain netmiko."""

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import paramiko
import psutil
import pytest
from netmiko import BaseConnection, ConnectHandler

from drivers.lab import (
    Ask,
    Drop,
    Huge,
    LabProcess,
    NonUtf8,
    OneByte,
    PromptChange,
    RefuseConnect,
    RefuseLogin,
    Silent,
    Slow,
    Stall,
    User,
)
from drivers.lab.fleet import Fleet, Plan
from drivers.lab.process import LabError
from drivers.lab.users import Credentials

BOB = User("bob", "bobs-word", 1)
TIMEOUT_S = 10


class Screen:
    """A raw channel: type, and read up to a known text."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.channel = channel
        channel.settimeout(TIMEOUT_S)

    def until(self, end: bytes) -> bytes:
        shown = b""
        while not shown.endswith(end):
            more = self.channel.recv(65_536)
            assert more, f"closed after {shown!r}"
            shown += more
        return shown

    def type(self, keys: str, end: str = "#") -> str:
        self.channel.sendall(keys.encode())
        return self.until(end.encode()).decode()

    def ends(self) -> bytes:
        """What comes before the channel closes."""
        shown = b""
        while more := self.channel.recv(65_536):
            shown += more
        return shown


@pytest.fixture(scope="module")
def running() -> Iterator[LabProcess]:
    with LabProcess(devices=2, users=[BOB], reload_ms=50) as lab:
        yield lab


@pytest.fixture
def lab(running: LabProcess) -> Iterator[LabProcess]:
    """The module's lab, with R1 as from the factory."""
    running.restart("R1")
    running.wait_sessions("R1", 0)
    yield running
    running.clear_faults()


def transport(lab: LabProcess, user: User | None = None, device: str = "R1") -> paramiko.Transport:
    where = lab.device(device)
    name, password = (user.name, user.password) if user else (lab.username, lab.password)
    opened = paramiko.Transport(connect(where.host, where.port))
    try:
        opened.connect(username=name, password=password)
    except BaseException:
        opened.close()
        raise
    return opened


def connect(host: str, port: int) -> socket.socket:
    """A TCP connection, tried again while the device restarts."""
    for _ in range(500):
        try:
            connection = socket.create_connection((host, port), TIMEOUT_S)
        except ConnectionRefusedError:
            threading.Event().wait(0.01)
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    raise AssertionError("the device does not come back")


@contextmanager
def screen(lab: LabProcess, user: User | None = None, device: str = "R1", *, height: int = 0) -> Iterator[Screen]:
    opened = transport(lab, user, device)
    try:
        channel = opened.open_session(timeout=TIMEOUT_S)
        channel.get_pty(height=height)
        channel.invoke_shell()
        shown = Screen(channel)
        shown.until(b">" if user else b"#")
        yield shown
    finally:
        opened.close()


def netmiko(lab: LabProcess, user: User | None = None) -> BaseConnection:
    where = lab.device("R1")
    connect(where.host, where.port).close()
    connection: BaseConnection = ConnectHandler(
        device_type="cisco_ios",
        host=where.host,
        port=where.port,
        username=user.name if user else lab.username,
        password=user.password if user else lab.password,
        secret=lab.secret,
    )
    return connection


def test_plain_netmiko_reads_configures_and_saves(lab: LabProcess) -> None:
    with netmiko(lab) as device:
        assert "IOS Software" in device.send_command("show version")
        device.send_config_set(["interface Loopback7", "description a loop", "ntp server 192.0.2.7"])
        assert "description a loop" in device.send_command("show running-config interface Loopback7")
        assert "ntp server 192.0.2.7" in lab.running_config("R1")
        assert "ntp server 192.0.2.7" not in (lab.startup_config("R1") or [])
        device.save_config()
    assert "ntp server 192.0.2.7" in (lab.startup_config("R1") or [])


def test_plain_netmiko_enables(lab: LabProcess) -> None:
    with netmiko(lab, BOB) as device:
        assert device.find_prompt() == "R1>"
        device.enable()
        assert device.find_prompt() == "R1#"
    answers = [entry.line for entry in lab.records("R1") if entry.kind == "answer"]
    assert answers[-1] == "***"


def test_user_mode_hides_what_needs_privilege_and_three_bad_secrets_are_enough(lab: LabProcess) -> None:
    with screen(lab, BOB) as shown:
        assert "% Invalid input detected" in shown.type("show running-config\r", ">")
        assert shown.type("enable\r", "Password: ").startswith("enable\r\n")
        shown.type("bad\r", "Password: ")
        shown.type("bad\r", "Password: ")
        assert "% Bad secrets" in shown.type("bad\r", "R1>")
        shown.type("enable\r", "Password: ")
        assert shown.type(f"{lab.secret}\r", "R1#") == "\r\nR1#"


def test_the_caret_stands_under_the_wrong_place(lab: LabProcess) -> None:
    with screen(lab) as shown:
        lines = ("R1#" + shown.type("show xogus\r")).split("\r\n")
    assert lines[0][len(lines[1]) - 1 :] == "xogus"
    assert lines[2] == "% Invalid input detected at '^' marker."


def test_modes_their_prompts_and_the_ways_out(lab: LabProcess) -> None:
    with screen(lab) as shown:
        assert "End with CNTL/Z" in shown.type("conf t\r", "R1(config)#")
        shown.type("int gi0/1\r", "R1(config-if)#")
        shown.type("vlan 10\r", "R1(config-vlan)#")
        shown.type("exit\r", "R1(config)#")
        shown.type("router ospf 1\r", "R1(config-router)#")
        shown.type("do show privilege\r", "level is 15\r\nR1(config-router)#")
        shown.type("\x1a", "R1#")
        shown.type("conf t\r", "R1(config)#")
        shown.type("ntp server 192.0.2.9\x1a", "R1#")
        shown.type("conf t\r", "R1(config)#")
        shown.type("ntp server 192.0.2.8\x03", "R1#")
    config = lab.running_config("R1")
    assert "ntp server 192.0.2.9" in config
    assert "ntp server 192.0.2.8" not in config


def test_a_new_hostname_is_the_prompt_of_every_session(lab: LabProcess) -> None:
    with screen(lab) as one, screen(lab) as other:
        one.type("conf t\r", "R1(config)#")
        one.type("hostname core-1\r", "core-1(config)#")
        other.type("\r", "core-1#")
    assert "hostname core-1" in lab.running_config("R1")


def test_a_banner_over_several_lines(lab: LabProcess) -> None:
    with screen(lab) as shown:
        shown.type("conf t\r", "(config)#")
        shown.type("banner motd ^C\r", "character '^C'.\r\n")
        shown.type("keep out\rno end here\r^C\r", "(config)#")
        shown.type("end\r", "R1#")
        assert "banner motd ^C\r\nkeep out\r\nno end here\r\n^C" in shown.type("show run\r")


def test_no_takes_away_and_bad_lines_change_nothing(lab: LabProcess) -> None:
    with screen(lab) as shown:
        shown.type("conf t\r", "(config)#")
        before = lab.running_config("R1")
        assert "% Invalid input" in shown.type("frobnicate 1\r", "(config)#")
        assert "% Incomplete" in shown.type("hostname\r", "(config)#")
        assert lab.running_config("R1") == before
        shown.type("int gi0/1\r", "(config-if)#")
        assert "% Invalid input" in shown.type("ip address 192.0.2.300 255.255.255.0\r", "(config-if)#")
        shown.type("no shut\r", "(config-if)#")
        shown.type("end\r", "R1#")
        assert "shutdown" not in shown.type("show run int gi0/1\r")


def test_a_page_at_a_time_unless_length_is_0(lab: LabProcess) -> None:
    with screen(lab, height=10) as shown:
        page = shown.type("show running-config\r", " --More-- ")
        assert page.count("\r\n") == 1 + 9
        shown.type("\r", " --More-- ")
        assert "end" not in shown.type("q")
        shown.type("terminal length 0\r")
        assert "--More--" not in shown.type("show running-config\r", "end\r\n\r\nR1#")


def test_pipes(lab: LabProcess) -> None:
    with screen(lab) as shown:
        assert shown.type("show run | include ^hostname\r").splitlines()[1:] == ["hostname R1", "R1#"]


def test_reload_asks_and_loses_what_was_not_saved(lab: LabProcess) -> None:
    with screen(lab) as shown:
        shown.type("conf t\r", "(config)#")
        shown.type("hostname gone\r", "gone(config)#")
        shown.type("end\r", "gone#")
        shown.type("reload\r", "Save? [yes/no]: ")
        shown.type("perhaps\r", "Save? [yes/no]: ")
        shown.type("no\r", "Proceed with reload? [confirm]")
        shown.type("n", "gone#")
        shown.type("reload\r", "Save? [yes/no]: ")
        shown.type("no\r", "[confirm]")
        shown.channel.sendall(b"\r")
        shown.ends()
    with screen(lab) as shown:
        shown.type("\r", "R1#")


def test_write_erase_and_delete_ask(lab: LabProcess) -> None:
    with screen(lab) as shown:
        shown.type("write erase\r", "[confirm]")
        shown.type("\r", "R1#")
        assert lab.startup_config("R1") is None
        shown.type("delete flash:old-config.txt\r", "[old-config.txt]? ")
        shown.type("\r", "[confirm]")
        shown.type("\r", "R1#")
        assert "old-config" not in shown.type("dir\r")
        shown.type("copy run start\r", "[startup-config]? ")
        shown.type("\r", "R1#")
    assert lab.startup_config("R1") is not None


def test_exit_closes_and_one_connection_holds_one_session(lab: LabProcess) -> None:
    with screen(lab) as shown:
        with pytest.raises(paramiko.ChannelException):
            shown.channel.get_transport().open_session(timeout=TIMEOUT_S)
        shown.channel.sendall(b"exit\r")
        assert shown.ends() == b"exit\r\n"
    lab.wait_sessions("R1", 0)


def test_one_command_without_a_terminal(lab: LabProcess) -> None:
    opened = transport(lab)
    try:
        channel = opened.open_session(timeout=TIMEOUT_S)
        channel.exec_command("show privilege")
        assert Screen(channel).ends() == b"Current privilege level is 15\r\n"
        assert channel.recv_exit_status() == 0
    finally:
        opened.close()


def test_logins_are_told_apart_and_passwords_are_not_kept(lab: LabProcess) -> None:
    before = lab.stats("R1")
    with pytest.raises(paramiko.AuthenticationException):
        transport(lab, User("bob", "not-bobs"))
    with screen(lab, BOB):
        stats = lab.stats("R1")
    assert (stats.logins_failed - before.logins_failed, stats.logins_ok - before.logins_ok) == (1, 1)
    assert [(login.user, login.ok) for login in lab.logins("R1")][-2:] == [("bob", False), ("bob", True)]


# What goes wrong on request.


def test_stall_holds_the_output_until_it_is_cleared(lab: LabProcess) -> None:
    lab.set_faults("R1", Stall(command="show version", after_bytes=10, count=1))
    with screen(lab) as shown:
        shown.type("show version\r", "Cisco IOS ")
        assert lab.wait_received("R1", "show version", since=0).line == "show version"
        assert lab.records("R1")[-1].ending == "running"
        lab.clear_faults("R1")
        assert shown.until(b"R1#").endswith(b"\r\n\r\nR1#")
        assert lab.wait_received("R1", "show version", since=lab.records("R1")[-1].seq - 1, done=True).ending == "done"


def test_a_stalled_client_that_leaves_loses_its_command(lab: LabProcess) -> None:
    lab.set_faults("R1", Stall(command="show clock"))
    since = last(lab)
    with screen(lab) as shown:
        shown.channel.sendall(b"show clock\r")
        lab.wait_received("R1", "show clock", since=since)
    assert lab.wait_received("R1", "show clock", since=since, done=True).ending == "lost"
    lab.wait_sessions("R1", 0)


def last(lab: LabProcess) -> int:
    return max((entry.seq for entry in lab.records()), default=0)


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_drop_cuts_the_output_short(lab: LabProcess, how: str) -> None:
    lab.set_faults("R1", Drop(command="show version", after_bytes=30, how="rst" if how == "rst" else "fin", count=1))
    with screen(lab) as shown:
        shown.channel.sendall(b"show version\r")
        try:
            received = shown.ends()
        except OSError:  # paramiko, at times, after an RST
            received = b""
        assert len(received) <= len("show version\r\n") + 30
    with screen(lab) as shown:
        assert "IOS Software" in shown.type("show version\r")


def test_drop_at_login_and_at_connect(lab: LabProcess) -> None:
    lab.set_faults("R1", Drop(at="login", count=1))
    with pytest.raises((paramiko.SSHException, EOFError, OSError)):
        transport(lab)
    lab.set_faults("R1", Drop(at="connect", count=1, how="fin"))
    where = lab.device("R1")
    with connect(where.host, where.port) as connection:
        assert connection.recv(100) == b""
    with screen(lab):
        pass


def test_refuse_login(lab: LabProcess) -> None:
    lab.set_faults("R1", RefuseLogin())
    with pytest.raises(paramiko.AuthenticationException):
        transport(lab)


def test_refuse_connect_and_back_on_the_same_port(lab: LabProcess) -> None:
    with screen(lab) as shown:
        lab.set_faults("R1", RefuseConnect())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((lab.devices[0].host, lab.devices[0].port), TIMEOUT_S)
        shown.type("\r", "R1#")
        lab.clear_faults("R1")
        with screen(lab):
            pass


def test_silent_says_nothing(lab: LabProcess) -> None:
    where = lab.device("R1")
    connect(where.host, where.port).close()
    lab.set_faults("R1", Silent())
    with connect(where.host, where.port) as connection:
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        lab.clear_faults("R1")
        connection.settimeout(TIMEOUT_S)
        assert connection.recv(1) == b""


def test_slow_delays_the_output_but_not_the_echo(lab: LabProcess) -> None:
    lab.set_faults("R1", Slow(delay_ms=100, command="show clock"))
    since = last(lab)
    with screen(lab) as shown:
        shown.type("show clock\r")
    entry = lab.wait_received("R1", "show clock", since=since)
    assert entry.ended is not None
    assert entry.ended - entry.began >= 0.1


def test_one_byte_at_a_time_is_still_the_whole_output(lab: LabProcess) -> None:
    lab.set_faults("R1", OneByte())
    with screen(lab) as shown:
        assert shown.type("show privilege\r") == "show privilege\r\nCurrent privilege level is 15\r\nR1#"


def test_ask_can_be_declined(lab: LabProcess) -> None:
    lab.set_faults("R1", Ask(question="Really? ", command="show priv"))
    with screen(lab) as shown:
        shown.type("show priv\r", "Really? ")
        assert "level" not in shown.type("no\r")
        shown.type("show priv\r", "Really? ")
        assert "level" in shown.type("yes\r")


def test_bytes_that_are_not_utf8(lab: LabProcess) -> None:
    lab.set_faults("R1", NonUtf8(command="show clock", count=1))
    with screen(lab) as shown:
        shown.channel.sendall(b"show clock\r")
        with pytest.raises(UnicodeDecodeError):
            shown.until(b"R1#").decode()


def test_huge_output_arrives_whole(lab: LabProcess) -> None:
    lab.set_faults("R1", Huge(command="show clock", size_bytes=2_000_000))
    with screen(lab) as shown:
        received = shown.type("show clock\r", "R1#")
    lines = [line for line in received.split("\r\n") if line.startswith("line ")]
    assert [int(line.split()[1]) for line in lines] == list(range(len(lines)))
    assert len(received) - received.count("\r\n") > 2_000_000


def test_the_prompt_can_change(lab: LabProcess) -> None:
    lab.set_faults("R1", PromptChange(prompt="R1-stby#", command="show clock", count=1))
    with screen(lab) as shown:
        shown.type("show clock\r", "R1-stby#")
        shown.type("\r", "\nR1#")


# The record.


def test_commands_of_two_sessions_at_once_are_seen_to_overlap(lab: LabProcess) -> None:
    lab.set_faults("R1", Stall(command="show clock", count=1))
    since = last(lab)
    with screen(lab) as one, screen(lab, BOB) as other:
        one.channel.sendall(b"show clock\r")
        first = lab.wait_received("R1", "show clock", since=since)
        other.type("show privilege\r", ">")
        lab.clear_faults("R1")
        one.until(b"#")
    second = lab.wait_received("R1", "show privilege", since=since)
    assert second.overlaps == [first.seq]
    assert (first.user, second.user, second.mode) == ("admin", "bob", "user")
    assert lab.stats("R1").sessions_peak >= 2
    assert not lab.overlaps("R2")


def test_the_record_survives_kill_9(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with LabProcess(record=record) as lab:
        lab.set_faults(None, Stall(command="show clock"))
        with screen(lab) as shown:
            shown.channel.sendall(b"show clock\r")
            lab.wait_received("R1", "show clock")
            lab.kill()
    events = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(event["event"], event.get("line")) for event in events] == [("login", None), ("begin", "show clock")]


# The process.


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_the_lab_ends_with_status_0_though_sessions_are_open(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    with LabProcess() as lab, screen(lab):
        child = psutil.Process(lab.pid)
        if how != "stdin":
            os.kill(lab.pid, signal.Signals[how])
            gone, _ = psutil.wait_procs([child], timeout=TIMEOUT_S)
            assert gone
        assert lab.stop() == 0
    assert capfd.readouterr().err == ""


def test_a_lab_that_cannot_start_says_why(running: LabProcess, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError), LabProcess(port=running.devices[0].port):
        pass
    assert "address already in use" in capfd.readouterr().err.lower()


def test_a_bad_user_on_the_command_line_is_not_repeated(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError), LabProcess(options=["--user=ann:hush:x"]):
        pass
    said = capfd.readouterr().err
    assert "name:password" in said
    assert "hush" not in said


def test_a_fleet_in_this_process() -> None:
    async def banner() -> bytes:
        async with Fleet(Plan(devices=2), Credentials.read({})) as fleet:
            device = fleet.devices["R2"]
            reader, writer = await asyncio.open_connection(device.host, device.port)
            line = await asyncio.wait_for(reader.readline(), TIMEOUT_S)
            writer.close()
            return line

    assert asyncio.run(banner()) == b"SSH-2.0-Cisco-1.25\r\n"


def test_a_stranger_cannot_use_the_control_channel(lab: LabProcess) -> None:
    lab_without_token = LabProcess()
    lab_without_token._control = {**lab._control, "token": "guess"}
    with pytest.raises(LabError, match="wrong token"):
        lab_without_token.stats("R1")


def test_vanishing_clients_leave_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with LabProcess() as lab:
        where = lab.device("R1")
        for said in (b"", b"SSH-2.0-x\r\n", b"GET / HTTP/1.0\r\n\r\n", os.urandom(3000)):
            with connect(where.host, where.port) as connection:
                connection.sendall(said)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: vanish(lab), range(8)))
        lab.wait_sessions("R1", 0)
        assert len(psutil.Process(lab.pid).net_connections("tcp")) >= 2  # the two listeners are still there
        with screen(lab) as shown:
            shown.type("\r", "R1#")
    assert capfd.readouterr().err == ""


def vanish(lab: LabProcess) -> None:
    with screen(lab) as shown:
        shown.channel.sendall(b"show tech-support\r")
        shown.channel.get_transport().sock.close()
