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
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.static_files import create_static_files_router
from litestar.status_codes import HTTP_404_NOT_FOUND

from app.host_keys import EXAMPLES as HOST_KEYS
from app.host_keys import HostKeyEntry
from app.library import EXAMPLES as TEMPLATES
from app.library import TemplateEntry
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
from jobs.probes import ProbeModels
from jobs.requests import RequestModels

DOCS = "/docs"
ASSETS = f"{DOCS}/static"
OWN_BODIES = (HostKeyEntry, RenderBody, ParseBody, TemplateEntry)
PUBLIC = ("/health/live", "/health/ready")


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
        openapi_router=Router(DOCS, route_handlers=[], include_in_schema=False, after_request=_in_envelope),
        use_handler_docstrings=True,
        render_plugins=[_page(description), _Json(description)],
    )


def assets_router() -> Router:
    """The page's scripts and styles, from the installed package."""
    spec = find_spec("swagger_ui")  # not imported: only its files are of use
    assert spec is not None
    assert spec.origin is not None
    return create_static_files_router(ASSETS, [Path(spec.origin).parent / "static"], include_in_schema=False)


def _in_envelope(response: Response[Any]) -> Response[Any]:
    """Litestar answers unknown paths below /docs with a page of its own."""
    if response.status_code == HTTP_404_NOT_FOUND:
        raise NotFoundException
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
        for path in PUBLIC:
            schema["paths"][path]["get"]["security"] = []  # Litestar leaves an empty list out
        for path in ("/device/execute", "/device/exec"):
            schema["paths"][path]["post"]["requestBody"] = execute_body(self._models)
        schema["paths"]["/device/bulk"]["post"]["requestBody"] = bulk_body(self._models)
        schema["paths"]["/detached-task"]["post"]["requestBody"] = task_body(self._models)
        for path in ("/device/test-connection", "/device/test"):
            schema["paths"][path]["post"]["requestBody"] = probe_body(self._probes)
        schema["paths"]["/host-key"]["post"]["requestBody"] = model_body(HostKeyEntry, HOST_KEYS)
        for path in ("/template/render", "/template/render/{engine}"):
            schema["paths"][path]["post"]["requestBody"] = model_body(RenderBody, RENDER_EXAMPLES)
        for path in ("/template/parse", "/template/parse/{engine}"):
            schema["paths"][path]["post"]["requestBody"] = model_body(ParseBody, PARSE_EXAMPLES)
        for method in ("post", "put"):
            schema["paths"]["/template/{kind}/{name}"][method]["requestBody"] = model_body(TemplateEntry, TEMPLATES)
        return schema


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
