"""Requests that refer to their login."""

import json
from typing import Any

import pytest

from drivers.registry import load_drivers
from jobs.bulk import Bulk
from jobs.credentials.base import CredentialRef
from jobs.invalid import RequestInvalid
from jobs.probes import ProbeModels
from jobs.requests import Request, RequestModels

DRIVERS = load_drivers()
MODELS = RequestModels(DRIVERS)
PATH = "sites/hq/admin"
WHOLE = {"provider": "vault", "path": PATH, "username_key": "u", "password_key": "p", "version": 3}
FORMS = {"text": PATH, "path": {"path": PATH}, "whole": WHOLE}


def body(driver: str = "netmiko", **fields: Any) -> dict[str, Any]:
    """A request without a login of its own."""
    example = DRIVERS[driver].example
    login = {name: value for name, value in example.items() if name not in ("username", "password", "pkey")}
    return {"driver": driver, "connection_args": login, "command": "show version", **fields}


def fault(given: dict[str, Any]) -> tuple[Any, str]:
    with pytest.raises(RequestInvalid) as refused:
        MODELS.parse(given)
    return refused.value.details[0]["loc"], refused.value.details[0]["msg"]


def bulk(devices: list[dict[str, Any]], **fields: Any) -> list[Request]:
    found = Bulk(MODELS, {**body(), "devices": devices, **fields})
    return [found.request(index) for index in range(len(devices))]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_every_driver_takes_a_reference_in_every_form(driver: str, form: Any) -> None:
    request = MODELS.parse(body(driver, credential_ref=form))

    assert request.credential_ref == CredentialRef.model_validate({"path": form} if isinstance(form, str) else form)
    assert not {"username", "password"} & request.public["connection_args"].keys()
    assert request.public["credential_ref"]["path"] == PATH
    assert json.loads(request.secret) == {}


def test_it_may_stand_in_connection_args() -> None:
    inner = body()
    inner["connection_args"] = {**inner["connection_args"], "credential_ref": PATH}

    assert MODELS.parse(inner).public == MODELS.parse(body(credential_ref=PATH)).public


def test_given_twice_it_must_say_the_same() -> None:
    inner = body(credential_ref="other")
    inner["connection_args"] = {**inner["connection_args"], "credential_ref": PATH}

    assert fault(inner) == (["credential_ref"], "is given twice, with different values")


@pytest.mark.parametrize("name", ["username", "password"])
def test_a_login_beside_it_is_refused(name: str) -> None:
    both = body(credential_ref=PATH)
    both["connection_args"] = {**both["connection_args"], name: "x"}

    assert fault(both) == (["connection_args", name], "credential_ref goes instead of username and password")


@pytest.mark.parametrize("path", ["", "/", "a//b", "../x", "a/./b", "a b", "a%2f..", "a?b", "ä", "x" * 600, 5, None])
def test_odd_paths_are_refused(path: Any) -> None:
    assert fault(body(credential_ref={"path": path}))[0][:1] == ["credential_ref"]


def test_secrets_beside_it_are_sealed() -> None:
    given = body(credential_ref=PATH)
    given["connection_args"] = {**given["connection_args"], "secret": "Enable-7-secret"}
    request = MODELS.parse(given)

    assert request.public["connection_args"]["secret"] == "***"
    assert json.loads(request.secret)["connection_args"]["secret"] == "Enable-7-secret"


def test_a_probe_takes_one() -> None:
    probes = ProbeModels(MODELS, DRIVERS)
    given = {name: value for name, value in body(credential_ref=PATH).items() if name != "command"}
    request = probes.parse(given, 10)

    assert request.credential_ref == CredentialRef(path=PATH)
    assert "username" not in request.public["connection_args"]


def test_the_members_of_a_bulk_share_one() -> None:
    requests = bulk([{"host": "192.0.2.1"}, {"host": "192.0.2.2"}], credential_ref=PATH)

    assert [request.credential_ref for request in requests] == [CredentialRef(path=PATH)] * 2
    assert [request.secret for request in requests] == ["{}"] * 2


def test_a_member_may_have_its_own_or_a_login() -> None:
    own = {"host": "192.0.2.2", "credential_ref": {"path": "other", "version": 1}}
    login = {"host": "192.0.2.3", "username": "x", "password": "its-own-password"}
    shared, other, plain = bulk([{"host": "192.0.2.1"}, own, login], credential_ref=PATH)

    assert shared.credential_ref == CredentialRef(path=PATH)
    assert other.credential_ref == CredentialRef(path="other", version=1)
    assert plain.credential_ref is None
    assert "credential_ref" not in plain.public
    assert plain.public["connection_args"]["username"] == "x"


def test_a_member_s_reference_replaces_the_common_login() -> None:
    example = DRIVERS["netmiko"].example
    [request] = bulk([{"host": "192.0.2.1", "credential_ref": PATH}], connection_args=example)

    assert request.credential_ref == CredentialRef(path=PATH)
    assert "username" not in request.public["connection_args"]
    assert request.secret == "{}"


def test_a_member_with_both_fails_alone() -> None:
    both = {"host": "192.0.2.2", "credential_ref": PATH, "password": "x"}
    found = Bulk(MODELS, {**body(), "devices": [{"host": "192.0.2.1", "credential_ref": PATH}, both]})
    found.request(0)
    with pytest.raises(RequestInvalid, match="credential_ref goes instead of username and password"):
        found.request(1)


def test_a_common_part_with_both_is_refused_at_once() -> None:
    example = DRIVERS["netmiko"].example
    with pytest.raises(RequestInvalid, match="credential_ref goes instead of username and password"):
        bulk([{"host": "192.0.2.1"}], connection_args=example, credential_ref=PATH)


def test_bulks_with_other_references_are_other_bulks() -> None:
    def texts(ref: str) -> list[str]:
        return [*Bulk(MODELS, {**body(), "devices": [{"host": "192.0.2.1"}], "credential_ref": ref}).texts()]

    assert texts("a") != texts("b")
