"""The EOS persona's eAPI over real HTTPS: plain requests, pyeapi, NAPALM, and every fault that has a meaning there."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pyeapi
import pytest
from napalm.base.exceptions import MergeConfigException
from napalm.eos import EOSDriver
from pyeapi.eapilib import CommandError, ConnectionError, HttpsEapiConnection, HttpsEapiSessionConnection

from drivers.lab import (
    Ask,
    Drop,
    Huge,
    LabDevice,
    LabProcess,
    NonUtf8,
    OneByte,
    RefuseConnect,
    RefuseLogin,
    Silent,
    Slow,
    Stall,
    User,
)
from tests.waiting import until

BOB = User("bob", "bobs-word", 1)
DEVICES = 50
TIMEOUT_S = 10
SOON_S = 0.1
TIMED_OUT = (TimeoutError, socket.timeout)


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(persona="eos", devices=DEVICES, users=[BOB], reload_ms=20) as lab:
        yield lab


@pytest.fixture(scope="module")
def unused(lab: LabProcess) -> Iterator[LabDevice]:
    return iter(lab.devices)


@pytest.fixture
def where(unused: Iterator[LabDevice]) -> LabDevice:
    """A device of the test's own, as from the factory."""
    return next(unused)


def connection(lab: LabProcess, where: LabDevice, timeout_s: float = TIMEOUT_S) -> http.client.HTTPSConnection:
    """A connection that checks the certificate and the name in it."""
    context = ssl.create_default_context(cadata=lab.eapi_ca)
    return http.client.HTTPSConnection(where.host, where.https_port, context=context, timeout=timeout_s)


@pytest.fixture
def client(lab: LabProcess, where: LabDevice) -> Iterator[http.client.HTTPSConnection]:
    with contextlib.closing(connection(lab, where)) as opened:
        yield opened


