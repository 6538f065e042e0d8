"""What clients may pass to the paramiko driver."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.base import Strategy
from drivers.paramiko import ParamikoConfig, ParamikoConnection, ParamikoDriver, ParamikoQuery

LOGIN = {"host": "192.0.2.1", "username": "u", "password": "p"}
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
PROXY = {"proxy_host": "192.0.2.9", "proxy_username": "j", "proxy_password": "q"}


def test_the_example_is_a_login() -> None:
    driver = ParamikoDriver()
    target = driver.target(ParamikoConnection.model_validate(driver.example))
    assert (target.family, target.device_key) == ("paramiko", "192.0.2.10:22")
    assert driver.default_strategy is Strategy.FIFO
    assert (driver.capabilities(None).files, driver.capabilities(None).tasks) == (True, True)
    assert not driver.capabilities(None).rollback


@pytest.mark.parametrize(
    "changes",
    [
        {"look_for_keys": True},
        {"allow_agent": True},
        {"host": "a b"},
        {"host": "a.0x7f"},
        {"host": "fe80::1%a\0"},
        {"host": "fe80::1%core.hq.example"},
        {"host": f"fe80::1%{'a' * 16}"},
        {"username": ""},
        {"username": "a\nb"},
        {"password": "a\nb"},
        {"pkey": "not a key"},
        {"pkey": KEY, "key_filename": "a"},
        {"passphrase": "without a key"},
        {"host_key_policy": "maybe"},
        {"proxy_host": "192.0.2.9"},
        {"proxy_host": "192.0.2.9", "proxy_username": "j"},
        {"proxy_password": "q"},
        PROXY | {"proxy_pkey": KEY, "proxy_key_filename": "a"},
        {"sock": "a"},
        {"gss_auth": True},
    ],
)
def test_logins_that_are_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ParamikoConnection.model_validate(LOGIN | changes)


def test_names_that_clients_send() -> None:
    names: dict[str, Any] = PROXY | {
        "look_for_keys": False,
        "allow_agent": False,
        "compress": True,
        "banner_timeout": 5,
    }
    names |= {"auth_timeout": 5, "timeout": 5, "host_key_policy": "tofu", "pkey": KEY, "passphrase": "x"}
    names |= {"disabled_algorithms": {"kex": ["x"]}, "proxy_port": 2222}
    assert ParamikoConnection.model_validate(LOGIN | names).proxy_port == 2222


def test_equal_logins_are_equal_and_others_are_not() -> None:
    driver = ParamikoDriver()
    one, same, other, jumped = (
        driver.target(ParamikoConnection.model_validate(LOGIN | changes))
        for changes in ({}, {"port": 22}, {"password": "other"}, PROXY)
    )
    assert one == same
    assert len({one, other, jumped}) == 3
    assert "password" not in repr(one)


@pytest.mark.parametrize(
    "args",
    [
        {"environment": {"A B": "x"}},
        {"environment": {"A": "x\ny"}},
        {"environment": {"A=1;id": "x"}},
        {"timeout": 0},
        {"file_transfer": {"operation": "move", "remote_path": "a"}},
        {"file_transfer": {"operation": "upload", "remote_path": "a/"}},
        {"file_transfer": {"operation": "upload", "remote_path": ".."}},
        {"file_transfer": {"operation": "upload", "remote_path": "a\nb"}},
        {"file_transfer": {"operation": "upload", "remote_path": "a", "mode": "9"}},
        {"file_transfer": {"operation": "upload", "remote_path": "a", "mode": "0644\n"}},
        {"file_transfer": {"operation": "upload", "remote_path": "a", "local_path": "/etc/shadow"}},
        {"file_transfer": {"operation": "upload", "remote_path": "a"}, "sudo": True},
    ],
)
def test_queries_that_are_none(args: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ParamikoQuery.model_validate(args)


def test_what_has_no_effect_is_named() -> None:
    assert ParamikoQuery(bufsize=1).no_effect == ParamikoConfig(bufsize=1).no_effect == {"bufsize"}


def test_secrets_are_not_shown() -> None:
    query = ParamikoQuery.model_validate({"sudo": True, "sudo_password": "secret-1"})
    login = ParamikoConnection.model_validate(LOGIN | PROXY | {"password": "secret-2", "proxy_password": "secret-3"})
    shown = f"{query!r}{query.model_dump_json()}{login!r}{login.model_dump_json()}"
    assert "secret-" not in shown
