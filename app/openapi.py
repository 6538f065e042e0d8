"""The API's description and its documentation page, served without a request to anywhere else.

Litestar describes routes, parameters and answers; what it gets wrong is replaced: pydantic writes the request models'
schemas itself (discriminator, examples, writeOnly secrets, no additional properties).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router
from litestar.config.csrf import CSRFConfig  # noqa: F401 - named in SwaggerRenderPlugin.render's annotations
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.static_files import create_static_files_router
from litestar.status_codes import HTTP_404_NOT_FOUND
from pydantic import BaseModel

from app.credential_bodies import BODIES as CREDENTIALS
from app.headers import page_policy
from app.host_keys import EXAMPLES as HOST_KEYS
from app.host_keys import HostKeyEntry
from app.keys import EXAMPLES as KEYS
from app.keys import ROTATION_EXAMPLES
from app.library import EXAMPLES as TEMPLATES
from app.library import TemplateEntry
from app.schedules import CHANGE_EXAMPLES as SCHEDULE_CHANGES
from app.schedules import EXAMPLES as SCHEDULES
from app.schemas import (
    bulk_body,
    execute_body,
    model_body,
    model_schemas,
    probe_body,
    request_schemas,
    task_body,
)
from app.templates import PARSE_EXAMPLES, RENDER_EXAMPLES, ParseBody, RenderBody
from jobs.key_entry import KeyEntry, Rotation
from jobs.library import KINDS
from jobs.probes import ProbeModels
from jobs.reports import REPORTS
from jobs.requests import RequestModels
from jobs.schedule_entry import ScheduleChange, ScheduleEntry

DOCS = "/docs"
ASSETS = f"{DOCS}/static"
OWN_BODIES: tuple[type[BaseModel], ...] = (
    HostKeyEntry,
    KeyEntry,
    Rotation,
    RenderBody,
    ParseBody,
    TemplateEntry,
    ScheduleEntry,
    ScheduleChange,
    *(model for model, _ in CREDENTIALS.values()),
)
PUBLIC = ("/health/live", "/health/ready")
NEEDED = {("/circuit", "delete"): "host", ("/host-key", "delete"): "host", ("/device/{host}/history", "get"): "command"}
"""Parameters of the query that handlers ask for themselves, in words of their own."""
CHOICES = {"/template/{kind}/{name}": ("kind", KINDS), "/report/{name}": ("name", tuple(REPORTS))}
"""Closed lists in paths; what is not in them is a 404."""


def openapi_config(version: str, key_name: str, models: RequestModels, probes: ProbeModels) -> OpenAPIConfig:
    """The description, at /docs/openapi.json, and its page, at /docs."""
    places: tuple[Any, ...] = ("header", "query", "cookie")
    schemes = {
        f"key_in_{place}": SecurityScheme(type="apiKey", name=key_name, security_scheme_in=place) for place in places
    }
    description = Description(models, probes)
    return OpenAPIConfig(
        title="NetPulse",
        version=version,
        description="Network devices as an HTTP API.",
        path=DOCS,
        components=Components(security_schemes=schemes),  # type: ignore[arg-type]  # its values may be references too
        security=[{name: []} for name in schemes],
        openapi_router=Router(DOCS, route_handlers=[], include_in_schema=False, after_request=_as_ours),
        use_handler_docstrings=True,
        render_plugins=[_page(description), _Json(description)],
    )


def assets_router() -> Router:
    """The page's scripts and styles, from the installed package."""
    spec = find_spec("swagger_ui")  # not imported: only its files are of use
    assert spec is not None
    assert spec.origin is not None
    return create_static_files_router(ASSETS, [Path(spec.origin).parent / "static"], include_in_schema=False)


def _as_ours(response: Response[Any]) -> Response[Any]:
    """Litestar answers unknown paths below /docs with a page of its own; and does not say what a page may run."""
    if response.status_code == HTTP_404_NOT_FOUND:
        raise NotFoundException
    if response.media_type == MediaType.HTML:
        response.headers["Content-Security-Policy"] = page_policy(response.content)
    return response


