"""What clients may say to the napalm driver."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.base import login_digest
from drivers.napalm import NapalmConfig, NapalmConnection, NapalmDriver, NapalmQuery
from drivers.netmiko import NetmikoConnection, NetmikoDriver

LOGIN = {"host": "192.0.2.1", "username": "admin", "password": "a-password"}


def login(device_type: str = "ios", **changes: Any) -> NapalmConnection:
    return NapalmConnection.model_validate({"device_type": device_type, **LOGIN, **changes})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ios", "ios"),
        ("cisco_ios", "ios"),
        ("cisco_xe", "ios"),
        ("arista_eos", "eos"),
        ("juniper_junos", "junos"),
        ("cisco_nxos", "nxos_ssh"),
        ("nxos", "nxos"),
        ("iosxr_netconf", "iosxr_netconf"),
    ],
)
def test_names_of_platforms(given: str, name: str) -> None:
    assert login(given).device_type == name


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("iosxr_netconff", "iosxr_netconf"),
        ("cisco_ois", "did you mean cisco_ios"),
        ("iosxr", "NETCONF only"),
        ("x", "it knows"),
    ],
)
def test_unknown_platforms_name_near_ones(given: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        login(given)


@pytest.mark.parametrize(
    ("device_type", "changes", "complaint"),
    [
        ("ios", {"hostname": "192.0.2.2"}, "exactly one of host and hostname"),
        ("ios", {"host": None}, "exactly one of host and hostname"),
        ("eos", {"optional_args": {"transport": "os.system"}}, "https"),
        ("eos", {"optional_args": {"ssl_verify": False}}, "True"),
        ("ios", {"optional_args": {"ssh_config_file": "x"}}, "Extra inputs"),
        ("ios", {"optional_args": {"session_log": "x"}}, "Extra inputs"),
        ("junos", {"optional_args": {"dest_file_system": "flash:"}}, "junos does not take: dest_file_system"),
        ("ios", {"optional_args": {"lock_disable": True}}, "ios does not take: lock_disable"),
        ("ios", {"optional_args": {"dest_file_system": "flash:\nreload"}}, "pattern"),
        ("ios", {"optional_args": {"encoding": "utf-16"}}, "text encoding"),
        ("ios", {"optional_args": {"use_keys": True}}, "use_keys needs"),
        ("ios", {"port": 22, "optional_args": {"port": 23}}, "port is given twice"),
        ("ios", {"ca_file": "ca.pem"}, "for HTTPS"),
        ("eos", {"password": None}, "password is missing"),
        ("eos", {"username": "a:b"}, "colon"),
        ("junos", {"proxy_host": "jump", "proxy_username": "a", "proxy_password": "b"}, "through no jump host"),
    ],
)
def test_logins_that_are_refused(device_type: str, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as raised:
        login(device_type, **changes)
    assert "a-password" not in str(raised.value)


def test_a_command_line_login_is_the_one_that_netmiko_makes() -> None:
    theirs = NetmikoConnection.model_validate({"device_type": "cisco_ios", **LOGIN, "secret": "s", "keepalive": 5})
    for spelling in (
        {"secret": "s", "optional_args": {"keepalive": 5}},
        {"optional_args": {"secret": "s", "keepalive": 5, "global_delay_factor": 2}},
        {"secret": "s", "optional_args": {"keepalive": 5, "port": 22, "dest_file_system": "flash:"}},
    ):
        assert NapalmDriver().target(login("cisco_xe", **spelling)) == NetmikoDriver().target(theirs)
    assert NapalmDriver().target(login(secret="other")) != NetmikoDriver().target(theirs)


def test_a_jump_host_is_part_of_the_login() -> None:
    jump = {"proxy_host": "jump", "proxy_username": "a", "proxy_password": "b"}
    target = NapalmDriver().target(login(**jump))
    assert target.family == "netmiko"
    assert target != NapalmDriver().target(login())
    assert target == NetmikoDriver().target(
        NetmikoConnection.model_validate({"device_type": "cisco_ios", **LOGIN, **jump})
    )


@pytest.mark.parametrize(("device_type", "port"), [("eos", 443), ("nxos", 443), ("junos", 830), ("iosxr_netconf", 830)])
def test_other_logins_are_napalms_own(device_type: str, port: int) -> None:
    driver = NapalmDriver()
    target = driver.target(login(device_type))
    assert (target.family, target.host, target.port) == ("napalm", "192.0.2.1", port)
    assert target == driver.target(login(device_type, optional_args={"port": port}))
    assert target != driver.target(login(device_type, password="another"))
    assert login_digest(login(device_type)) == login_digest(login(device_type))


def test_the_enable_password_has_three_spellings() -> None:
    driver = NapalmDriver()
    first = driver.target(login("eos", secret="s"))
    assert first == driver.target(login("eos", optional_args={"enable_password": "s"}))
    assert first != driver.target(login("eos"))


def test_secrets_are_masked() -> None:
    text = login(secret="hidden-1", optional_args={"passphrase": "hidden-2", "key_file": "k"}).model_dump_json()
    assert "hidden" not in text
    assert "a-password" not in text


@pytest.mark.parametrize("name", ["destination", "vrf", "interface", "source", "protocol"])
@pytest.mark.parametrize("value", ["10.0.0.1\nreload", "a b", "x|y", "", "<x/>", "a;b"])
def test_arguments_of_getters_are_single_words(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        NapalmQuery.model_validate({name: value})


@pytest.mark.parametrize("value", ["10.0.0.0/8", "2001:db8::1", "Ethernet1/1", "ge-0/0/0.0", "r1.example.net"])
def test_words_that_getters_need(value: str) -> None:
    assert NapalmQuery(destination=value).given() == {"destination": value}


def test_a_message_has_three_names() -> None:
    for name in ("message", "comment", "commit_message"):
        assert NapalmConfig.model_validate({name: "why"}).text == "why"
    with pytest.raises(ValidationError, match="give one of"):
        NapalmConfig(message="a", comment="b")
    assert NapalmConfig().text == ""


@pytest.mark.parametrize("device_type", ["junos", "eos", "ios", "nxos"])
def test_ipv6_has_one_spelling(device_type: str) -> None:
    target = NapalmDriver().target(login(device_type, host="[2001:DB8:0::1]"))
    assert target.host == "2001:db8::1"
