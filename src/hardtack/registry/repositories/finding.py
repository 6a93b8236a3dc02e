"""Lists of repositories for somebody, as scripts: the catalog and the search, in the order of names, by pages.

Each looks only where the caller can see anything (`reach`), through an index: a hundred thousand private repositories
of others cost nothing. The rule `access.lists` has the last word about each that is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardtack.registry.access import lists
from hardtack.registry.metadata.reading import literal
from hardtack.registry.repositories.reach import EVERYTHING, reach
from hardtack.registry.repositories.rows import Listed

if TYPE_CHECKING:
    from hardtack.registry.access import Caller
    from hardtack.registry.metadata.script import Rows, Script
    from hardtack.registry.repositories.reach import Reach, Span

_LISTED = (
    "r.summary, (SELECT count(*) FROM tag t WHERE t.repository = r.id),"
    " coalesce((SELECT p.pulls FROM pulled p WHERE p.repository = r.id AND p.subject = ''), 0),"
    " r.size, r.created, r.updated"
)


def names(caller: Caller, after: str, limit: int) -> Script[list[str]]:
    """Names that the catalog shows to somebody, those after one."""
    rows = yield from _visible(caller, "", "", (), after, limit)
    return [row[0] for row in rows]


def search(caller: Caller, containing: str, after: str, limit: int) -> Script[list[Listed]]:
    """Repositories that somebody may pull from, whose name or summary contains a text in any case."""
    condition = ""
    values: tuple[Any, ...] = ()
    if containing:
        pattern = f"%{literal(containing.lower())}%"
        condition = " AND (r.name LIKE ? ESCAPE '\\' OR lower(r.summary) LIKE ? ESCAPE '\\')"
        values = (pattern, pattern)
    rows = yield from _visible(caller, f", {_LISTED}", condition, values, after, limit)
    return [Listed._make(row) for row in rows]


def _visible(
    caller: Caller, columns: str, condition: str, values: tuple[Any, ...], after: str, limit: int
) -> Script[Rows]:
    within = reach(caller)
    found: Rows = []
    while len(found) < limit:
        page = yield from _page(within, columns, condition, values, after, limit - len(found))
        found += [row for row in page if lists(caller, row[0], row[1])]
        if not page:
            break
        after = page[-1][0]
    return found


def _page(within: Reach, columns: str, condition: str, values: tuple[Any, ...], after: str, limit: int) -> Script[Rows]:
    """The first rows after a name: of each way to see something the first ones, and of these the first."""
    ways: list[tuple[tuple[Span, ...], str, tuple[str, ...]]] = [(within.granted, "", ())]
    if within.granted != EVERYTHING:
        ways += [(within.shown, " AND r.visibility = ?", (visibility,)) for visibility in within.visibilities]
    found: dict[str, tuple[Any, ...]] = {}
    for spans, shown, visibility in ways:
        left = limit
        for first, end in spans:
            if end <= after:
                continue
            start, least = (">", after) if after >= first else (">=", first)
            rows = yield (
                f"SELECT r.name, r.visibility{columns} FROM repository r"
                f" WHERE r.name {start} ? AND r.name < ?{shown}{condition} ORDER BY r.name LIMIT ?",
                (least, end, *visibility, *values, left),
            )
            found.update((row[0], row) for row in rows)
            left -= len(rows)
            if left <= 0:
                break
    return [found[name] for name in sorted(found)[:limit]]
