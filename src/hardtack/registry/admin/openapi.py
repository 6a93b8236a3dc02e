"""The table of the JSON API as an OpenAPI 3.1 document, for those who generate clients, and as the reference page."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import msgspec

from hardtack.registry.admin.endpoints import TABLE
from hardtack.registry.admin.shapes import shape
from hardtack.registry.admin.table import PREFIX, Endpoint

_PARAMETER = re.compile(r"\{(\w+)\}")


@cache
def document() -> bytes:
    """The document, as JSON."""
    kinds = (kind for endpoint in TABLE.endpoints for kind in (endpoint.takes, shape(endpoint.gives)))
    types = [kind for kind in kinds if kind is not None]
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


_INTRODUCTION = """# The JSON API

Everything that is administered can be administered over HTTP, below `/api/v1`. Callers show who they are as docker's
clients do: `Authorization: Basic` with a password or a token, or `Bearer` with a token. A token with a scope is good
for its repositories here as well, and never for accounts. Bodies and answers are JSON; fields with a question mark
may be left out. Refusals have a status, and `{"errors": [{"code", "message", "detail"}]}` as the rest of the
registry. What belongs to a repository follows its name after `/-/`. Times are seconds since 1970, `life` seconds, sizes
and quotas bytes; `grants` and `scope` are lists of `{"pattern": "team/**", "rights": "write"}`, `immutable` and `kinds`
of text. `/api/v1/openapi.json` says the same, with the type of every field, as an OpenAPI 3.1 document.

```
$ curl -u ada https://registry.example.org/api/v1/repositories/team/app/-/tags
$ curl -u ada -X POST https://registry.example.org/api/v1/grants \\
    -d '{"holder": "team+ci", "pattern": "team/**", "rights": "write"}'
```

## Webhooks

Who administers all that a pattern covers may have a webhook for it. What it is told is a POST such as

```
{"type": "tag", "timestamp": "2026-11-24T11:18:32.231Z", "data": {"repository": "ada/web", "tag": "v1",
 "digest": "sha256:0e2a…", "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 559, "actor": "ada"}}
```

| type | what happened |
| --- | --- |
| `push` | a manifest came that the repository did not hold. A pull-through cache tells of what it fetches as well |
| `tag` | a tag was made, or points at something else |
| `untag` | a tag was removed |
| `delete` | a manifest was deleted; its tags went before, with `untag` each |
| `restore` | a deleted manifest was brought back; its tags follow, with `tag` each |
| `repository` | a repository was created, or has this name after it was renamed |
| `drop` | a repository was deleted, or has this name no longer |

`kinds` says which of these; without it, all. A push of an image under a tag is `push` and `tag`; of one that is there
already, `tag` only. Fields that do not apply are left out.

Webhooks are signed as Standard Webhooks 1.0 says: `webhook-signature` is `v1,` and the HMAC-SHA256, in base64, of
`webhook-id`, `webhook-timestamp` and the body, joined by dots; the key is what stands after `whsec_` in the secret, out
of base64. The secret is shown when the webhook is made, and never again.

```python
def genuine(headers, body: bytes, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return recent and any(hmac.compare_digest(right, one) for one in headers["webhook-signature"].split())
```

The same delivery may come twice, under the same id. A receiver that does not answer 2xx within `[webhooks] timeout`
(10 seconds) is asked again, ever less often, for about a day; then the delivery is kept as dead and can be retried. 410
switches the webhook off. What became of each delivery is in `…/deliveries`. Receivers at private addresses have to be
allowed under `[network]`; until then their deliveries wait, and their `status` says so.

## Addresses

"""


def reference() -> str:
    """The reference page, Markdown."""
    lines = ["| request | what it does | body | answer |", "| --- | --- | --- | --- |"]
    for endpoint in TABLE.endpoints:
        query = "".join(f"; `{name}`: {meaning}" for name, meaning in endpoint.query)
        lines.append(
            f"| `{endpoint.method} {PREFIX}{endpoint.path}` | {endpoint.meaning}{query} "
            f"| {_fields(endpoint.takes)} | {_fields(shape(endpoint.gives))} |"
        )
    return _INTRODUCTION + "\n".join(lines) + "\n"


def _fields(kind: Any) -> str:
    """The fields of a type, as a reader needs them; optional ones with a question mark."""
    if kind is None:
        return ""
    inner = getattr(kind, "__args__", None)
    if inner:
        return f"{'by name' if kind.__origin__ is dict else 'list of'} {_fields(inner[-1])}"
    fields = getattr(kind, "__struct_fields__", None) or tuple(getattr(kind, "__dataclass_fields__", ()))
    if not fields:
        return f"`{getattr(kind, '__name__', kind)}`"
    optional = set(fields[len(fields) - len(getattr(kind, "__struct_defaults__", ())) :])
    return ", ".join(f"`{name}{'?' if name in optional else ''}`" for name in fields)


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(reference())
