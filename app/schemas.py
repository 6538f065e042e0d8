"""The request bodies as OpenAPI wants them: pydantic writes the schemas, and what it cannot know is added."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jobs.bulk import MOST_DEVICES, OWN, TTL_S
from jobs.options import Options
from jobs.probes import ProbeModels
from jobs.referrals import LOGIN
from jobs.requests import RequestModels

REF = "#/components/schemas/{model}"

Schema = dict[str, Any]


def bulk_name(driver: str) -> str:
    """The component of a driver's bulk body."""
    return f"{driver.capitalize()}Bulk"


def execute_body(models: RequestModels) -> Schema:
    """The body of `/device/execute`: by driver, one of the models; with a file, as the first part of a form."""
    body = _body({name: model.__name__ for name, model in models.execute.items()}, models.examples())
    parts = {"request": body["content"]["application/json"]["schema"], "file": {"type": "string", "format": "binary"}}
    body["content"]["multipart/form-data"] = {
        "schema": {"type": "object", "required": list(parts), "properties": parts, "additionalProperties": False},
        "encoding": {"request": {"contentType": "application/json"}},
    }
    return body


def task_body(models: RequestModels) -> Schema:
    """The body of `/detached-task`."""
    able = {name: model.__name__ for name, model in models.execute.items() if name in models.with_tasks()}
    return _body(able, models.task_examples())


def bulk_body(models: RequestModels) -> Schema:
    """The body of `/device/bulk`."""
    return _body({name: bulk_name(name) for name in models.execute}, models.bulk_examples())


def probe_body(probes: ProbeModels) -> Schema:
    """The body of `/device/test-connection`."""
    return _body({name: model.__name__ for name, model in probes.bodies.items()}, probes.examples())


def model_body(model: type[BaseModel], examples: Schema) -> Schema:
    """A body that is one model."""
    schema = {"$ref": REF.format(model=model.__name__)}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def _body(components: dict[str, str], examples: Schema) -> Schema:
    refs = {driver: REF.format(model=component) for driver, component in components.items()}
    one_of = [{"$ref": ref} for ref in refs.values()]
    schema = {"oneOf": one_of, "discriminator": {"propertyName": "driver", "mapping": refs}}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def model_schemas(*models: type[BaseModel]) -> Schema:
    """The components of these models, and of those that they refer to."""
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    schemas: Schema = definitions["$defs"]
    return schemas


def request_schemas(models: RequestModels) -> Schema:
    """The components that both bodies refer to."""
    used = [model for each in models.all_models() for model in each]
    schemas = model_schemas(*used)
    for driver, (execute, query, config) in zip(models.execute, models.all_models(), strict=True):
        arguments = [{"$ref": REF.format(model=model.__name__)} for model in (query, config)]
        body = schemas[execute.__name__]
        driver_args = body["properties"]["driver_args"]
        body["properties"] |= {
            **schemas[Options.__name__]["properties"],  # each is also accepted at the top level
            "driver_args": {"anyOf": arguments, "description": driver_args["description"]},
        }
        for name in ("command", "config"):
            body["properties"][name]["anyOf"].append(_CONTEXT)
        body["oneOf"] = [{"required": ["command"]}, {"required": ["config"]}]
        if "file_transfer" in query.model_fields:
            transfer = {"driver_args": {"required": ["file_transfer"]}}
            body["oneOf"].append({"required": ["driver_args"], "properties": transfer})
        login = schemas[execute.model_fields["connection_args"].annotation.__name__]  # type: ignore[union-attr]
        _let_refer(login, body["properties"]["credential_ref"])
        schemas[bulk_name(driver)] = _bulk(driver, body, login)
    return schemas


def _let_refer(login: Schema, reference: Schema) -> None:
    """A reference may stand in `connection_args` too, and then no login does."""
    login["properties"]["credential_ref"] = reference
    login["required"] = [name for name in login.get("required", []) if name not in LOGIN]


_CONTEXT = {"type": "object", "description": "With `rendering`: the values of its template's variables."}


def _bulk(driver: str, execute: Schema, login: Schema) -> Schema:
    """The same body, with parts of logins in place of one login, and another time to live."""
    properties = execute["properties"]
    variables = {"type": "object", "description": "With `rendering`: join its context. So does every unknown field."}
    member = {name: properties[name] for name in OWN} | login["properties"] | {"vars": variables}
    devices = {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_DEVICES,
        "items": {"type": "object", "additionalProperties": False, "properties": member},
        "description": "A device each: `connection_args` of its own, laid over the common ones. Its own `command` or "
        "`config` replaces either of the common part, its own `driver_args` the common ones.",
    }
    shared = {**login, "description": "What the devices have in common."}
    shared.pop("required", None)
    return {
        "type": "object",
        "title": bulk_name(driver),
        "description": f"One operation on many devices, by the {driver} driver.",
        "additionalProperties": False,
        "required": ["driver", "devices"],
        "properties": {
            **properties,
            "connection_args": shared,
            "devices": devices,
            "ttl": {**properties["ttl"], "default": TTL_S},
        },
    }