def post(
    client: http.client.HTTPSConnection, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    client.request("POST", path, json.dumps(body), headers or {})
    response = client.getresponse()
    return response, response.read()


def listens(where: LabDevice) -> bool:
    try:
        socket.create_connection((where.host, where.https_port or 0), TIMEOUT_S).close()
    except ConnectionRefusedError:
        return False
    return True


def basic(lab: LabProcess, password: str | None = None) -> dict[str, str]:
    login = f"{lab.username}:{lab.password if password is None else password}"
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def call(lab: LabProcess, client: http.client.HTTPSConnection, *lines: Any, shape: str = "json") -> Any:
    """What the device replies to these commands."""
    body = {"jsonrpc": "2.0", "method": "runCmds", "id": "1", "params": {"version": 1, "cmds": lines, "format": shape}}
    response, reply = post(client, "/command-api", body, basic(lab))
    assert response.status == 200
    return json.loads(reply)


def test_one_connection_carries_many_calls(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection
) -> None:
    before = lab.stats(where)
    for _ in range(3):
        assert call(lab, client, "show hostname")["result"] == [{"hostname": where.name, "fqdn": where.name}]
    after = lab.stats(where)
    assert (after.connections - before.connections, after.logins_ok - before.logins_ok) == (1, 1)


def test_every_call_begins_in_exec_mode(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    since = max((entry.seq for entry in lab.records(where)), default=0)
    call(lab, client, "configure", "hostname a")
    assert call(lab, client, "hostname b")["error"]["code"] == 1002
    entries = lab.records(where, since=since)
    assert [(entry.mode, entry.line) for entry in entries] == [
        ("exec", "configure"),
        ("config", "hostname a"),
        ("exec", "hostname b"),
    ]
    assert {(entry.user, entry.ending) for entry in entries} == {(lab.username, "done")}
    assert "hostname a" in lab.running_config(where)


def test_it_stops_at_the_first_command_that_fails(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection
) -> None:
    error = call(lab, client, "configure", "hostname a", "nonsense", "hostname c")["error"]
    assert error == {
        "code": 1002,
        "message": "CLI command 3 of 4 'nonsense' failed: invalid command",
        "data": [{}, {}, {"errors": ["Invalid input (at token 0: 'nonsense')"]}],
    }
    assert "hostname a" in lab.running_config(where)


def test_a_cookie_logs_in_until_the_logout(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection
) -> None:
    body = {"method": "runCmds", "id": 1, "params": {"version": 1, "cmds": ["show hostname"]}}
    response, _ = post(client, "/login", {"username": lab.username, "password": lab.password})
    cookie = {"Cookie": (response.getheader("Set-Cookie") or "").partition(";")[0]}
    assert response.status == 200
    assert post(client, "/command-api", body, cookie)[0].status == 200
    assert post(client, "/logout", {}, cookie)[0].status == 200
    assert post(client, "/command-api", body, cookie)[0].status == 401


def test_a_wrong_password_is_401(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    failed = lab.stats(where).logins_failed
    assert post(client, "/command-api", {}, basic(lab, "wrong"))[0].status == 401
    assert post(client, "/command-api", {})[0].status == 401
    assert post(client, "/login", {"username": lab.username, "password": "wrong"})[0].status == 401
    assert lab.stats(where).logins_failed - failed == 3


def test_what_is_not_there_is_404_and_what_is_too_big_413(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection
) -> None:
    assert post(client, "/other", {})[0].status == 404
    client.putrequest("POST", "/command-api")
    client.putheader("Content-Length", "4000002")
    client.endheaders(b" " * 4_000_002)
    assert client.getresponse().status == 413


def test_a_request_that_is_no_http_ends_the_connection(lab: LabProcess, where: LabDevice) -> None:
    context = ssl.create_default_context(cadata=lab.eapi_ca)
    with (
        socket.create_connection((where.host, where.https_port or 0), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"\0\0\r\n\r\n")
        assert secure.recv(1) == b""


def node(
    lab: LabProcess, where: LabDevice, kind: type[HttpsEapiConnection] = HttpsEapiConnection, user: User | None = None
) -> Any:
    name, password = (user.name, user.password) if user else (lab.username, lab.password)
    context = ssl.create_default_context(cadata=lab.eapi_ca)
    opened = kind(where.host, where.https_port, username=name, password=password, context=context, timeout=TIMEOUT_S)
    return pyeapi.client.Node(opened)


def test_pyeapi_reads_and_changes(lab: LabProcess, where: LabDevice) -> None:
    device = node(lab, where)
    assert device.version_number == "4.30.1"
    device.config(["interface Ethernet2", "description by pyeapi"])
    assert "description by pyeapi" in device.section("interface Ethernet2")
    assert device.enable("show users")[0]["encoding"] == "text"


def test_pyeapi_sessions(lab: LabProcess, where: LabDevice) -> None:
    device = node(lab, where, HttpsEapiSessionConnection)
    device.configure_session()
    device.config(["hostname R99"])
    assert "+hostname R99" in device.diff()
    assert f"hostname {where.name}" in lab.running_config(where)
    device.commit()
    assert "hostname R99" in lab.running_config(where)
    device.configure_session()
    device.config(["hostname R98"])
    device.abort()
    assert "hostname R99" in lab.running_config(where)


def test_pyeapi_enables_with_the_secret(lab: LabProcess, where: LabDevice) -> None:
    device = node(lab, where, user=BOB)
    with pytest.raises(CommandError):
        device.run_commands(["show running-config"], encoding="text")
    device.enable_authentication(lab.secret)
    assert f"hostname {where.name}" in device.run_commands(["show running-config"], encoding="text")[0]["output"]
    assert lab.secret not in "".join(entry.line for entry in lab.records(where))


def test_pyeapi_with_a_wrong_password(lab: LabProcess, where: LabDevice) -> None:
    with pytest.raises(ConnectionError, match="Unauthorized"):
        node(lab, where, user=User("bob", "wrong")).run_commands(["show version"])


@pytest.fixture
def napalm(lab: LabProcess, where: LabDevice) -> Iterator[EOSDriver]:
    context = ssl.create_default_context(cadata=lab.eapi_ca)
    arguments = {"port": where.https_port, "context": context, "transport": "https"}
    device = EOSDriver(where.host, lab.username, lab.password, timeout=TIMEOUT_S, optional_args=arguments)
    device.open()
    yield device
    device.config_session = None  # it would abort one that may be gone
    device.close()


def test_napalm_getters(where: LabDevice, napalm: EOSDriver) -> None:
    facts = napalm.get_facts()
    assert (facts["vendor"], facts["hostname"], facts["os_version"]) == ("Arista", where.name, "4.30.1F-lab")
    assert facts["interface_list"][0] == "Ethernet1"
    interfaces = napalm.get_interfaces()
    assert interfaces["Ethernet1"]["is_up"]
    assert not interfaces["Ethernet3"]["is_enabled"]
    assert set(napalm.get_interfaces_ip()) == {"Ethernet1", "Management1"}
    assert napalm.get_interfaces_counters()["Ethernet1"]["rx_octets"] == 0
    assert napalm.get_lldp_neighbors()["Ethernet1"][0]["port"] == "Ethernet1"
    configs = napalm.get_config()
    assert f"hostname {where.name}" in configs["running"]
    assert f"hostname {where.name}" in configs["startup"]
    assert napalm.cli(["show clock"])["show clock"].count("UTC") == 1


MERGE = "hostname R99\nbanner motd\nhello\nEOF\n"


def test_napalm_merges_and_rolls_back(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    napalm.load_merge_candidate(config=MERGE)
    assert "+hostname R99" in napalm.compare_config()
    assert "hello" in napalm.get_config(retrieve="candidate")["candidate"]
    napalm.commit_config()
    assert {"hostname R99", "banner motd", "hello"} <= set(lab.startup_config(where) or [])
    napalm.rollback()
    assert f"hostname {where.name}" in lab.running_config(where)


def test_napalm_replaces(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    napalm.load_replace_candidate(config="hostname R99\ninterface Ethernet1\n   description only this\n")
    difference = napalm.compare_config()
    assert "-ip routing" in difference
    napalm.commit_config()
    running = lab.running_config(where)
    assert "   description only this" in running
    assert "ip routing" not in running


def test_napalm_discards(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    napalm.load_merge_candidate(config=MERGE)
    napalm.discard_config()
    assert napalm.device.run_commands(["show configuration sessions"])[0]["sessions"] == {}
    assert f"hostname {where.name}" in lab.running_config(where)


def test_napalm_is_told_of_a_line_that_is_refused(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    with pytest.raises(MergeConfigException, match="nonsense"):
        napalm.load_merge_candidate(config="hostname R99\nnonsense\n")
    assert f"hostname {where.name}" in lab.running_config(where)


def test_an_unconfirmed_change_is_undone(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    napalm.load_merge_candidate(config=MERGE)
    napalm.commit_config(revert_in=1)
    assert napalm.has_pending_commit()
    assert "hostname R99" in lab.running_config(where)
    until(lambda: f"hostname {where.name}" in lab.running_config(where), "the change is undone", timeout_s=5)
    assert not napalm.has_pending_commit()


def test_a_confirmed_change_stays(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    napalm.load_merge_candidate(config=MERGE)
    napalm.commit_config(revert_in=60)
    napalm.confirm_commit()
    assert not napalm.has_pending_commit()
    assert "hostname R99" in (lab.startup_config(where) or [])


def test_a_change_that_waits_is_rolled_back(lab: LabProcess, where: LabDevice, napalm: EOSDriver) -> None:
    napalm.load_merge_candidate(config=MERGE)
    napalm.commit_config(revert_in=60)
    napalm.rollback()
    assert f"hostname {where.name}" in (lab.startup_config(where) or [])
    assert f"hostname {where.name}" in lab.running_config(where)


def test_slow_is_waited_for(lab: LabProcess, where: LabDevice) -> None:
    lab.set_faults(where, Slow(command="show clock", delay_ms=60_000))
    with contextlib.closing(connection(lab, where)) as client:
        client.connect()
        client.sock.settimeout(SOON_S)
        with pytest.raises(TIMED_OUT):
            call(lab, client, "show clock")
        lab.wait_received(where, "show clock")
    assert lab.wait_received(where, "show clock", done=True).ending == "lost"
    lab.set_faults(where, Slow(delay_ms=1), Slow(delay_ms=1, at="login"))
    with contextlib.closing(connection(lab, where)) as client:
        assert "result" in call(lab, client, "show clock")


def test_stall_lets_the_head_go_and_the_rest_when_it_ends(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection
) -> None:
    lab.set_faults(where, Stall(command="configure"))
    body = {"method": "runCmds", "id": 1, "params": {"version": 1, "cmds": ["configure", "hostname R99"]}}
    client.request("POST", "/command-api", json.dumps(body), basic(lab))
    response = client.getresponse()  # the head is there
    assert lab.wait_received(where, "configure").ending == "running"
    assert f"hostname {where.name}" in lab.running_config(where)
    lab.clear_faults(where)
    assert json.loads(response.read())["result"] == [{}, {}]
    assert "hostname R99" in lab.running_config(where)


@pytest.mark.parametrize("how", ["rst", "fin"])
def test_drop_in_the_answer(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection, how: Any) -> None:
    lab.set_faults(where, Drop(command="hostname", how=how))
    with pytest.raises((OSError, http.client.HTTPException)):
        call(lab, client, "configure", "hostname R99", "ip routing")
    assert lab.records(where)[-1].line == "hostname R99"
    assert lab.records(where)[-1].ending == "lost"
    assert "hostname R99" in lab.running_config(where)


@pytest.mark.parametrize("at", ["connect", "login"])
def test_drop_before_any_command(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection, at: Any
) -> None:
    lab.set_faults(where, Drop(at=at, count=1))
    with pytest.raises((OSError, http.client.HTTPException)):
        call(lab, client, "show clock")
    client.close()
    assert "result" in call(lab, client, "show clock")


def test_refuse_login(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    lab.set_faults(where, RefuseLogin())
    assert post(client, "/command-api", {}, basic(lab))[0].status == 401


def test_silent(lab: LabProcess, where: LabDevice) -> None:
    lab.set_faults(where, Silent())
    with contextlib.closing(connection(lab, where, SOON_S)) as client, pytest.raises(TIMED_OUT):
        call(lab, client, "show clock")


def test_refuse_connect(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    lab.set_faults(where, RefuseConnect())
    with pytest.raises(ConnectionRefusedError):
        call(lab, client, "show clock")
    lab.clear_faults(where)
    client.close()
    assert "result" in call(lab, client, "show clock")


def test_one_byte(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    lab.set_faults(where, OneByte())
    assert call(lab, client, "show hostname")["result"][0]["hostname"] == where.name


def test_huge(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    lab.set_faults(where, Huge(size_bytes=3_000_000))
    assert len(call(lab, client, "show clock", shape="text")["result"][0]["output"]) > 3_000_000
    assert len(call(lab, client, "show clock")["result"][0]["labFiller"]) == 3_000_000


def test_bytes_that_are_no_text(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    lab.set_faults(where, NonUtf8())
    body = {"method": "runCmds", "id": 1, "params": {"version": 1, "cmds": ["show clock"], "format": "text"}}
    _, reply = post(client, "/command-api", body, basic(lab))
    assert bytes.fromhex("fffec328b0e9") in reply


def test_a_command_that_would_ask_fails(lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection) -> None:
    lab.set_faults(where, Ask(command="hostname"))
    assert call(lab, client, "configure", "hostname R99")["error"]["code"] == 1004
    assert f"hostname {where.name}" in lab.running_config(where)


def test_a_reload_ends_the_connection_and_forgets_what_was_not_saved(
    lab: LabProcess, where: LabDevice, client: http.client.HTTPSConnection
) -> None:
    call(lab, client, "configure", "hostname R99")
    with pytest.raises((OSError, http.client.HTTPException)):
        call(lab, client, "reload now")
    until(lambda: listens(where), "the device is up again")
    client.close()
    assert call(lab, client, "show hostname")["result"][0]["hostname"] == where.name
