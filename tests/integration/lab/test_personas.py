"""Every persona over real SSH, as stock clients drive it: netmiko, napalm's IOS driver, plain exec."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest
from netmiko import ConnectHandler, file_transfer

from drivers.lab import Drop, LabDevice, LabProcess
from tests.waiting import until

MINUTE_MS = 300


@contextmanager
def lab_of(persona: str, devices: int = 1) -> Iterator[LabProcess]:
    with LabProcess(devices, options=[f"--persona={persona}", f"--minute-ms={MINUTE_MS}"]) as lab:
        yield lab


@contextmanager
def netmiko(lab: LabProcess, device_type: str, device: LabDevice | None = None) -> Iterator[Any]:
    where = device or lab.devices[0]
    login = {"username": lab.username, "password": lab.password, "secret": lab.password}
    connection = ConnectHandler(device_type=device_type, host=where.host, port=where.port, **login)
    try:
        yield connection
    finally:
        connection.disconnect()


@pytest.fixture(scope="module")
def routers() -> Iterator[LabProcess]:
    with lab_of("ios", devices=3) as lab:
        yield lab


@pytest.fixture
def napalm(routers: LabProcess) -> Iterator[Any]:
    """napalm's own IOS driver, by SCP, on R1."""
    drivers = pytest.importorskip("napalm")
    where = routers.devices[0]
    arguments = {"port": where.port, "secret": routers.secret}
    driver = drivers.get_network_driver("ios")(where.host, routers.username, routers.password, optional_args=arguments)
    driver.open()
    yield driver
    driver.close()


@pytest.mark.filterwarnings("default")  # napalm's own
def test_napalm_reads_ios(napalm: Any) -> None:
    facts = napalm.get_facts()
    assert (facts["hostname"], facts["vendor"], facts["model"]) == ("R1", "Cisco", "CISCO2911/K9")
    assert napalm.get_interfaces()["GigabitEthernet0/0"]["is_up"]
    assert napalm.get_interfaces()["GigabitEthernet0/1"]["is_enabled"] is False
    address = next(iter(napalm.get_interfaces_ip()["GigabitEthernet0/0"]["ipv4"]))
    assert [entry["ip"] for entry in napalm.get_arp_table()] == [address]
    assert napalm.get_lldp_neighbors() == {}
    assert napalm.get_users() == {}
    assert "hostname R1" in napalm.get_config()["running"].splitlines()


@pytest.mark.filterwarnings("default")
def test_napalm_changes_ios_safely(routers: LabProcess, napalm: Any) -> None:
    napalm.load_merge_candidate(config="interface Loopback9\n description nine\nntp server 192.0.2.9\n")
    assert napalm.compare_config() == "+interface Loopback9\n+ description nine\n+ntp server 192.0.2.9"
    napalm.discard_config()
    assert napalm.compare_config() == ""
    napalm.load_merge_candidate(config="interface Loopback9\n description nine\nntp server 192.0.2.9\n")
    napalm.commit_config()
    assert list(napalm.get_ntp_servers()) == ["192.0.2.9"]
    assert "ntp server 192.0.2.9" in (routers.startup_config("R1") or [])
    napalm.rollback()
    assert "ntp server 192.0.2.9" not in routers.running_config("R1")


@pytest.mark.filterwarnings("default")
def test_napalm_replaces_ios_for_a_while(routers: LabProcess, napalm: Any) -> None:
    old, new = " description management", " description changed"
    full = napalm.get_config()["running"] + "\n"
    napalm.load_replace_candidate(config=full.replace(old, new))
    assert set(napalm.compare_config().splitlines()) == {"interface GigabitEthernet0/0", f" +{new[1:]}", f" -{old[1:]}"}
    napalm.commit_config(revert_in=60)
    until(lambda: old in routers.running_config("R1"), "the change goes back")
    assert not napalm.has_pending_commit()
    napalm.commit_config(revert_in=120 * 60)
    assert napalm.has_pending_commit()
    napalm.confirm_commit()
    assert not napalm.has_pending_commit()
    assert new in (routers.startup_config("R1") or [])
    napalm.load_replace_candidate(config=full)
    napalm.commit_config(revert_in=120 * 60)
    napalm.rollback()
    assert new in routers.running_config("R1")


@pytest.mark.filterwarnings("default")
def test_napalm_hears_of_a_bad_line(routers: LabProcess, napalm: Any) -> None:
    napalm.load_replace_candidate(
        config=napalm.get_config()["running"].replace("hostname R1", "hostname x\nfrobnicate")
    )
    with pytest.raises(Exception, match="Candidate config could not be applied"):
        napalm.commit_config()
    assert "hostname R1" in routers.running_config("R1")


