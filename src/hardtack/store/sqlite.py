"""SQLite for the start path: the C module without the package around it.

The package `sqlite3` imports `datetime` and `collections.abc` for converters that nothing here uses. The C module
itself asks for `functools` only to take `lru_cache` from it, which costs more than SQLite does; it is lent one.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _import_lightly() -> None:
    """Import `_sqlite3` while a stand-in for `functools` offers `lru_cache` alone."""
    import _functools  # type: ignore[import-not-found]

    wrapper: Any = vars(_functools)["_lru_cache_wrapper"]

    def lru_cache(maxsize: int = 128, typed: bool = False) -> Callable[[Any], Any]:
        return lambda function: wrapper(function, maxsize, typed, tuple)

    lent = type(sys)("functools")
    lent.lru_cache = lru_cache  # type: ignore[attr-defined]
    sys.modules["functools"] = lent
    try:
        import _sqlite3  # noqa: F401
    finally:
        if sys.modules.get("functools") is lent:
            del sys.modules["functools"]


if "functools" not in sys.modules and "_sqlite3" not in sys.modules:
    try:
        _import_lightly()
    except (ImportError, KeyError, AttributeError):  # an interpreter built otherwise: the plain import below serves
        sys.modules.pop("_sqlite3", None)

if TYPE_CHECKING:
    from sqlite3 import Connection, DatabaseError, IntegrityError, OperationalError, complete_statement, connect
else:
    from _sqlite3 import (
        Connection,
        DatabaseError,
        IntegrityError,
        OperationalError,
        complete_statement,
        connect,
    )

__all__ = ["Connection", "DatabaseError", "IntegrityError", "OperationalError", "complete_statement", "connect"]
