"""The KV secrets engine, version 2: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2

Details beyond the page are those of its source, https://github.com/hashicorp/vault-plugin-secrets-kv.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.vault.answers import Answer, Json, Refusal, not_found, secret, timestamp

KEPT_VERSIONS = 10


@dataclass
class Version:
    created_at: float
    data: Json | None
    """None: destroyed."""
    deleted_at: float | None = None

    def about(self) -> Json:
        return {
            "created_time": timestamp(self.created_at),
            "deletion_time": timestamp(self.deleted_at),
            "destroyed": self.data is None,
        }


@dataclass
class Entry:
    created_at: float
    updated_at: float
    versions: dict[int, Version] = field(default_factory=dict)
    current: int = 0
    custom_metadata: Mapping[str, str] | None = None
    max_versions: int = 0
    cas_required: bool = False
    delete_version_after_s: int = 0


class Engine:
    """Everything at one mount. Methods are named for the first part of the path below it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.entries: dict[str, Entry] = {}

    def read_data(self, path: str, version: int) -> Answer:
        """GET data/:path; `version` 0: the latest. One that is deleted or destroyed is a 404 with its metadata."""
        entry = self._at(path)
        number = version or entry.current
        found = entry.versions.get(number)
        if found is None:
            raise not_found()
        about = {**found.about(), "version": number, "custom_metadata": entry.custom_metadata}
        if found.data is None or (found.deleted_at is not None and found.deleted_at <= self._clock()):
            raise Refusal(404, data={"data": None, "metadata": about})
        return Answer(200, secret({"data": found.data, "metadata": about}))

    def write_data(self, path: str, body: Json) -> Answer:
        """POST data/:path"""
        if not isinstance(body.get("data"), dict):
            raise Refusal(400, "no data provided")
        entry = self.entries.get(path) or Entry(self._clock(), self._clock())
        self._check_and_set(entry, body.get("options") or {})
        self.entries[path] = entry
        entry.current += 1
        entry.updated_at = self._clock()
        entry.versions[entry.current] = version = Version(entry.updated_at, body["data"])
        if entry.delete_version_after_s:
            version.deleted_at = entry.updated_at + entry.delete_version_after_s
        for old in sorted(entry.versions)[: -(entry.max_versions or KEPT_VERSIONS)]:
            del entry.versions[old]
        about = {**version.about(), "version": entry.current, "custom_metadata": entry.custom_metadata}
        return Answer(200, secret(about))

    @staticmethod
    def _check_and_set(entry: Entry, options: Json) -> None:
        if "cas" in options:
            if options["cas"] != entry.current:
                raise Refusal(400, "check-and-set parameter did not match the current version")
        elif entry.cas_required:
            raise Refusal(400, "check-and-set parameter required for this call")

    def delete_latest(self, path: str) -> Answer:
        """DELETE data/:path; a soft deletion."""
        if path in self.entries and self.entries[path].current:
            self.entries[path].versions[self.entries[path].current].deleted_at = self._clock()
        return Answer(204)

    def mark(self, path: str, body: Json, deed: str) -> Answer:
        """POST delete/:path, undelete/:path, destroy/:path"""
        if not body.get("versions"):
            raise Refusal(400, "no version number provided")
        entry = self._at(path)
        for version in (entry.versions[int(number)] for number in body["versions"] if int(number) in entry.versions):
            if deed == "destroy":
                version.data = None
            else:
                version.deleted_at = self._clock() if deed == "delete" else None
        return Answer(204)

    def read_metadata(self, path: str) -> Answer:
        """GET metadata/:path"""
        entry = self._at(path)
        return Answer(
            200,
            secret(
                {
                    "cas_required": entry.cas_required,
                    "created_time": timestamp(entry.created_at),
                    "current_version": entry.current,
                    "custom_metadata": entry.custom_metadata,
                    "delete_version_after": f"{entry.delete_version_after_s}s",
                    "max_versions": entry.max_versions,
                    "oldest_version": min(entry.versions, default=0),
                    "updated_time": timestamp(entry.updated_at),
                    "versions": {str(number): version.about() for number, version in entry.versions.items()},
                }
            ),
        )

    def write_metadata(self, path: str, body: Json) -> Answer:
        """POST metadata/:path; what is not named stays. Custom metadata is replaced whole, within Vault's limits."""
        custom = body.get("custom_metadata")
        if custom is not None:
            _require_valid(custom)
        entry = self.entries.setdefault(path, Entry(self._clock(), self._clock()))
        entry.custom_metadata = custom if custom is not None else entry.custom_metadata
        entry.max_versions = body.get("max_versions", entry.max_versions)
        entry.cas_required = body.get("cas_required", entry.cas_required)
        if "delete_version_after" in body:
            entry.delete_version_after_s = int(str(body["delete_version_after"]).removesuffix("s"))
        return Answer(204)

    def delete_metadata(self, path: str) -> Answer:
        """DELETE metadata/:path; it is no error if there is nothing."""
        self.entries.pop(path, None)
        return Answer(204)

    def list_metadata(self, path: str) -> Answer:
        """LIST metadata/:path; folders end in a slash, and nothing is a 404."""
        folder = path.rstrip("/") + "/" if path.strip("/") else ""
        below = [entry.removeprefix(folder) for entry in self.entries if entry.startswith(folder)]
        if not below:
            raise not_found()
        return Answer(200, secret({"keys": sorted({_first(name) for name in below})}))

    def _at(self, path: str) -> Entry:
        if path not in self.entries:
            raise not_found()
        return self.entries[path]


def _first(path: str) -> str:
    name, slash, _ = path.partition("/")
    return name + slash


def _require_valid(custom: Mapping[str, Any]) -> None:
    """The limits on "Create/update metadata" of the page; the words are the engine's."""
    failed = "custom_metadata validation failed"
    if len(custom) > 64:
        raise Refusal(400, f"{failed}: payload must contain at most 64 keys, provided {len(custom)}")
    for key, value in custom.items():
        if not 0 < len(key) <= 128:
            raise Refusal(400, f'{failed}: length of key "{key}" is {len(key)} but must be 0 < len(key) <= 128')
        if not 0 < len(value) <= 512:
            raise Refusal(400, f'{failed}: length of value for key "{key}" is {len(value)} but must be 0 < len <= 512')
