"""Scripts: what is done in a transaction, told as statements and apart from any database.

A script is a generator. It yields a statement with its values and is sent the rows; what it returns is the outcome. So
each is written once, runs in SQLite and in PostgreSQL, and is begun again when a database asks for that.
A script has no effects of its own; the one that must do something within its transaction yields an `Effect`.

Statements are in what both databases share, with `?` for values. A SELECT may end in FOR UPDATE: PostgreSQL locks the
rows, in SQLite a writer has everything to itself. Rows are locked in one order: repository, then blob, then content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    Rows = list[tuple[Any, ...]]
    Statement = tuple[str, tuple[Any, ...]]
    from typing import ParamSpec

    P = ParamSpec("P")
    T = TypeVar("T")
    Script = Generator["Statement | Effect", Rows, T]


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that has to be done before the transaction ends; the script is sent no rows for it."""

    do: Callable[[], Awaitable[None]]


def first(sql: str, *values: Any) -> Script[tuple[Any, ...] | None]:
    """The first row that a statement gives, or None."""
    rows = yield sql, values
    return rows[0] if rows else None


def hits(sql: str, *values: Any) -> Script[bool]:
    """Whether a statement gives any row."""
    rows = yield sql, values
    return bool(rows)


_SHORT: set[object] = set()


def short(script: Callable[P, Script[T]]) -> Callable[P, Script[T]]:
    """Mark a script that consists of a few statements which indexes answer: it may run where nothing may take long."""
    _SHORT.add(script)
    return script


def is_short(script: object) -> bool:
    """Whether a script is marked so."""
    return script in _SHORT