def test_netmiko_copies_files_to_and_from_ios(routers: LabProcess, tmp_path: Path) -> None:
    where = routers.device("R2")
    sent, fetched = tmp_path / "sent.txt", tmp_path / "fetched.txt"
    sent.write_bytes(b"line of text\n" * 20_000)
    with netmiko(routers, "cisco_ios", where) as router:
        result = file_transfer(router, str(sent), "up.txt", file_system="flash:", direction="put")
        assert result["file_transferred"]
        assert result["file_verified"]
        file_transfer(router, "up.txt", str(fetched), file_system="flash:", direction="get")
    assert fetched.read_bytes() == sent.read_bytes()
    assert [line for line in routers.commands("R2") if line.startswith("scp ")] == [
        "scp -t flash:/up.txt",
        "scp -f flash:/up.txt",
    ]


def test_a_fault_strikes_a_copy_too(routers: LabProcess, tmp_path: Path) -> None:
    where = routers.device("R3")
    sent = tmp_path / "sent.txt"
    sent.write_text("text")
    routers.set_faults(where, Drop(command="scp", after_bytes=1))
    with netmiko(routers, "cisco_ios", where) as router:
        with pytest.raises(Exception, match=r"No response|reset|EOF|closed"):
            file_transfer(router, str(sent), "lost.txt", file_system="flash:", direction="put")
        assert "lost.txt" not in router.send_command("dir")
    assert next(e for e in routers.records("R3") if e.line.startswith("scp")).ending == "lost"


def test_junos() -> None:
    with lab_of("junos") as lab, netmiko(lab, "juniper_junos") as router:
        assert "Junos: 21.4" in router.send_command("show version")
        assert "unknown command." in router.send_command("shwo version")
        shown = router.send_config_set(["set system host-name core", "set bogus x"], exit_config_mode=False)
        assert "syntax error." in shown
        assert "+  host-name core;" in router.send_command("show | compare")
        assert "configuration check succeeds" in router.commit(check=True)
        router.commit(confirm=True, confirm_delay=1, comment="try it")
        assert "set system host-name core" in lab.running_config("R1")
        until(lambda: "set system host-name R1" in lab.running_config("R1"), "the commit goes back")
        router.send_config_set(["set system host-name kept"], exit_config_mode=False)
        router.commit(confirm=True, confirm_delay=1_000)
        router.commit(and_quit=True)
        assert router.find_prompt() == "admin@kept>"
        router.send_config_set(["delete system root-authentication"], exit_config_mode=False)
        with pytest.raises(ValueError, match="missing mandatory statements"):
            router.commit()
        assert "Exit with uncommitted changes" in router.exit_config_mode()


def test_nxos() -> None:
    with lab_of("nxos") as lab, netmiko(lab, "cisco_nxos") as switch:
        assert "NX-OS" in switch.send_command("show version")
        assert "% Invalid command at '^' marker." in switch.send_command("shwo version")
        assert "Done" in switch.send_command("checkpoint before")
        switch.send_config_set(["vlan 20", "name blue", "interface Ethernet1/1", "switchport access vlan 20"])
        assert "Eth1/1        --                 connected 20" in switch.send_command("show interface status")
        assert "vlan 20" in switch.send_command("show diff rollback-patch checkpoint before running-config")
        assert "Rollback completed" in switch.send_command("rollback running-config checkpoint before atomic")
        assert "vlan 20" not in lab.running_config("R1")
        assert "Copy complete." in switch.save_config()


def test_vrp() -> None:
    with lab_of("vrp") as lab, netmiko(lab, "huawei_vrpv8") as router:
        assert "VRP" in router.send_command("display version")
        shown = router.send_config_set(["interface LoopBack7", "description seven", "frobnicate"])
        assert "Error: Unrecognized command found at '^' position." in shown
        assert "interface LoopBack7" not in lab.running_config("R1")
        router.commit()
        assert "interface LoopBack7" in lab.running_config("R1")
        assert "LoopBack7" in router.send_command("display ip interface brief")
        assert "interface LoopBack7" not in (lab.startup_config("R1") or [])
        assert "Save the configuration successfully" in router.save_config()
        assert "interface LoopBack7" in (lab.startup_config("R1") or [])


def test_linux() -> None:
    with lab_of("linux") as lab:
        with netmiko(lab, "linux") as server:
            assert server.send_command("uname") == "Linux"
            assert server.send_command("nosuch") == "bash: nosuch: command not found"
            assert server.send_command("echo $?") == "127"
            server.send_config_set(["echo hello > /etc/motd"])
            assert server.send_command("cat /etc/motd") == "hello"
        assert executed(lab, "cat /etc/motd && false") == (b"hello\n", 1)
        assert executed(lab, "id -u; exit 7")[1] == 7


def executed(lab: LabProcess, command: str) -> tuple[bytes, int]:
    """Output and exit status of a command without a shell session."""
    where = lab.devices[0]
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 a loopback lab
    client.connect(where.host, where.port, lab.username, lab.password, look_for_keys=False, allow_agent=False)
    try:
        _, output, _ = client.exec_command(command, timeout=10)
        return output.read(), output.channel.recv_exit_status()
    finally:
        client.close()
