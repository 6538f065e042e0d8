"""What is behind Vault's URLs: which request asks for what, and may it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from tests.vault.answers import Answer, Json, Refusal, not_found
from tests.vault.kv import Engine
from tests.vault.tokens import Tokens

VERSION = "1.20.0"


@dataclass(frozen=True)
class Request:
    """`path`: below /v1/, decoded, without slashes around. `headers`: by names such as X-Vault-Token."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: Json) -> Request:
        """As it came. PUT is POST, and GET with list=true is LIST (https://developer.hashicorp.com/vault/api-docs)."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        method = "POST" if method == "PUT" else "LIST" if query.get("list") == "true" else method
        return cls(method, unquote(url.path).removeprefix("/v1/").strip("/"), query, headers, body)


class Interface:
    """One Vault, whatever listens. One request at a time."""

    def __init__(self, clock: Callable[[], float], *, mount: str, approle_mount: str, namespace: str) -> None:
        self.tokens = Tokens(clock)
        self.engine = Engine(clock)
        self.sealed = False
        self._clock = clock
        self._mount = mount + "/"
        self._login = f"auth/{approle_mount}/login"
        self.namespace = namespace
        self.lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        with self.lock:
            try:
                return self._answer(request)
            except Refusal as refusal:
                return refusal.answer

    def _answer(self, request: Request) -> Answer:
        if request.path == "sys/health":
            return self._health()
        if request.path == "sys/seal-status":
            return Answer(200, {"type": "shamir", "initialized": True, "sealed": self.sealed, "version": VERSION})
        if self.sealed:
            raise Refusal(503, "Vault is sealed")
        if request.headers.get("X-Vault-Namespace", "").strip("/") != self.namespace:
            raise Refusal(404, "no handler for route. route entry not found.")
        if (request.method, request.path) == ("POST", self._login):
            return self.tokens.log_in(request.body)
        token = self.tokens.known(request.headers.get("X-Vault-Token"))
        spelled = request.path + "/" if request.method == "LIST" else request.path
        self.tokens.require(token, spelled, self._capability(request))
        match request.method, request.path:
            case "GET", "auth/token/lookup-self":
                return self.tokens.look_up(token)
            case "POST", "auth/token/renew-self":
                return self.tokens.renew(token, request.body)
        return self._keep(request)

    def _health(self) -> Answer:
        """GET sys/health: https://developer.hashicorp.com/vault/api-docs/system/health"""
        body = {
            "initialized": True,
            "sealed": self.sealed,
            "standby": False,
            "performance_standby": False,
            "replication_performance_mode": "unknown" if self.sealed else "disabled",
            "replication_dr_mode": "unknown" if self.sealed else "disabled",
            "server_time_utc": int(self._clock()),
            "version": VERSION,
        }
        named = {} if self.sealed else {"cluster_name": "vault-cluster-stand-in", "cluster_id": str(uuid4())}
        return Answer(503 if self.sealed else 200, {**body, **named})

    def _capability(self, request: Request) -> str:
        """The engine looks whether there is something, to tell creating from updating."""
        match request.method:
            case "GET":
                return "read"
            case "LIST" | "DELETE":
                return request.method.lower()
        kind, _, path = request.path.removeprefix(self._mount).partition("/")
        return "create" if kind in ("data", "metadata") and path not in self.engine.entries else "update"

    def _keep(self, request: Request) -> Answer:
        if not (request.path + "/").startswith(self._mount):
            raise Refusal(404, f'no handler for route "{request.path}". route entry not found.')
        kind, _, path = request.path.removeprefix(self._mount).partition("/")
        if path.endswith("."):
            raise Refusal(404, "unsupported path")  # "Parameter restrictions" in /vault/api-docs
        match request.method, kind:
            case "LIST", "metadata":
                return self.engine.list_metadata(path)
            case _ if not path:
                raise not_found()
            case "GET", "data":
                return self.engine.read_data(path, int(request.query.get("version", 0)))
            case "POST", "data":
                return self.engine.write_data(path, request.body)
            case "DELETE", "data":
                return self.engine.delete_latest(path)
            case "GET", "metadata":
                return self.engine.read_metadata(path)
            case "POST", "metadata":
                return self.engine.write_metadata(path, request.body)
            case "DELETE", "metadata":
                return self.engine.delete_metadata(path)
            case "POST", "delete" | "undelete" | "destroy":
                return self.engine.mark(path, request.body, kind)
        raise Refusal(405, "unsupported operation")
