"""The OpenAPI 3.1 description of every route, plugins' and streams' too, each with `x-permission` or `x-public`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from openlakes_portal import __version__
from openlakes_portal._auth.guard import SAFE_METHODS
from openlakes_portal._host.registry import Registry
from openlakes_portal._http.problems import MEDIA_TYPE
from openlakes_portal._http.routing import BoundRoute
from openlakes_portal.spi import Permission, Public, SignedIn
from openlakes_portal.spi.access import Access

if TYPE_CHECKING:
    from openlakes_portal._http.documents import Document

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "remedy": {"type": "string"},
        "permission": {"type": "string", "description": "What is missing"},
        "resource": {"type": "string", "description": "For what it is missing"},
        "decided_by": {"type": "string", "description": "Which rule said no"},
        "reason": {"type": "string", "description": "Its words"},
        "grantors": {
            "type": "array",
            "description": "Who can grant it",
            "items": {
                "type": "object",
                "required": ["kind", "name", "username"],
                "properties": {
                    "kind": {"enum": ["owner", "person", "group"]},
                    "name": {"type": "string"},
                    "username": {"type": ["string", "null"]},
                },
            },
        },
        "upstream": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
SEGMENT = r"^[^/\\\u0000-\u001f\u007f]+$"
"""What one segment of a canonical path may hold (`_http/routing.py`)."""
REF = "#/components/schemas/{model}"


def build_openapi(registry: Registry, documents: "Iterable[Document]") -> dict[str, Any]:
    """The whole description."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for document in documents:
        paths.setdefault(document.path, {})[document.method.lower()] = _document(document)
    for bound in registry.routes.routes:
        paths.setdefault(bound.template, {})[bound.route.method.lower()] = _operation(bound, schemas)
    for template, raw in registry.asgi.items():
        paths.setdefault(f"{template}/{{path}}", {})["get"] = {
            "operationId": f"{raw.plugin_id}.asgi.{raw.route.path}",
            "summary": raw.route.summary or "Served by the plugin itself",
            "tags": [raw.plugin_id],
            "parameters": [_path_parameter("path")],
            "responses": {"default": {"description": "Whatever the plugin answers"}},
            **_access(raw.route.access, "GET"),
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenLakes Portal", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-openlakes_session"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _access(access: Access | str, method: str) -> dict[str, Any]:
    if isinstance(access, Public):
        return {"x-public": access.reason, "security": []}
    needed: dict[str, list[str]] = {"session": []} if method in SAFE_METHODS else {"session": [], "csrf": []}
    if isinstance(access, SignedIn):
        return {"x-permission": None, "x-signed-in": access.reason, "security": [needed]}
    name = access.name if isinstance(access, Permission) else access
    return {"x-permission": name, "security": [needed]}


def _problem_response() -> dict[str, Any]:
    return {
        "description": "What went wrong, and what to do",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _any_time() -> dict[str, Any]:
    """Answers that every operation may give. The server refuses a far too large head itself, without a body."""
    return {
        "414": {"description": "The target is too long"},
        "431": {"description": "The target and the headers are too large"},
        "default": _problem_response(),
    }


def _document(document: "Document") -> dict[str, Any]:
    return {
        "operationId": f"core.{document.method.lower()}{document.path.replace('/', '.')}",
        "summary": document.summary,
        "tags": ["core"],
        "responses": {
            **{
                str(s): {"description": document.summary} if s < 400 else _problem_response()
                for s in document.responses
            },
            **_any_time(),
        },
        **_access(document.access, document.method),
    }


EDITS = ("PUT", "PATCH", "DELETE")
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The version that is changed, as ETag named it. What people edit cannot be changed without (428), "
    "and not at another version (412)",
    "schema": {"type": "string", "maxLength": 200, "pattern": '^(W/)?"[!#-~]*"$'},
}


def _operation(bound: BoundRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    route, endpoint = bound.route, bound.endpoint
    name = getattr(route.endpoint, "__name__", "call").strip("_<>")
    path_id = bound.template.strip("/").replace("/", ".").replace("{", "").replace("}", "")
    operation: dict[str, Any] = {
        "operationId": f"{bound.plugin_id}.{name}.{route.method.lower()}.{path_id}",
        "summary": route.summary or _first_line(route.endpoint),
        "tags": [bound.plugin_id],
        "parameters": [_path_parameter(p) for p in endpoint.path_parameters]
        + _query_parameters(endpoint.query, schemas)
        + ([IF_MATCH] if route.method in EDITS else []),
        "responses": {**_success(bound, schemas), **_any_time()},
        **_access(route.access, route.method),
    }
    if endpoint.body is not None:
        schema = _schema(endpoint.body, schemas, "validation")
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _success(bound: BoundRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    route, endpoint = bound.route, bound.endpoint
    answers: dict[str, Any] = {}
    if endpoint.returns is not None:
        schema = _schema(endpoint.returns, schemas, "serialization")
        if endpoint.is_listing:
            schema = {
                "type": "object",
                "required": ["items", "next_cursor"],
                "properties": {
                    "items": {"type": "array", "items": schema},
                    "next_cursor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
            }
        answers[str(route.status)] = {"description": "Done", "content": {"application/json": {"schema": schema}}}
        tried = endpoint.query is not None and "dry_run" in endpoint.query.model_fields
        if route.method == "POST" and tried and not endpoint.path_parameters:
            made = {"description": "Made", "content": {"application/json": {"schema": schema}}}
            answers["200"] = {**made, "description": "What it would be (dry_run)"}
            answers["201"] = made
        if route.method == "GET":
            answers["304"] = {"description": "Not changed since the version in If-None-Match"}
        return answers
    kinds = [kind for kind in route.produces if kind != "application/json"]
    if not kinds:
        return {"204" if route.status == 200 else str(route.status): {"description": "Done"}}
    return {str(route.status): {"description": "A stream", "content": {kind: {} for kind in kinds}}}


def _schema(adapter: TypeAdapter[Any], schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    schema = adapter.json_schema(mode=mode, ref_template=REF)
    for name, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(name, definition)
    return schema


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "pattern": SEGMENT, "not": {"enum": [".", ".."]}}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(model: type[BaseModel] | None, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=REF)
    for name, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(name, definition)
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": value}
        for name, value in schema.get("properties", {}).items()
    ]


def _first_line(function: Any) -> str:
    return str(function.__doc__ or function.__name__.replace("_", " ")).strip().splitlines()[0]
