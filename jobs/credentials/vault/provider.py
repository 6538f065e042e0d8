"""HashiCorp Vault's KV secrets engine, version 2."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from hvac.api.auth_methods import Token
from hvac.api.secrets_engines import KvV2
from hvac.api.system_backend import Health as HealthApi
from hvac.utils import format_url

from jobs.credentials.base import About, Stored
from jobs.credentials.errors import CredentialError, NoSuchCredential, PathRefused, VaultUnavailable
from jobs.credentials.vault.answers import Health, Keys, OwnToken, Secret, SecretMetadata, Shape, Written, shaped
from jobs.credentials.vault.listing import Listing
from jobs.credentials.vault.login import Login
from jobs.credentials.vault.paths import AllowedPaths
from jobs.credentials.vault.wire import Answer, Asking, Wire
from jobs.settings import VaultSettings

Ask = Callable[[Asking], Awaitable[Answer]]


class Vault:
    """A `jobs.credentials.base.Provider`. Of the environment nothing counts, neither VAULT_* nor proxies nor .netrc."""

    name = "vault"

    def __init__(self, wire: Wire, login: Login, allowed: AllowedPaths, mount: str) -> None:
        self._wire = wire
        self._login = login
        self._allowed = allowed
        self._mount = mount

    @classmethod
    def of(cls, settings: VaultSettings, clock: Callable[[], float] = time.monotonic) -> Self:
        """For settings with an address; connects to nothing yet. Raises SettingsError for a bad `ca_file`."""
        wire = Wire(settings, clock)
        return cls(wire, Login(wire, settings, clock), AllowedPaths(settings.prefix_paths), settings.mount)

    async def test(self) -> Mapping[str, Any]:
        """`version` and `standby` of Vault, `policies`, `ttl_s` (None: without end) and `renewable` of our token."""
        health = await self._health()
        answer = await self._authorised(lambda asking: Token(asking).lookup_self())
        own = shaped(OwnToken, answer)
        if own is None:
            raise VaultUnavailable(f"{self._wire.name} does not let our token look itself up")
        return {
            "version": health.version,
            "sealed": health.sealed,
            "standby": health.standby,
            "policies": own.policies,
            "ttl_s": own.ttl or None,
            "renewable": own.renewable,
        }

    async def create(
        self,
        path: str,
        data: Mapping[str, str],
        metadata: Mapping[str, str] | None,
        by: str,  # noqa: ARG002 - Vault's own audit tells who we are, and has no room for whom we serve
    ) -> int:
        """See Provider. The metadata come first: refused, they leave no version behind."""
        self._allowed.require(path)
        if metadata is not None:
            await self._ask(path, lambda asking: self._describe(asking, path, metadata))
        answer = await self._ask(
            path, lambda asking: KvV2(asking).create_or_update_secret(path, dict(data), mount_point=self._mount)
        )
        return self._in(Written, answer).version

    async def read(self, path: str, version: int | None = None) -> Stored:
        """See Provider."""
        self._allowed.require(path)
        answer = await self._ask(
            path, lambda asking: KvV2(asking).read_secret_version(path, version, self._mount, True), version
        )
        secret = shaped(Secret, answer)
        if secret is None:
            raise CredentialError(f"what Vault keeps at {path} are not texts by name")
        return secret.stored()

    async def delete(self, path: str) -> None:
        """See Provider. Vault deletes what is not there, too, so we look first."""
        await self.about(path)
        await self._ask(
            path, lambda asking: KvV2(asking).delete_metadata_and_all_versions(path, mount_point=self._mount)
        )

    async def list(self, prefix: str, *, recursive: bool) -> Sequence[str]:
        """See Provider. "" gives the site's allowed prefixes, if it has any. Raises CredentialError for too many."""
        starts = self._allowed.starts(prefix)
        if starts != (prefix,) and not recursive:
            return [f"{start}/" for start in starts]
        return await Listing(self._names).below(starts, recursive=recursive)

    async def about(self, path: str) -> About:
        """See Provider."""
        self._allowed.require(path)
        answer = await self._ask(path, lambda asking: KvV2(asking).read_secret_metadata(path, mount_point=self._mount))
        return self._in(SecretMetadata, answer).about(path)

    async def close(self) -> None:
        """See Provider."""
        await self._wire.close()

    async def _health(self) -> Health:
        """Health is asked for without a namespace: developer.hashicorp.com/vault/api-docs/system/health"""
        asking = self._wire.asking(namespaced=False)
        health = shaped(Health, await HealthApi(asking).read_health_status(method="GET"), None)
        if health is None:
            raise self._wire.misunderstood()
        if health.sealed or not health.initialized:
            raise VaultUnavailable(f"{self._wire.name} is {'sealed' if health.initialized else 'not initialised'}")
        return health

    async def _names(self, folder: str) -> Sequence[str]:
        """What is in a folder of Vault's, nothing if there is none; folders in it end in a slash."""
        try:
            answer = await self._ask(folder, lambda asking: KvV2(asking).list_secrets(folder, mount_point=self._mount))
        except NoSuchCredential:
            return []
        return self._in(Keys, answer).keys

    def _describe(self, asking: Asking, path: str, metadata: Mapping[str, str]) -> Awaitable[Answer]:
        """hvac's own call would also set anew when versions expire."""
        url: str = format_url("/v1/{mount}/metadata/{path}", mount=self._mount, path=path)
        return asking.post(url, json={"custom_metadata": dict(metadata)})

    async def _authorised(self, ask: Ask) -> Answer:
        """The answer to a request with our token; once more with a new one, if Vault has forgotten the old."""
        token = await self._login.token()
        answer = await ask(self._wire.asking(token))
        if answer.status == 403 and await self._login.replaced(token):
            answer = await ask(self._wire.asking(await self._login.token()))
        return answer

    async def _ask(self, path: str, ask: Ask, version: int | None = None) -> Answer:
        """The answer, if it is a good one; raises as Provider says."""
        answer = await self._authorised(ask)
        place = f"{path} in version {version}" if version is not None else path or "the credentials"
        match answer.status:
            case 200 | 204:
                return answer
            case 403:
                raise PathRefused(f"the policy of Vault keeps {place} from us")
            case 404 if answer.mentions("no handler for route"):
                raise CredentialError(f"Vault has nothing mounted at {self._mount}")
            case 404:
                raise NoSuchCredential(f"there is no credential at {place}")
        raise CredentialError(f"Vault refuses what was asked of it for {place} ({answer.status})")

    def _in(self, shape: type[Shape], answer: Answer) -> Shape:
        found = shaped(shape, answer)
        if found is None:
            raise self._wire.misunderstood()
        return found
