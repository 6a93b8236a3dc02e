"""Named tuples as JSON objects, and as types that msgspec can describe: the library's rows go out as they are named."""

from __future__ import annotations

import typing
from functools import cache
from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """A value with every named tuple in it turned into an object with its fields."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return value


def shape(kind: Any) -> Any:
    """The type of what `plain` makes of a value of a type."""
    origin = typing.get_origin(kind)
    if origin is not None:
        arguments = tuple(item if item is Ellipsis else shape(item) for item in typing.get_args(kind))
        return origin[arguments] if origin in (list, dict, tuple) else kind
    return _named(kind) if isinstance(kind, type) and (hasattr(kind, "_fields") or _holds_rows(kind)) else kind


def _holds_rows(kind: type) -> bool:
    return issubclass(kind, msgspec.Struct) and kind.__module__.startswith("hardtack.registry.admin")


@cache
def _named(kind: type) -> type[msgspec.Struct]:
    hints = typing.get_type_hints(kind)
    names = getattr(kind, "_fields", None) or kind.__struct_fields__  # type: ignore[attr-defined]
    return msgspec.defstruct(kind.__name__, [(name, shape(hints[name])) for name in names])
