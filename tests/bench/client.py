"""An HTTP client that adds as little as it can to what is measured: one kept connection, no parsing but JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from drivers.lab import LabDevice, LabProcess


class BenchClient:
    """Blocking; one per thread."""

    def __init__(self, url: str, api_key: str, lab: LabProcess) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
        self._headers = {"X-API-KEY": api_key, "Content-Type": "application/json"}
        self._lab = lab

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def execute(self, device: LabDevice, *, wait: float = 0, **operation: Any) -> dict[str, Any]:
        """Post one job; with `wait`, until it has ended. Raises RuntimeError if it then has not finished."""
        login = self._login() | {"host": device.host, "port": device.port}
        body = json.dumps({"driver": "netmiko", "connection_args": login, **operation})
        job: dict[str, Any] = self.request("POST", f"/device/execute?wait={wait}" if wait else "/device/execute", body)
        if wait and job["status"] != "finished":
            raise RuntimeError(f"job on {device.name}: {job['status']}: {job['result']}")
        return job

    def serves_bulk(self) -> bool:
        """True if this API takes `/device/bulk`."""
        self._connection.request("POST", "/device/bulk", "{}", self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status not in (404, 405)

    def bulk(self, devices: Sequence[LabDevice], **operation: Any) -> dict[str, Any]:
        """Post one job for each of `devices`. Raises RuntimeError if one of them was not accepted."""
        members = [{"host": device.host, "port": device.port} for device in devices]
        body = json.dumps({"driver": "netmiko", "connection_args": self._login(), "devices": members, **operation})
        batch: dict[str, Any] = self.request("POST", "/device/bulk", body)
        if batch["failed"]:
            raise RuntimeError(f"{len(batch['failed'])} members of a bulk were refused: {batch['failed'][0]}")
        return batch

    def job(self, job_id: str, *, wait: float = 0) -> dict[str, Any]:
        """Read one job."""
        job: dict[str, Any] = self.request("GET", f"/job/{job_id}?wait={wait}")
        return job

    def request(self, method: str, path: str, body: str | None = None) -> Any:
        """The `data` of an answer. Raises RuntimeError for a failure."""
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        content = json.loads(answer.read())
        if answer.status >= 400:
            raise RuntimeError(content["message"])
        return content["data"]

    def _login(self) -> dict[str, Any]:
        return {"device_type": "cisco_ios", "username": self._lab.username, "password": self._lab.password}
