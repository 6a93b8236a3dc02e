"""The table: what an option is. A section is a frozen dataclass whose fields are made by `option`.

From that one line come the reading, the checks, the reference page and the commented example. A kind says how a value
is read from TOML and written as TOML; reading raises ValueError with what is wrong in words that follow the key.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from hardtack.registry.config import units

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
STDERR = "stderr"
"""What stands for standard error where a path is wanted."""

_TEXT_LIMIT = 4096
_ITEMS = 1000


class Secret(str):
    """A text that is never shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)" if self else "Secret('')"


NO_SECRET = Secret()


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What values an option takes.

    Attributes:
        name: for the reference page.
        read: turn what TOML holds into the value; raises ValueError.
        write: the value as TOML.
    """

    name: str
    read: Callable[[object], T]
    write: Callable[[T], str]


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a table.

    Attributes:
        table: the section of the entries when the value is a list of tables.
        secret: may be given as KEY_file too, and is masked when shown.
        sample: a value for the example where the default says nothing.
    """

    key: str
    kind: Kind[Any]
    meaning: str
    default: Any
    required: bool
    secret: bool
    sample: str
    table: type[Any] | None


def option(kind: Kind[T], default: T, meaning: str, *, required: bool = False, sample: str = "") -> T:
    """A field of a section.

    Args:
        meaning: one sentence without a full stop.
        required: it must be given.
        sample: TOML for the example.
    """
    details = {"kind": kind, "meaning": meaning, "required": required, "sample": sample, "table": None}
    return field(default=default, metadata=details)


def tables(section: type[T], meaning: str) -> tuple[T, ...]:
    """A field that holds a list of tables, `[[section.key]]`."""
    kind: Kind[Any] = Kind("list of tables", _unread, str)
    details = {"kind": kind, "meaning": meaning, "required": False, "sample": "", "table": section}
    return cast("tuple[T, ...]", field(default=(), metadata=details))


def options(section: type[Any]) -> dict[str, Option]:
    """The table of a section, by key, in its order."""
    return {item.name: _option(item) for item in fields(section)}


def _option(item: Field[Any]) -> Option:
    details = item.metadata
    return Option(
        item.name,
        details["kind"],
        details["meaning"],
        None if item.default is MISSING else item.default,
        details["required"],
        details["kind"] is SECRET,
        details["sample"],
        details["table"],
    )


def quoted(text: str) -> str:
    """Text as TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unread(value: object) -> Any:
    raise ValueError(f"must be a list of tables, not {value!r}")


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    if len(value) > _TEXT_LIMIT or any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise ValueError("must be one line of text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_text(value),)
    if not isinstance(value, list) or len(value) > _ITEMS:
        raise ValueError('must be a list such as ["a", "b"]')
    return tuple(_text(item) for item in value)


def _networks(value: object) -> tuple[Network, ...]:
    found = []
    for text in _texts(value):
        try:
            found.append(ipaddress.ip_network(text.strip()))
        except ValueError:
            raise ValueError(
                f"{text[:60]!r} is no address or network such as 10.0.0.0/8 (with no bits set after its prefix)"
            ) from None
    return tuple(found)


def _url(value: object) -> str:
    text = _text(value).rstrip("/")
    if not text:
        return text
    parts = urlsplit(text)  # raises ValueError
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be an address without a user, a query or a fragment")
    _ = parts.port  # raises ValueError
    return text


def _list(items: tuple[Any, ...]) -> str:
    return "[" + ", ".join(quoted(str(item)) for item in items) + "]"


FLAG: Kind[bool] = Kind("true or false", _flag, lambda value: "true" if value else "false")
TEXT: Kind[str] = Kind("text", _text, quoted)
PATH: Kind[str] = Kind("path", _text, quoted)
URL: Kind[str] = Kind("address", _url, quoted)
TEXTS: Kind[tuple[str, ...]] = Kind("list of text", _texts, _list)
NETWORKS: Kind[tuple[Network, ...]] = Kind("list of networks", _networks, _list)
SECRET: Kind[Secret] = Kind("secret", lambda value: Secret(_text(value)), quoted)


def choice(*words: str) -> Kind[str]:
    """One of some words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError("must be one of " + ", ".join(quoted(word) for word in words))
        return value

    return Kind(" or ".join(quoted(word) for word in words), read, quoted)


def whole(least: int, most: int) -> Kind[int]:
    """A whole number within bounds."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return Kind("number", read, str)


def duration(least: float = 0.0, most: float = 3650 * 86_400.0) -> Kind[float]:
    """A time within bounds, in seconds."""

    def read(value: object) -> float:
        found = units.seconds(value)
        if not least <= found <= most:
            raise ValueError(f"must be from {units.duration(least)} to {units.duration(most)}")
        return found

    return Kind("duration", read, lambda value: quoted(units.duration(value)))


def size(least: int = 0, most: int = 1 << 62) -> Kind[int]:
    """A number of bytes within bounds."""

    def read(value: object) -> int:
        found = units.count_bytes(value)
        if not least <= found <= most:
            raise ValueError(f"must be from {units.size(least)} to {units.size(most)}")
        return found

    return Kind("size", read, lambda value: quoted(units.size(value)))
