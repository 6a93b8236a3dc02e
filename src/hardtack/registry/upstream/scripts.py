"""What the cache asks of the database and changes in it, as scripts.

A row of `upstream_seen` tells when a reference was last asked for and whether it was there: found is 1 or 0. While one
process asks, found is 2, so that others wait for what it learns instead of asking as well; a row that is left so by a
death is nobody's after a while.

A repository belongs to an upstream by its own row, so what is stored for one first makes that row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata import changes, reading
from hardtack.registry.metadata.script import first, hits
from hardtack.registry.upstream.freshness import Known

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.registry.metadata.rows import NewManifest
    from hardtack.registry.metadata.script import Script

    Change = Callable[..., Script[None]]

_ASKING = 2
_KEPT = 30 * 86_400.0  # longer than anything is believed


def known(repository: str, reference: str) -> Script[Known]:
    """What is known of a reference."""
    held = yield from reading.manifest(repository, reference)
    row = yield from first(
        "SELECT r.upstream, s.found, s.checked FROM (SELECT 1 AS one) o LEFT JOIN repository r ON r.name = ?"
        " LEFT JOIN upstream_seen s ON s.repository = ? AND s.reference = ?",
        repository,
        repository,
        reference,
    )
    home, found, checked = row or (None, None, None)
    return Known(held, home, bool(found) if found in (0, 1) else None, checked or 0.0)


def home(repository: str) -> Script[str | None]:
    """The upstream of a repository, "" when it is our own, None when there is none of that name."""
    row = yield from first("SELECT upstream FROM repository WHERE name = ?", repository)
    return None if row is None else row[0]


def begin_asking(repository: str, reference: str, now: float, life: float) -> Script[bool]:
    """Be the one who asks. Returns whether nobody else does, or has for longer than a life."""
    return (
        yield from hits(
            "INSERT INTO upstream_seen (repository, reference, found, checked) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (repository, reference) DO UPDATE"
            " SET found = excluded.found, checked = excluded.checked"
            " WHERE upstream_seen.found <> ? OR upstream_seen.checked < ? OR upstream_seen.checked > ? RETURNING found",
            repository,
            reference,
            _ASKING,
            now,
            _ASKING,
            now - life,
            now + life,
        )
    )


def stop_asking(repository: str, reference: str) -> Script[None]:
    """Nothing was learnt: somebody else may ask."""
    yield (
        "DELETE FROM upstream_seen WHERE repository = ? AND reference = ? AND found = ?",
        (repository, reference, _ASKING),
    )


def saw(repository: str, reference: str, found: bool, now: float) -> Script[None]:
    """Note that the upstream was asked; forget what was noted so long ago that nobody believes it."""
    yield (
        "INSERT INTO upstream_seen (repository, reference, found, checked) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (repository, reference) DO UPDATE"
        " SET found = excluded.found, checked = excluded.checked",
        (repository, reference, int(found), now),
    )
    yield "DELETE FROM upstream_seen WHERE checked < ?", (now - _KEPT,)


def lost(repository: str, reference: str, who: str, now: float) -> Script[None]:
    """Note that the upstream has no such thing, and forget the tag when it is one."""
    if ":" not in reference:
        yield from changes.delete_tag(repository, reference, who, now)
    yield from saw(repository, reference, False, now)


def keep_manifest(
    repository: str, upstream: str, visibility: str, manifest: NewManifest, tag: str, who: str, now: float
) -> Script[None]:
    """Store a manifest of an upstream, under a tag or, when that is "", under its digest alone."""
    yield from _made(repository, upstream, visibility, now)
    yield from changes.put_manifest(repository, manifest, [tag] if tag else [], who, _allow, now)
    yield from saw(repository, tag or str(manifest.digest), True, now)


def link(repository: str, upstream: str, visibility: str, digest: str, source: str, now: float) -> Script[bool]:
    """Link a blob that another repository links to. Returns whether it does."""
    yield from _made(repository, upstream, visibility, now)
    return (yield from changes.mount(repository, digest, source, now))


def finish_blob(
    repository: str, upstream: str, visibility: str, upload: str, digest: str, size: int, now: float
) -> Script[None]:
    """Link a blob that was fetched."""
    yield from _made(repository, upstream, visibility, now)
    yield from changes.finish_upload(upload, repository, digest, size, now)


def fetching(repository: str, digest: str, since: float) -> Script[str]:
    """The upload by which another process is fetching a blob, when it has given a sign of life since; else ""."""
    row = yield from first(
        "SELECT id FROM upload WHERE digest = ? AND repository = ? AND finished = 0 AND touched >= ?"
        " ORDER BY started, id LIMIT 1",
        digest,
        repository,
        since,
    )
    return "" if row is None else row[0]


def _made(repository: str, upstream: str, visibility: str, now: float) -> Script[None]:
    yield (
        "INSERT INTO repository (name, created, updated, visibility, upstream) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO NOTHING",
        (repository, now, now, visibility, upstream),
    )


def _allow(tag: str, before: str | None) -> None:
    del tag, before  # the upstream says where its tags point
