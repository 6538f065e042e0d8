"""What the pyeapi driver takes and refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.pyeapi import PyeapiConfig, PyeapiConnection, PyeapiDriver, PyeapiQuery

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"


def connection(**changes: Any) -> PyeapiConnection:
    return PyeapiConnection.model_validate({"host": "sw1", "username": "admin", "password": "secret"} | changes)


@pytest.mark.parametrize(
    ("changes", "port"),
    [({}, 443), ({"transport": "http", "host_key_policy": "off"}, 80), ({"port": 8443}, 8443)],
)
def test_the_port_goes_by_the_transport(changes: dict[str, Any], port: int) -> None:
    target = PyeapiDriver().target(connection(**changes))
    assert (target.family, target.host, target.port) == ("pyeapi", "sw1", port)


def test_two_spellings_of_one_login_are_one_target() -> None:
    driver = PyeapiDriver()
    assert driver.target(connection()) == driver.target(connection(host="SW1.", port=443))
    assert driver.target(connection()) != driver.target(connection(password="other"))
    assert driver.target(connection()) != driver.target(connection(transport="https_session"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"transport": "http"}, "in the clear"),
        ({"transport": "http", "host_key_policy": "tofu"}, "in the clear"),
        ({"transport": "http", "host_key_policy": "off", "ca": CERTIFICATE}, "no certificates"),
        ({"transport": "https_certs"}, "client certificate"),
        ({"transport": "https_session", "password": None}, "password is missing"),
        ({"password": None}, "password is missing"),
        ({"client_cert": CERTIFICATE}, "come together"),
        ({"key_file": "key.pem"}, "come together"),
        ({"ca": CERTIFICATE, "ca_file": "ca.pem"}, "at most one of ca and ca_file"),
        ({"ca": "/etc/passwd"}, "PEM format"),
        ({"client_key": "/etc/passwd"}, "private key in PEM"),
        ({"username": "ad:min"}, "colon"),
        ({"username": "ad\nmin"}, "control characters"),
        ({"host": "sw1/command-api"}, "not a host name"),
        ({"device_type": "arista_eos"}, "Extra inputs"),
    ],
)
def test_what_makes_no_login_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        connection(**changes)


def test_a_client_certificate_does_without_a_password() -> None:
    login = connection(password=None, transport="https_certs", cert_file="c.pem", client_key=KEY)
    assert login.canonical().transport == "https"


def test_no_dump_shows_a_secret() -> None:
    login = connection(secret="enable", client_cert=CERTIFICATE, client_key=KEY)
    shown = login.model_dump_json() + repr(login)
    assert "PRIVATE" not in shown
    assert '"enable"' not in shown
    assert '"secret":"***"' in shown


def test_encoding_is_another_name_of_format() -> None:
    assert PyeapiQuery().form == "json"
    assert PyeapiQuery(encoding="text").form == "text"
    with pytest.raises(ValidationError, match="contradict"):
        PyeapiQuery(encoding="text", format="json")


def test_what_the_driver_says_it_can_do() -> None:
    driver = PyeapiDriver()
    found = driver.capabilities(None)
    assert found.config
    assert found.dry_run
    assert found.revert_in
    assert found.rollback
    assert found.replace
    assert not found.files
    assert driver.connection_args.model_validate(driver.example)
    assert PyeapiConfig(revert_in=60).revert_in == 60
