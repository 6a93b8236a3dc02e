"""The table of the JSON API as an OpenAPI 3.1 document, for those who generate clients, and as the reference page."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from hardtack.registry.admin.endpoints import TABLE
from hardtack.registry.admin.table import PREFIX, Endpoint

_PARAMETER = re.compile(r"\{(\w+)\}")


@cache
def document() -> bytes:
    """The document, as JSON."""
    types = [each for endpoint in TABLE.endpoints for each in (endpoint.takes, endpoint.gives) if each is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    named = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in TABLE.endpoints:
        takes = next(named) if endpoint.takes is not None else None
        gives = next(named) if endpoint.gives is not None else None
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, takes, gives)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "hardtack registry", "version": "1"},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "basic": {"type": "http", "scheme": "basic"},
                    "bearer": {"type": "http", "scheme": "bearer"},
                },
            },
            "security": [{"basic": []}, {"bearer": []}],
        }
    )


def _operation(endpoint: Endpoint, takes: Any, gives: Any) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in endpoint.query
    ]
    success: dict[str, Any] = {"description": "done"}
    if gives is not None:
        success["content"] = {"application/json": {"schema": gives}}
    operation: dict[str, Any] = {
        "summary": endpoint.meaning,
        "parameters": parameters,
        "responses": {str(endpoint.status if gives is not None else 204): success},
    }
    if takes is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": takes}}}
    return operation


def reference() -> str:
    """The reference page, Markdown."""
    lines = ["| request | what it does | body | answer |", "| --- | --- | --- | --- |"]
    for endpoint in TABLE.endpoints:
        query = "".join(f"; `{name}`: {meaning}" for name, meaning in endpoint.query)
        lines.append(
            f"| `{endpoint.method} {PREFIX}{endpoint.path}` | {endpoint.meaning}{query} "
            f"| {_fields(endpoint.takes)} | {_fields(endpoint.gives)} |"
        )
    return "\n".join(lines) + "\n"


def _fields(kind: Any) -> str:
    """The fields of a type, as a reader needs them; optional ones with a question mark."""
    if kind is None:
        return ""
    inner = getattr(kind, "__args__", None)
    if inner:
        return f"list of {_fields(inner[0])}"
    fields = getattr(kind, "__struct_fields__", None) or tuple(getattr(kind, "__dataclass_fields__", ()))
    if not fields:
        return f"`{getattr(kind, '__name__', kind)}`"
    optional = set(fields[len(fields) - len(getattr(kind, "__struct_defaults__", ())) :])
    if not getattr(kind, "__struct_fields__", None):
        optional = set()
    return ", ".join(f"`{name}{'?' if name in optional else ''}`" for name in fields)
