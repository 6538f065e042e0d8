"""What a schedule asks for: a body of `/device/execute` or `/device/bulk`, made ready to be queued again and again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from jobs.authorisation import authorise
from jobs.bulk import Bulk
from jobs.invalid import RequestInvalid
from jobs.principal import Principal
from jobs.requests import Request, RequestModels
from jobs.submit import Intake, Submission, new_job

_OF_A_FIRING = (
    "sealed",
    "submitted_by",
    "idempotency_key",
    "request_hashes",
    "batch_id",
    "wave",
)
"""Fields of a netpulse.new_job that queue_firing.sql adds, or that no scheduled job has."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A valid body without secrets, and the jobs that it is (see netpulse.new_job)."""

    body: dict[str, Any]
    jobs: list[dict[str, object]]
    hosts: list[str]
    """Of the devices, each once."""


def ready(intake: Intake, models: RequestModels, principal: Principal, body: object) -> Ready:
    """Validate `body` as its own address would, for `principal`; with 10,000 devices this takes seconds.

    Raises RequestInvalid, whose places begin with `request`; Forbidden.
    """
    try:
        requests = list(_requests(models, body))
    except RequestInvalid as error:
        raise RequestInvalid([{**item, "loc": ["request", *item["loc"]]} for item in error.details]) from None
    for request in requests:
        authorise(principal, request, intake.host_keys)
    assert isinstance(body, dict)
    jobs = [_job(intake, request, principal) for request in requests]
    return Ready(body, jobs, list(dict.fromkeys(request.target.host for request in requests)))


def _requests(models: RequestModels, body: object) -> Iterator[Request]:
    _refuse_null_characters(body)
    if not isinstance(body, dict) or "devices" not in body:
        yield _without_secrets(models.parse(body))
        return
    bulk = Bulk(models, body)
    if bulk.options.rollout is not None:
        raise _fault(["options", "rollout"], "a schedule goes on in no waves")
    _refuse_common_secrets(models, body)
    for index in range(len(bulk.devices)):
        try:
            yield _without_secrets(bulk.request(index))
        except RequestInvalid as error:
            place = ["devices", index]
            raise RequestInvalid([{**item, "loc": [*place, *item["loc"]]} for item in error.details]) from None


def _job(intake: Intake, request: Request, principal: Principal) -> dict[str, object]:
    job = new_job(intake, request, Submission(principal))
    return {name: value for name, value in job.items() if name not in _OF_A_FIRING}


def _without_secrets(request: Request) -> Request:
    """Raises RequestInvalid for a request of which something would have to be sealed."""
    if request.options.webhook is not None:
        raise _fault(["options", "webhook"], "a schedule keeps no webhook: it is sealed with each job")
    for place in json.loads(request.secret):
        raise _secret(place)
    return request


def _refuse_common_secrets(models: RequestModels, body: dict[str, Any]) -> None:
    """Also where every member replaces them: the body is kept as it was sent."""
    driver = models.driver_of(body)
    kinds = {"connection_args": (driver.connection_args,), "driver_args": (driver.query_args, driver.config_args)}
    for place, arguments in kinds.items():
        secrets = {name for model in arguments for name in _secret_names(model)}
        if any((body.get(place) or {}).get(name) is not None for name in secrets):
            raise _secret(place)


def _secret_names(model: type[BaseModel]) -> Iterator[str]:
    return (name for name, field in model.model_fields.items() if _is_secret(field.annotation))


def _is_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _refuse_null_characters(value: object) -> None:
    """PostgreSQL's jsonb cannot hold them."""
    if isinstance(value, str) and "\0" in value:
        raise _fault([], "must not contain null characters")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for inner in value:
            _refuse_null_characters(inner)


def _secret(place: str) -> RequestInvalid:
    return _fault([place], "a schedule keeps no secrets: keep the login as a credential, and give its credential_ref")


def _fault(place: list[str], message: str) -> RequestInvalid:
    return RequestInvalid([{"loc": place, "msg": message, "type": "value_error"}])
