"""Settings: every bad value at once, each with its variable's name, none with its value."""

import os

import pytest

from jobs.seal import new_key
from jobs.settings import Settings, SettingsError, load_settings
from jobs.startup import process_secrets, require


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NETPULSE_") or name == "DATABASE_URL"]:
        monkeypatch.delenv(name)


def _faults() -> dict[str, str]:
    with pytest.raises(SettingsError) as raised:
        load_settings()
    return dict(line.split(": ", 1) for line in str(raised.value).splitlines())


def test_the_defaults_are_valid() -> None:
    assert load_settings() == Settings()


def test_all_bad_values_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "DATABASE_URL": "mysql://user:hidden-word@host/db",
        "NETPULSE_SERVER__PORT": "0",
        "NETPULSE_SERVER__API_KEY": "hidden-word",
        "NETPULSE_WORKER__ZONE": "No Such Zone",
        "NETPULSE_WORKER__CAPCITY": "5",
        "NETPULSE_LOG__LEVEL": "hidden-word",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    faults = _faults()

    assert set(faults) == set(bad)
    assert not any("hidden-word" in fault for fault in faults.values())


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"FENCE_S": "30"}, "DEAD_S"),  # above the default of DEAD_S
        ({"DEAD_S": "10"}, "DEAD_S"),
        ({"FENCE_S": "20", "DEAD_S": "20"}, "DEAD_S"),
        ({"BEAT_S": "10"}, "FENCE_S"),
        ({"FENCE_S": "1"}, "FENCE_S"),
    ],
)
def test_a_worker_must_stop_before_others_take_over(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"NETPULSE_WORKER__{name}", value)

    assert set(_faults()) == {f"NETPULSE_WORKER__{named}"}


def test_an_unknown_placement_policy_is_named_with_those_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETPULSE_SERVER__PLACEMENT", "best")
    fault = _faults()["NETPULSE_SERVER__PLACEMENT"]

    assert "greedy, least_load, least_load_random, load_weighted_random" in fault


def test_a_group_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETPULSE_SERVER", "{hidden-word")
    faults = _faults()

    assert set(faults) == {"NETPULSE_SERVER"}
    assert "hidden-word" not in str(faults)


def test_several_secret_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [new_key(), new_key()]
    monkeypatch.setenv("NETPULSE_SECRET_KEYS", f" {keys[0]} , {keys[1]},")
    settings = load_settings()

    assert [key.get_secret_value() for key in settings.secret_keys] == keys
    assert not any(key in repr(settings) for key in keys)
    assert set(keys) <= set(process_secrets(settings))


def test_what_is_missing_is_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingsError) as raised:
        require(Settings(), api_key=True)

    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "DATABASE_URL",
        "NETPULSE_SECRET_KEYS",
        "NETPULSE_SERVER__API_KEY",
    ]


def test_a_process_needs_only_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://netpulse@db/netpulse")
    assert require(load_settings(), keys=False) == "postgresql://netpulse@db/netpulse"


def test_a_malformed_secret_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETPULSE_SECRET_KEYS", f"{new_key()},hidden-word")
    with pytest.raises(SettingsError, match="NETPULSE_SECRET_KEYS") as raised:
        require(load_settings())

    assert "hidden-word" not in str(raised.value)


def test_the_databases_password_is_a_secret_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://netpulse:p%40ss-word@db/netpulse")

    assert {"p@ss-word", "p%40ss-word"} <= set(process_secrets(load_settings()))
