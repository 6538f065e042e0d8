"""What clients may and may not pass to the netmiko driver."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver, NetmikoQuery

BASE: dict[str, Any] = {"device_type": "cisco_ios", "host": "192.0.2.1", "username": "admin", "password": "hunter2"}

JUMP: dict[str, Any] = {"proxy_host": "jump", "proxy_username": "u", "proxy_password": "p"}


def connection(**changes: Any) -> NetmikoConnection:
    fields = BASE | changes
    return NetmikoConnection.model_validate({name: value for name, value in fields.items() if value is not ...})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device_type": "cisco_iso"}, "did you mean cisco_ios"),
        ({"device_type": "cisco_ios_serial"}, "not a device type"),
        ({"host": ...}, "exactly one of host and ip"),
        ({"ip": "192.0.2.2"}, "exactly one of host and ip"),
        ({"host": "no host"}, "not a host name"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"port": 65536}, "less than or equal to 65535"),
        ({"timeout": 0}, "greater than 0"),
        ({"timeout": 121}, "less than or equal to 120"),
        ({"encoding": "utf-9"}, "not a text encoding"),
        ({"encoding": "hex"}, "not a text encoding"),
        ({"encoding": "utf-16"}, "not a text encoding"),
        ({"password": "a\nreload"}, "control characters"),
        ({"secret": "a\rb"}, "control characters"),
        ({"username": "a\nb"}, "control characters"),
        ({"use_keys": True}, "use_keys needs pkey or key_file"),
        ({"pkey": "/root/.ssh/id_rsa"}, "text of a private key"),
        ({"passphrase": "x"}, "passphrase is for pkey"),
        ({"pkey": "-----BEGIN PRIVATE KEY-----", "key_file": "k"}, "give one of pkey and key_file"),
        (
            {"device_type": "cisco_ios_telnet", "proxy_host": "j", "proxy_username": "u", "proxy_password": "p"},
            "telnet",
        ),
        ({"host_key_policy": "sometimes"}, "strict"),
        ({"allow_agent": True}, "False"),
        ({"disabled_algorithms": {"everything": []}}, "kex"),
        ({"default_enter": "reload\n"}, "Input should be"),
    ],
)
def test_connection_errors_say_what_to_do(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as caught:
        connection(**changes)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["ssh_config_file", "session_log", "sock", "ssh_strict", "auto_connect"])
def test_what_could_reach_the_server_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        connection(**{name: "x"})


def test_two_spellings_of_one_login_are_one_target() -> None:
    driver = NetmikoDriver()
    one = driver.target(connection(host="R1.Example.", fast_cli=False))
    other = driver.target(connection(host=..., ip="r1.example", port=22))
    assert one == other
    assert (one.host, one.port, one.device_key) == ("r1.example", 22, "r1.example:22")


@pytest.mark.parametrize("change", [{"username": "bob"}, {"password": "x"}, {"secret": "x"}, {"encoding": "latin-1"}])
def test_another_login_is_another_target(change: dict[str, Any]) -> None:
    driver = NetmikoDriver()
    assert driver.target(connection()) != driver.target(connection(**change))


def test_telnet_has_its_own_port() -> None:
    assert NetmikoDriver().target(connection(device_type="cisco_ios_telnet")).port == 23


def test_secrets_show_in_no_dump() -> None:
    login = connection(secret="hunter3")
    assert "hunter" not in f"{login!r} {login.model_dump_json()} {NetmikoDriver().target(login)!r}"


@pytest.mark.parametrize("text", ["R\\d#", "R.*", "R.+#", "a\nb", ""])
def test_texts_to_expect_are_literal(text: str) -> None:
    with pytest.raises(ValidationError):
        NetmikoQuery(expect_string=text)
    with pytest.raises(ValidationError):
        NetmikoConfig(error_pattern=text)


def test_a_refused_pattern_says_that_it_is_literal() -> None:
    with pytest.raises(ValidationError, match="is literal text, not a regular expression"):
        NetmikoQuery(expect_string="R.*")
    assert NetmikoQuery(expect_string="[confirm]").expect_string == "[confirm]"


@pytest.mark.parametrize("seconds", [0, 3601, -1])
def test_read_timeouts_have_bounds(seconds: float) -> None:
    with pytest.raises(ValidationError):
        NetmikoQuery(read_timeout=seconds)


def test_names_without_effect_are_accepted_and_listed() -> None:
    for model in (NetmikoConnection, NetmikoQuery, NetmikoConfig):
        assert model.no_effect <= set(model.model_fields)
    assert NetmikoQuery(max_loops=500, delay_factor=2, auto_find_prompt=False)
