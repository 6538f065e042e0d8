"""`/credential`: what providers keep, and what is said of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from app.access import AccessLog
from app.main import create_app
from jobs.credentials.base import Stored
from jobs.credentials.errors import CredentialError, PathRefused, VaultUnavailable
from jobs.settings import VaultSettings
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.serving import SECRET, InThread, client, settings
from tests.vault.server import VaultServer

PATH = "sites/hq/admin"
ACTIONS = ("test", "create", "read", "delete", "list", "metadata", "batch-read")


class Sulky:
    """A provider that answers `read` with what its test put at the path, and knows nothing else."""

    name = "sulky"

    def __init__(self) -> None:
        self.kept: dict[str, Stored | Exception] = {}

    async def read(self, path: str, version: int | None = None) -> Stored:
        found = self.kept[path]
        if isinstance(found, Exception):
            raise found
        return found


def entry(**changes: Any) -> dict[str, Any]:
    """A valid body for `create`, with `changes`; a field changed to None is left out."""
    whole = {"path": PATH, "username": "admin", "password": SECRET, **changes}
    return {name: value for name, value in whole.items() if value is not None}


@dataclass
class Store:
    """A provider behind the API."""

    api: httpx.Client
    provider: str

    def ask(self, action: str, **body: Any) -> httpx.Response:
        return self.api.post(f"/credential/{self.provider}/{action}", json=body)

    def create(self, **changes: Any) -> dict[str, Any]:
        data: dict[str, Any] = success(self.ask("create", **entry(**changes)))
        return data


def revealed(answer: httpx.Response) -> dict[str, Any]:
    """The data of a success that is meant to say a password."""
    assert answer.status_code == 200
    data: dict[str, Any] = answer.json()["data"]
    return data


@pytest.fixture
def local(api: httpx.Client) -> Store:
    return Store(api, "local")


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with VaultServer() as server:
        yield server


@pytest.fixture
def vaulted(database: str, vault: VaultServer) -> Iterator[Store]:
    """`vault`, of an API for which it is configured."""
    about = VaultSettings(address=vault.url, token=SecretStr(vault.root_token))
    app = create_app(settings().model_copy(update={"vault": about}), database)
    assert isinstance(app, AccessLog)
    with InThread(app) as served, client(served.url) as api:
        yield Store(api, "vault")


@pytest.fixture(params=["local", "vaulted"])
def store(request: pytest.FixtureRequest) -> Store:
    """Both: the same bodies have the same answers."""
    store: Store = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def sulky(served: tuple[InThread, httpx.Client]) -> Iterator[Sulky]:
    """A provider beside the built-in one, in the place of a plug-in."""
    provider = Sulky()
    credentials: Any = served[0].services.credentials
    credentials["sulky"] = provider
    yield provider
    del credentials["sulky"]


def test_storing_and_reading(store: Store) -> None:
    assert store.create(password="first", metadata={"owner": "ops"}) == {"path": PATH, "version": 1}
    assert store.create(path=f"/{PATH}/") == {"path": PATH, "version": 2}
    shown = {"path": PATH, "username": "admin", "metadata": {"owner": "ops"}}
    assert success(store.ask("read", path=PATH)) == {**shown, "password": "***", "version": 2}
    whole = revealed(store.ask("read", path=PATH, show_password=True))
    assert whole == {**shown, "password": SECRET, "version": 2}
    first = success(store.ask("read", path=PATH, version=1, show_password=True))
    assert (first["password"], first["version"]) == ("first", 1)


def test_names_of_fields(store: Store) -> None:
    """What stands beside the login is not shown."""
    store.create(username_key="user", password_key="enable")
    keys = {"username_key": "user", "password_key": "enable"}
    whole = revealed(store.ask("read", path=PATH, show_password=True, **keys))
    assert (whole["username"], whole["password"]) == ("admin", SECRET)
    answer = failure(store.ask("read", path=PATH), 400)
    assert answer["message"].startswith(f"The credential {PATH} has no field 'username'")
    assert answer["data"] is None


def test_deleting(store: Store) -> None:
    store.create()
    assert success(store.ask("delete", path=PATH)) == {"path": PATH, "deleted": True}
    for action in ("delete", "read", "metadata"):
        assert failure(store.ask(action, path=PATH), 404)["message"].startswith("There is no credential")


def test_listing(store: Store) -> None:
    for path in (PATH, "sites/hq", "sites/lab/admin", "root"):
        store.create(path=path)

    def listed(**body: Any) -> tuple[str, list[str]]:
        data = success(store.ask("list", **body))
        return data["path_prefix"], data["paths"]

    assert listed() == ("", ["root", "sites/"])
    assert listed(path_prefix="/") == ("", ["root", "sites/"])
    assert listed(path_prefix="sites/") == ("sites", ["sites/hq", "sites/hq/", "sites/lab/"])
    assert listed(path_prefix="sites", recursive=True) == ("sites", ["sites/hq", PATH, "sites/lab/admin"])
    assert listed(path_prefix="nowhere") == ("nowhere", [])


def test_metadata(store: Store) -> None:
    for metadata in ({"owner": "Zoë"}, None):
        store.create(metadata=metadata)
    about = success(store.ask("metadata", path=PATH))
    newest, oldest = about.pop("versions")
    assert about.pop("created_time") <= oldest.pop("created_time") < newest["created_time"]
    assert about.pop("updated_time") >= newest.pop("created_time")
    assert about == {"path": PATH, "current_version": 2, "custom_metadata": {"owner": "Zoë"}}
    readable = {"deletion_time": None, "destroyed": False}
    assert [newest, oldest] == [{"version": 2, **readable}, {"version": 1, **readable}]


def test_reading_many(store: Store) -> None:
    """In the order of the paths; what is not there fails alone."""
    for number in range(30):
        store.create(path=f"r{number}", password=f"secret-{number}")
    paths = [f"r{number}" for number in reversed(range(30))]
    hidden = success(store.ask("batch-read", paths=[*paths, "nowhere"]))
    assert [view["path"] for view in hidden["succeeded"]] == paths
    assert {view["password"] for view in hidden["succeeded"]} == {"***"}
    [failed] = hidden["failed"]
    assert failed["path"] == "nowhere"
    assert "nowhere" in failed["reason"]
    assert [hidden[name] for name in ("total", "success_count", "failed_count")] == [31, 30, 1]
    whole = success(store.ask("batch-read", paths=paths, show_password=True))
    assert [view["password"] for view in whole["succeeded"]] == [f"secret-{number}" for number in reversed(range(30))]


def test_the_provider_itself(local: Store) -> None:
    local.create()
    data = success(local.api.post("/credential/local/test"))
    assert data == {"provider": "local", "success": True, "info": {"credentials": 1, "versions": 1}}


def test_vault_itself(vaulted: Store, vault: VaultServer) -> None:
    data = success(vaulted.api.post("/credential/vault/test"))
    assert (data["provider"], data["success"], data["info"]["sealed"]) == ("vault", True, False)
    vault.seal()
    for action in ACTIONS:
        answer = vaulted.ask(action, **body_of(action))
        assert "sealed" in failure(answer, 503)["message"]
        assert answer.headers["retry-after"]
    success(vaulted.api.post("/credential/local/test"))


def body_of(action: str) -> dict[str, Any]:
    """A valid body."""
    match action:
        case "test":
            return {}
        case "create":
            return entry()
        case "list":
            return {"path_prefix": "sites"}
        case "batch-read":
            return {"paths": [PATH, "other"]}
    return {"path": PATH}


@pytest.mark.parametrize("action", ACTIONS)
def test_unknown_providers(asking: httpx.Client, action: str) -> None:
    answer = failure(asking.post(f"/credential/vault/{action}", json=entry()), 404)
    assert answer["message"] == "There is no such provider of credentials; known: local."


BAD: dict[str, tuple[str, dict[str, Any], list[str | int]]] = {
    "no path": ("create", entry(path=None), ["path"]),
    "climbing path": ("read", {"path": "sites/../root"}, ["path"]),
    "null in path": ("delete", {"path": "a\0b"}, ["path"]),
    "long path": ("metadata", {"path": "a" * 513}, ["path"]),
    "no username": ("create", entry(username=None), ["username"]),
    "empty username": ("create", entry(username=""), ["username"]),
    "no password": ("create", entry(password=None), ["password"]),
    "long password": ("create", entry(password=SECRET * 1000), ["password"]),
    "password of another type": ("create", entry(password=[SECRET]), ["password"]),
    "one field": ("create", entry(username_key="x", password_key="x"), []),
    "a secret's field": ("read", {"path": PATH, "username_key": "password"}, ["username_key"]),
    "unknown": ("create", entry(pasword=SECRET), ["pasword"]),
    "metadata of another type": ("create", entry(metadata={"a": 1}), ["metadata", "a"]),
    "null in metadata": ("create", entry(metadata={"a": "\0"}), ["metadata"]),
    "much metadata": ("create", entry(metadata={str(number): "" for number in range(65)}), ["metadata"]),
    "long metadata": ("create", entry(metadata={"a": "a" * 513}), ["metadata", "a"]),
    "version": ("read", {"path": PATH, "version": 0}, ["version"]),
    "great version": ("read", {"path": PATH, "version": 2**31}, ["version"]),
    "climbing prefix": ("list", {"path_prefix": ".."}, ["path_prefix"]),
    "no paths": ("batch-read", {"paths": []}, ["paths"]),
    "many paths": ("batch-read", {"paths": [PATH] * 101}, ["paths"]),
    "a bad path": ("batch-read", {"paths": [PATH, "a//b"]}, ["paths", 1]),
    "one path": ("batch-read", {"paths": PATH}, ["paths"]),
}


@pytest.mark.parametrize(("action", "body", "place"), BAD.values(), ids=BAD.keys())
def test_bad_bodies(asking: httpx.Client, action: str, body: dict[str, Any], place: list[str | int]) -> None:
    assert fault(Store(asking, "local").ask(action, **body))["loc"] == place


def test_described_examples_are_accepted(asking: httpx.Client, local: Store) -> None:
    paths = asking.get("/docs/openapi.json").json()["paths"]
    for path in (PATH, "sites/lab/admin"):
        local.create(path=path)
    for action in ("create", "read", "list", "metadata", "batch-read", "delete"):
        [media] = paths[f"/credential/{{provider}}/{action}"]["post"]["requestBody"]["content"].values()
        for example in media["examples"].values():
            success(local.ask(action, **example["value"]))
    assert "requestBody" not in paths["/credential/{provider}/test"]["post"]


def test_what_a_provider_does_not_give(api: httpx.Client, sulky: Sulky) -> None:
    cases: list[tuple[Exception, int]] = [
        (PathRefused("the site keeps secret/x from NetPulse"), 403),
        (CredentialError("it is not a login"), 400),
        (VaultUnavailable("vault is sealed"), 503),
    ]
    for error, status in cases:
        sulky.kept = {PATH: error}
        answer = api.post("/credential/sulky/read", json={"path": PATH})
        message = failure(answer, status)["message"]
        assert message == f"{str(error)[0].upper()}{str(error)[1:]}."
        assert ("retry-after" in answer.headers) == (status == 503)


def test_reading_many_from_a_provider_that_goes_away(api: httpx.Client, sulky: Sulky) -> None:
    """Nothing of what was read before is answered."""
    stored = Stored({"username": "admin", "password": SECRET, "other": "o"}, 1)
    sulky.kept = {"a": stored, "b": PathRefused("not for us"), "c": stored}
    body = {"paths": ["a", "b", "c"]}
    data = success(api.post("/credential/sulky/batch-read", json=body))
    assert data["success_count"] == 2
    assert data["failed"] == [{"path": "b", "reason": "not for us"}]
    sulky.kept["c"] = VaultUnavailable("vault is sealed")
    answer = api.post("/credential/sulky/batch-read", json=body)
    assert failure(answer, 503)["message"] == "Vault is sealed."
    assert answer.headers["retry-after"]


def test_a_key_for_some_credentials_reaches_no_others(api: httpx.Client, local: Store) -> None:
    """Nor does an admin's."""
    local.create()
    local.create(path="labs/one")
    with coming_with(api.base_url, make_key(api, "labs", "admin", credentials=["labs/*"])) as labs:
        mine = Store(labs, "local")
        assert success(mine.ask("list", recursive=True))["paths"] == ["labs/one"]
        success(mine.ask("batch-read", paths=["labs/one"]))
        bodies: dict[str, dict[str, Any]] = {name: {"path": PATH} for name in ("read", "delete", "metadata")}
        for action, body in (bodies | {"create": entry(), "batch-read": {"paths": ["labs/one", PATH]}}).items():
            assert "not for the credential" in failure(mine.ask(action, **body), 403)["message"]
    assert success(local.ask("metadata", path=PATH))["current_version"] == 1


def test_what_is_on_record(local: Store, database: str) -> None:
    """Who read what, and whether the password was shown; not the password."""
    local.create()
    success(local.ask("read", path=PATH))
    revealed(local.ask("read", path=PATH, show_password=True))
    revealed(local.ask("batch-read", paths=[PATH], show_password=True))
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT action, subject, detail FROM netpulse.audit_event ORDER BY id").fetchall()
    route = "POST /credential/{provider}/"
    assert [(action.removeprefix(route), subject, detail) for action, subject, detail in rows] == [
        ("create", PATH, {"provider": "local"}),
        ("read", PATH, {"provider": "local", "revealed": False}),
        ("read", PATH, {"provider": "local", "revealed": True}),
        ("batch-read", None, {"provider": "local", "paths": [PATH], "revealed": True}),
    ]
