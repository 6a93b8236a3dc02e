"""How large, how deep and how many: the bounds that keep a stranger's JSON from costing more than it is worth.

The checks here are shared by manifests, configs and descriptors. They take the error class to raise, so that each
document complains in its own name.
"""

from __future__ import annotations

from hardtack.jsontext import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Refusal(Protocol):
        def __call__(self, reason: str, where: str = "") -> Exception: ...


DOCUMENT_LIMIT = 4 << 20  # distribution-spec 1.1: registries should accept manifests of 4 MiB
DEPTH_LIMIT = 32
NODE_LIMIT = 200_000
LAYER_LIMIT = 4096
CHILD_LIMIT = 16_384
_STRING_MAP_LIMIT = 10_000


def load_object(raw: bytes, refusal: Refusal) -> dict[str, Any]:
    """Parse a bounded JSON object.

    Raises:
        what `refusal` makes: too large, no JSON, no object, too deep, too many values, two spellings of one key.
    """
    if len(raw) > DOCUMENT_LIMIT:
        raise refusal(f"{len(raw)} bytes, more than {DOCUMENT_LIMIT}")
    try:
        value = loads(raw)
    except ValueError as error:
        raise refusal(f"no JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise refusal("no JSON object")
    check_shape(value, refusal)
    return value


def check_shape(value: Any, refusal: Refusal) -> None:
    """Refuse what is nested deeper than 32 or holds more than 200,000 containers' items."""
    level = [value]
    total = 0
    for _ in range(DEPTH_LIMIT):
        below: list[Any] = []
        for node in level:
            total += len(node)
            items = node.values() if type(node) is dict else node
            below += [item for item in items if type(item) is dict or type(item) is list]
        if total > NODE_LIMIT:
            raise refusal(f"more than {NODE_LIMIT} values")
        if not below:
            return
        level = below
    raise refusal(f"nested deeper than {DEPTH_LIMIT}")


def field(value: dict[str, Any], key: str, kind: type, refusal: Refusal, where: str = "") -> Any:
    """A field of one JSON type; absent and null give None.

    Raises:
        what `refusal` makes: another type (true is no number).
    """
    found = value.get(key)
    if found is None or type(found) is kind:
        return found
    name = {dict: "an object", list: "a list", str: "text", int: "a whole number", bool: "true or false"}[kind]
    raise refusal(f"{key} must be {name}", where)


def text_field(value: dict[str, Any], key: str, refusal: Refusal, where: str = "", limit: int = 4096) -> str:
    """A text field of bounded length; absent gives ""."""
    found: str = field(value, key, str, refusal, where) or ""
    if len(found) > limit:
        raise refusal(f"{key} is longer than {limit} characters", where)
    return found


def string_map(value: dict[str, Any], key: str, refusal: Refusal, where: str = "") -> dict[str, str]:
    """A map of text to text (annotations, labels); absent gives an empty one."""
    found: dict[str, str] = field(value, key, dict, refusal, where) or {}
    if len(found) > _STRING_MAP_LIMIT:
        raise refusal(f"{key} has more than {_STRING_MAP_LIMIT} entries", where)
    for text in found.values():
        if type(text) is not str:
            raise refusal(f"{key} must map text to text", where)
    return found


def string_list(value: dict[str, Any], key: str, refusal: Refusal, where: str = "") -> list[str]:
    """A list of texts; absent gives an empty one."""
    found: list[str] = field(value, key, list, refusal, where) or []
    for text in found:
        if type(text) is not str:
            raise refusal(f"{key} must be a list of texts", where)
    return found
