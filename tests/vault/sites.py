"""A Vault to test against: the stand-in, or a real one whose VAULT_ADDR and VAULT_TOKEN (root's) are exported."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import hvac
import pytest

from jobs.settings import VaultSettings
from tests.vault.server import VaultServer


@dataclass
class Site(ABC):
    """What a test may do as root, by hvac's own client. All of it lies below `base`."""

    url: str
    token: str = field(repr=False)
    root: Any
    base: str = field(default_factory=lambda: f"netpulse-tests/{uuid4().hex}")

    @property
    def name(self) -> str:
        """Of what is no path: policies, mounts."""
        return self.base.replace("/", "-")

    @property
    def kv(self) -> Any:
        return self.root.secrets.kv.v2

    def settings(self, **given: Any) -> VaultSettings:
        login = {} if "role_id" in given else {"token": self.token}
        return VaultSettings.model_validate({"address": self.url, "timeout_s": 30, **login, **given})

    @abstractmethod
    def role(self, rules: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        """Settings of an AppRole with these rules."""


@dataclass
class StandIn(Site):
    server: VaultServer = field(kw_only=True)

    def role(self, rules: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        self.server.add_policy(self.name, rules)
        role_id, secret_id = self.server.add_role([self.name])
        return {"role_id": role_id, "secret_id": secret_id}


@dataclass
class Real(Site):
    def role(self, rules: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        paths = {path: {"capabilities": list(capabilities)} for path, capabilities in rules.items()}
        self.root.sys.create_or_update_policy(self.name, {"path": paths})
        self.root.sys.enable_auth_method("approle", path=self.name)
        approle = self.root.auth.approle
        approle.create_or_update_approle("tests", token_policies=[self.name], token_ttl="1h", mount_point=self.name)
        role_id = approle.read_role_id("tests", mount_point=self.name)["data"]["role_id"]
        secret_id = approle.generate_secret_id("tests", mount_point=self.name)["data"]["secret_id"]
        return {"role_id": role_id, "secret_id": secret_id, "approle_mount": self.name}

    def clean(self) -> None:
        """Leave nothing behind."""
        self._forget(self.base)
        self.root.sys.disable_auth_method(self.name)
        self.root.sys.delete_policy(self.name)

    def _forget(self, folder: str) -> None:
        try:
            names = self.kv.list_secrets(folder)["data"]["keys"]
        except hvac.exceptions.InvalidPath:
            return
        for name in names:
            path = f"{folder}/{name}"
            self._forget(path.rstrip("/")) if name.endswith("/") else self.kv.delete_metadata_and_all_versions(path)


@contextmanager
def stand_in() -> Iterator[Site]:
    with VaultServer() as server, _root(server.url, server.root_token) as root:
        yield StandIn(server.url, server.root_token, root, server=server)


@contextmanager
def real() -> Iterator[Site]:
    """Skips the test where there is none."""
    url, token = os.environ.get("VAULT_ADDR"), os.environ.get("VAULT_TOKEN")
    if not url or not token:
        pytest.skip("NOT TESTED AGAINST A REAL VAULT: export VAULT_ADDR and VAULT_TOKEN (deploy/compose.vault.yaml)")
    with _root(url, token) as root:
        site = Real(url, token, root)
        try:
            yield site
        finally:
            site.clean()


@contextmanager
def _root(url: str, token: str) -> Iterator[Any]:
    client = hvac.Client(url=url, token=token)
    try:
        yield client
    finally:
        client.adapter.close()
