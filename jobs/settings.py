"""Everything that can be set, read once in each process's main from the environment.

A nested field is named with two underscores: `NETPULSE_SERVER__PORT`. `DATABASE_URL` goes without the prefix.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as NotParsed

from drivers.base import HostKeyPolicy
from jobs.allowed_urls import AllowedUrl, allowed_urls
from jobs.placement import DEFAULT, UnknownPolicy, require_policy

PREFIX = "NETPULSE_"

ZONE = "^[a-z0-9_-]{1,30}$"
"""A zone's name: part of queue names, which procrastinate limits to 40 characters."""


_MOUNT = r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$"


class SettingsError(Exception):
    """The environment does not make valid settings. The message lists every bad variable, a line each."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ServerSettings(_Group):
    """The HTTP API."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(9000, ge=1, le=65535, description="TCP port to listen on.")
    processes: int = Field(1, ge=1, le=64, description="API processes that share the port.")
    api_key: SecretStr | None = Field(None, min_length=16, description="Admin key; 16 characters or more. Required.")
    api_key_name: str = Field(
        "X-API-KEY",
        pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$",
        description="Name of the header, query parameter and cookie that carry the key.",
    )
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="Largest request body, in bytes.")
    database_connections: int = Field(10, ge=1, le=200, description="Connections to PostgreSQL per API process.")
    placement: str = Field(DEFAULT, description="Policy that chooses a worker for a device that nobody holds.")
    requests_per_minute: int = Field(
        0, ge=0, description="Requests that a key may make, unless it has a limit of its own; 0: no limit."
    )
    queued_jobs: int = Field(
        0, ge=0, description="Jobs that a key may have waiting, unless it has a limit of its own; 0: no limit."
    )
    audit_reads: bool = Field(
        False, description="Also record what was allowed and changes nothing. What was refused is always recorded."
    )

    @field_validator("placement")
    @classmethod
    def _is_installed(cls, placement: str) -> str:
        try:
            require_policy(placement)
        except UnknownPolicy as error:
            raise ValueError(str(error)) from None
        return placement


class WorkerSettings(_Group):
    """A worker process."""

    zone: str = Field("default", pattern=ZONE, description="Part of the network that it reaches.")
    capacity: int = Field(1000, ge=1, le=10_000, description="Sessions that it holds at the most.")
    concurrency: int = Field(256, ge=1, le=2000, description="Jobs that it runs at once, a thread each.")
    logins: int = Field(48, ge=1, le=500, description="Logins that it opens at once, a thread each.")
    ping_after_s: float = Field(10, ge=0, description="A session idle for longer is pinged before it is used, seconds.")
    ping_timeout_s: float = Field(2, gt=0, le=60, description="No answer to that ping within: the session is dead.")
    poll_s: float = Field(1, gt=0, le=60, description="Looks for work at least this often, should a notice get lost.")
    beat_s: float = Field(2, gt=0, le=60, description="Seconds between heartbeats.")
    fence_s: float = Field(
        10, gt=0, validate_default=True, description="No confirmed heartbeat for so long: it stops writing to devices."
    )
    dead_s: float = Field(
        20, gt=0, validate_default=True, description="No heartbeat seen for so long: the others take its devices over."
    )
    drain_s: float = Field(60, ge=0, description="At SIGTERM, seconds that running jobs have to finish.")
    host_keys: HostKeyPolicy = Field(
        "tofu",
        description="Whose key a device may have: strict (one on record), tofu (the first one seen is put there), off.",
    )
    key_folders: str = Field(
        "", description="Folders below which the key files that clients name may lie, separated by colons."
    )
    login_failures: int = Field(
        3, ge=0, le=1000, description="Refusals of a login in a row after which it rests; 0: never."
    )
    login_rest_s: float = Field(
        300, gt=0, le=86_400, description="Seconds that a refused login rests; then one attempt is let through."
    )

    @field_validator("fence_s")
    @classmethod
    def _beats_in_time(cls, fence_s: float, info: Any) -> float:
        if fence_s <= info.data.get("beat_s", 0):
            raise ValueError("must be greater than BEAT_S: each heartbeat keeps the worker going for so long")
        return fence_s

    @field_validator("dead_s")
    @classmethod
    def _fence_comes_first(cls, dead_s: float, info: Any) -> float:
        if dead_s <= info.data.get("fence_s", 0):
            raise ValueError("must be greater than FENCE_S: a worker stops before others take over")
        return dead_s

    @property
    def key_folder_paths(self) -> tuple[Path, ...]:
        """`key_folders`, each by itself."""
        return tuple(Path(folder) for folder in self.key_folders.split(os.pathsep) if folder)


