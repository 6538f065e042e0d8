"""Which providers there are, plug-ins that are really installed among them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from jobs.credentials.local import LocalStore
from jobs.credentials.providers import default_provider, load_providers
from jobs.seal import Seal, new_key
from jobs.settings import CredentialSettings, Settings, SettingsError, VaultSettings

pytestmark = pytest.mark.anyio

PLUG_IN = """
class Safe:
    def __init__(self):
        self.name = {name!r}
"""

VAULT = VaultSettings(address="http://127.0.0.1:1", token=SecretStr("no-token"))


async def _no_rows(_sql: str, *_values: object) -> list[dict[str, object]]:
    return []


@pytest.fixture
def local() -> LocalStore:
    return LocalStore(_no_rows, Seal([new_key()]))


def install(folder: Path, name: str) -> None:
    """A distribution with a provider called `name`, as pip would leave it."""
    (folder / f"safe_of_{name}.py").write_text(PLUG_IN.format(name=name))
    about = folder / f"safe_of_{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: safe-of-{name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[netpulse.credentials]\n{name} = safe_of_{name}:Safe\n")


async def test_built_in_ones(local: LocalStore) -> None:
    assert load_providers(Settings(), local) == {"local": local}
    both = load_providers(Settings(vault=VAULT), local)
    assert sorted(both) == ["local", "vault"]
    assert [name for name, provider in both.items() if provider.name == name] == list(both)
    for provider in both.values():
        await provider.close()


def test_plug_ins(local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "safe")
    monkeypatch.syspath_prepend(tmp_path)
    providers = load_providers(Settings(), local)
    assert sorted(providers) == ["local", "safe"]
    assert providers["safe"].name == "safe"
    assert default_provider(Settings(credentials=CredentialSettings(provider="safe")), providers) == "safe"


@pytest.mark.parametrize("name", ["local", "vault"])
def test_built_in_names_are_taken(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    install(tmp_path, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=f"safe_of_{name}:Safe .* {name}"):
        load_providers(Settings(), local)


def test_the_default() -> None:
    assert default_provider(Settings(), ["local"]) == "local"
    assert default_provider(Settings(), ["local", "vault"]) == "vault"
    chosen = Settings(credentials=CredentialSettings(provider="local"))
    assert default_provider(chosen, ["local", "vault"]) == "local"
    with pytest.raises(SettingsError, match=r"NETPULSE_CREDENTIALS__PROVIDER: .* installed: local, vault"):
        default_provider(Settings(credentials=CredentialSettings(provider="safe")), ["vault", "local"])
