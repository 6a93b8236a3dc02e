"""The `postgresql://` address of a database: what of it is ours, what is the driver's, and what may be shown of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from hardtack.registry.errors import CannotServe

_POOL = "pool_size"
_CACHE = "statement_cache_size"
_DEFAULT_POOL = 8
_DEFAULT_CACHE = 512
_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is and how it is used.

    Attributes:
        url: for the driver, with the password.
        shown: for people, without it and without options.
        pool: connections that one worker has at most, besides those that hold a lock.
        cache: prepared statements that a connection keeps. 0 says that a pooler stands before the database, which gives
            every transaction another connection: nothing that belongs to a connection is relied on then.
        writable: the address names several servers, of which only the one that takes changes is meant.
    """

    url: str = field(repr=False)
    shown: str
    pool: int = _DEFAULT_POOL
    cache: int = _DEFAULT_CACHE
    writable: bool = False


def parse(url: str) -> Address:
    """Read an address.

    Raises:
        CannotServe: it is none, or an option of ours has no sensible value. The text does not repeat the address.
    """
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        database = parts.path.strip("/") or options.get("database") or options.get("dbname")
    except ValueError:
        raise _invalid("it cannot be read") from None
    if parts.scheme not in ("postgresql", "postgres") or not database:
        raise _invalid("it must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, hosts = credentials.partition(":")[0], hosts or options.get("host", "")
    return Address(
        pool=_number(options.pop(_POOL, ""), _POOL, 1, _DEFAULT_POOL),
        cache=_number(options.pop(_CACHE, ""), _CACHE, 0, _DEFAULT_CACHE),
        writable="," in hosts and "target_session_attrs" not in options,
        url=urlunsplit(parts._replace(query=urlencode(options))),
        shown=f"postgresql://{user}{'@' if user else ''}{hosts}/{database}",
    )


def _number(text: str, name: str, least: int, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:9]) <= _LIMIT:
        raise _invalid(f"{name} must be a number from {least} to {_LIMIT}")
    return int(text)


def _invalid(why: str) -> CannotServe:
    return CannotServe(f"the address of the database is not usable: {why}", "Look at [metadata] url")