class StorageSettings(_Group):
    """Files on their way to and from devices."""

    retention_s: float = Field(
        2_592_000, ge=60, description="How long a file that was brought from a device is kept, seconds."
    )
    max_bytes: int = Field(2**30, ge=1, le=2**40, description="Largest file, in bytes.")


class TaskSettings(_Group):
    """Detached tasks."""

    look_s: float = Field(60, ge=1, description="Running tasks are looked at this often, whether anybody asks or not.")
    retention_s: float = Field(
        86_400, ge=60, description="How long the log of a task that has ended stays on its host, and the login here."
    )


class TemplateSettings(_Group):
    """Templates, and where they may come from."""

    folders: str = Field("", description="Folders below which `file://` templates may lie, separated by colons.")
    urls: str = Field(
        "", description="Where `https://` templates may be fetched: host[:port][/prefix], separated by commas."
    )
    private_urls: str = Field(
        "", description="The same, for hosts whose addresses may be private, link-local or loopback."
    )
    inline_ttp: bool = Field(
        False, description="Run TTP templates that clients send, or name by URL: TTP evaluates code in them."
    )
    children: int = Field(
        2, ge=1, le=64, description="Processes that run templates, per API and worker process that needs any."
    )

    @field_validator("urls", "private_urls")
    @classmethod
    def _is_a_list_of_places(cls, entries: str) -> str:
        allowed_urls(entries, private=False)
        return entries

    @property
    def folder_paths(self) -> tuple[Path, ...]:
        """`folders`, each by itself."""
        return tuple(Path(folder) for folder in self.folders.split(os.pathsep) if folder)

    @property
    def allowed_urls(self) -> tuple[AllowedUrl, ...]:
        """`urls` and `private_urls`, each entry by itself."""
        return (*allowed_urls(self.urls, private=False), *allowed_urls(self.private_urls, private=True))