class Description:
    """Repairs Litestar's description with what pydantic knows."""

    def __init__(self, models: RequestModels, probes: ProbeModels) -> None:
        self._models = models
        self._probes = probes

    def repaired(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`schema` with the request bodies; changes it in place, and may be called again."""
        components = schema["components"].setdefault("schemas", {})
        components.update(model_schemas(*self._probes.bodies.values(), *OWN_BODIES) | request_schemas(self._models))
        for component in components.values():
            data = component.get("properties", {}).get("data", {})
            if "oneOf" in data:  # what fits JobView fits AcceptedView too
                data["anyOf"] = data.pop("oneOf")
        for (path, method), operation in _operations(schema).items():
            for parameter in operation.get("parameters", ()):
                _repair(parameter, NEEDED.get((path, method)), CHOICES.get(path))
        for path in PUBLIC:
            schema["paths"][path]["get"]["security"] = []  # Litestar leaves an empty list out
        for path in ("/device/execute", "/device/exec"):
            schema["paths"][path]["post"]["requestBody"] = execute_body(self._models)
        schema["paths"]["/device/bulk"]["post"]["requestBody"] = bulk_body(self._models)
        schema["paths"]["/detached-task"]["post"]["requestBody"] = task_body(self._models)
        for path in ("/device/test-connection", "/device/test"):
            schema["paths"][path]["post"]["requestBody"] = probe_body(self._probes)
        schema["paths"]["/host-key"]["post"]["requestBody"] = model_body(HostKeyEntry, HOST_KEYS)
        rows = schema["paths"]["/report/{name}"]["get"]["responses"]["200"]
        rows["content"]["text/csv"] = {"schema": {"type": "string"}}
        schema["paths"]["/key"]["post"]["requestBody"] = model_body(KeyEntry, KEYS)
        schema["paths"]["/key/{name}/rotate"]["post"]["requestBody"] = model_body(Rotation, ROTATION_EXAMPLES)
        schema["paths"]["/schedule"]["post"]["requestBody"] = model_body(ScheduleEntry, SCHEDULES)
        one = schema["paths"]["/schedule/{schedule_id}"]
        one["patch"]["requestBody"] = model_body(ScheduleChange, SCHEDULE_CHANGES)
        for path in ("/template/render", "/template/render/{engine}"):
            schema["paths"][path]["post"]["requestBody"] = model_body(RenderBody, RENDER_EXAMPLES)
        for path in ("/template/parse", "/template/parse/{engine}"):
            schema["paths"][path]["post"]["requestBody"] = model_body(ParseBody, PARSE_EXAMPLES)
        for action, (model, examples) in CREDENTIALS.items():
            path = f"/credential/{{provider}}/{action}"
            schema["paths"][path]["post"]["requestBody"] = model_body(model, examples)
        for method in ("post", "put"):
            schema["paths"]["/template/{kind}/{name}"][method]["requestBody"] = model_body(TemplateEntry, TEMPLATES)
        return schema


def _operations(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(path, method): item for path, methods in schema["paths"].items() for method, item in methods.items()}


def _repair(parameter: dict[str, Any], needed: str | None, choices: tuple[str, tuple[str, ...]] | None) -> None:
    if parameter["in"] == "query" and parameter["name"] == needed:
        parameter["required"] = True
    if parameter["in"] == "path" and "oneOf" in parameter["schema"]:  # optional in a handler of two paths
        parameter["schema"] = parameter["schema"]["oneOf"][0]
    if parameter["in"] == "path" and choices is not None and parameter["name"] == choices[0]:
        parameter["schema"]["enum"] = list(choices[1])


class _Json(JsonRenderPlugin):
    def __init__(self, description: Description) -> None:
        super().__init__()
        self._description = description

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, self._description.repaired(openapi_schema))


class _Page(SwaggerRenderPlugin):
    description: Description

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, self.description.repaired(openapi_schema))


def _page(description: Description) -> _Page:
    page = _Page(
        path="/",
        js_url=f"{ASSETS}/swagger-ui-bundle.js",
        css_url=f"{ASSETS}/swagger-ui.css",
        standalone_preset_js_url=f"{ASSETS}/swagger-ui-standalone-preset.js",
        favicon='<link rel="icon" href="data:,">',  # the default one would be fetched from elsewhere
    )
    page.description = description
    return page