def _printable(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces: it goes into a header")
    return secret


HeaderSecret = Annotated[SecretStr, AfterValidator(_printable)]


class CredentialSettings(_Group):
    """Logins that requests refer to."""

    provider: str | None = Field(
        None, description="Provider of references that name none. By default vault where there is one, else local."
    )
    cache_s: float = Field(
        30, ge=0, le=3600, description="Seconds that a worker keeps what it read, in memory only; 0: not at all."
    )


class VaultSettings(_Group):
    """HashiCorp Vault, KV version 2."""

    address: str | None = Field(
        None, pattern=r"^https?://[^\s/]+/?$", description="https://host:port; none: there is no provider vault."
    )
    token: HeaderSecret | None = Field(None, description="Our own login: a token, or role_id and secret_id.")
    role_id: str | None = Field(None, description="AppRole's role id.")
    secret_id: SecretStr | None = Field(None, description="AppRole's secret id.")
    approle_mount: str = Field("approle", pattern=_MOUNT, description="Where AppRole is mounted.")
    namespace: str | None = Field(None, description="Namespace (Vault Enterprise).")
    mount: str = Field("secret", pattern=_MOUNT, description="Where the KV version 2 engine is mounted.")
    prefixes: str = Field(
        "", description="Paths below which credentials may lie, separated by commas; empty: any path of the mount."
    )
    ca_file: Path | None = Field(
        None, description="Authorities that sign Vault's certificate; by default the system's."
    )
    timeout_s: float = Field(5, gt=0, le=60, description="Seconds that one request to Vault may take.")

    @property
    def prefix_paths(self) -> tuple[str, ...]:
        """`prefixes`, each by itself, without slashes around."""
        return tuple(prefix.strip().strip("/") for prefix in self.prefixes.split(",") if prefix.strip().strip("/"))

    @model_validator(mode="after")
    def _has_one_login(self) -> Self:
        if (self.role_id is None) != (self.secret_id is None):
            raise ValueError("ROLE_ID and SECRET_ID go together")
        if self.address is not None and (self.token is None) == (self.role_id is None):
            raise ValueError("either TOKEN, or ROLE_ID and SECRET_ID, is needed")
        return self


class WebhookSettings(_Group):
    """Telling other systems of jobs' ends."""

    private_urls: str = Field(
        "",
        description="Receivers whose addresses may be private, link-local or loopback: host[:port][/prefix], separated "
        "by commas.",
    )
    concurrency: int = Field(
        64, ge=0, le=1000, description="Deliveries that a worker has under way at the most; 0: it delivers none."
    )
    per_receiver: int = Field(
        4, ge=1, le=100, description="Deliveries under way to one receiver (scheme, host and port), over all workers."
    )
    failures: int = Field(
        5, ge=1, le=1000, description="Failures in a row after which a receiver is tried by one delivery at a time."
    )
    rest_s: float = Field(5, ge=0, le=3600, description="Seconds from one such failure to the next attempt.")
    max_bytes: int = Field(
        2**20, ge=4096, le=64 * 2**20, description="Largest payload, in bytes; what is longer is cut, and says so."
    )
    keep_s: float = Field(604_800, ge=0, description="Seconds for which a delivery that was given up can be put back.")

    @field_validator("private_urls")
    @classmethod
    def _is_a_list_of_places(cls, entries: str) -> str:
        allowed_urls(entries, private=True)
        return entries

    @property
    def allowed_urls(self) -> tuple[AllowedUrl, ...]:
        """`private_urls`, each entry by itself."""
        return allowed_urls(self.private_urls, private=True)


class RetentionSettings(_Group):
    """How long what is over stays in the database."""

    finished_days: float = Field(400, ge=0, description="Days that a finished job is kept after its end; 0: for ever.")
    failed_days: float = Field(400, ge=0, description="The same, for failed and cancelled jobs.")
    most_jobs: int = Field(0, ge=0, description="Ended jobs that are kept at the most, the newest; 0: no limit.")
    outputs_days: float = Field(
        0, ge=0, description="Days that outputs are kept after their job's end; 0: as long as the job."
    )
    versions_days: float = Field(
        400,
        ge=0,
        description="Days that a version of an output is kept after the next one took its place; 0: for ever.",
    )
    files_days: float = Field(
        90, ge=0, description="Days that the record of a file is kept after its content went; 0: as long as its job."
    )
    deliveries_days: float = Field(
        30, ge=0, description="Days that a webhook's delivery that is over is kept; 0: as long as its job."
    )
    audit_days: float = Field(
        400, ge=0, description="Days that audit events are kept, 90 or more; 0: for ever. Needs the schema's owner."
    )
    every_s: float = Field(
        3600, ge=0, description="Seconds from the end of one round of removal to the next one; 0: workers do none."
    )

    @field_validator("audit_days")
    @classmethod
    def _is_long_enough(cls, audit_days: float) -> float:
        if 0 < audit_days < 90:
            raise ValueError("audit events are kept for 90 days at least")
        return audit_days


class LogSettings(_Group):
    """Logs go to standard error."""

    level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is written.")
    json_lines: bool = Field(True, description="True: one JSON object a line; false: for people.")


class Settings(BaseSettings):
    """All settings of a process; frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: str | None = Field(
        None, validation_alias="DATABASE_URL", description="postgresql://… of the server to use. Required but for demo."
    )
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Fernet keys, comma-separated: the first encrypts, all decrypt. Required."
    )
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    storage: StorageSettings = StorageSettings()
    tasks: TaskSettings = TaskSettings()
    templates: TemplateSettings = TemplateSettings()
    credentials: CredentialSettings = CredentialSettings()
    vault: VaultSettings = VaultSettings()
    webhooks: WebhookSettings = WebhookSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"^postgres(ql)?://", url):
            raise ValueError("must begin with postgresql://")
        return url


def load_settings() -> Settings:
    """Read the settings from the environment. Raises SettingsError naming every bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{_variable(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False)]
        raise SettingsError("\n".join(sorted(lines))) from None
    except NotParsed as error:  # a whole group in one variable; its text names the field and no value
        [name] = re.findall(r'field "(\w+)"', str(error))
        raise SettingsError(f"{PREFIX}{name.upper()}: must be a JSON object") from None


def _variable(location: tuple[int | str, ...]) -> str:
    names = [str(part) for part in location if not isinstance(part, int)]
    return names[0] if names[0] == "DATABASE_URL" else PREFIX + "__".join(names).upper()
