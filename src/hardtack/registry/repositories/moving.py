"""Renaming, transferring and deleting whole repositories, as scripts. Each is done at one moment, for every process.

A name is one column, so a repository moves with all that it has. What was on its way to the old name, an upload in
progress, ends there. A deleted repository gets a name that none has, is thereby gone, and is taken apart in steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import RepositoryExists, RepositoryUnknown, SettingInvalid, TagImmutable
from hardtack.registry.metadata.changes import remove_manifest
from hardtack.registry.metadata.events import happened
from hardtack.registry.metadata.graves import empty
from hardtack.registry.metadata.links import unlink
from hardtack.registry.metadata.quotas import namespace_of, within
from hardtack.registry.metadata.script import first
from hardtack.registry.patterns import covering

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_ALWAYS = 1e18


def rename(name: str, to: str, who: str, now: float) -> Script[None]:
    """Give a repository another name, in the same namespace or another."""
    row = yield from first("SELECT id, size, upstream FROM repository WHERE name = ? FOR UPDATE", name)
    if row is None:
        raise RepositoryUnknown(name)
    home, size, upstream = row
    if upstream:
        raise SettingInvalid(f"{name} caches an upstream and is found under the name that this one has there")
    # Two may want the new name at once. Whoever could have made a repository of it has it.
    taken = yield from first(
        "INSERT INTO repository (name, created, updated) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
        to,
        now,
        now,
    )
    if taken is None:
        raise RepositoryExists(to)
    yield "DELETE FROM repository WHERE id = ?", taken
    yield "UPDATE repository SET name = ?, updated = ? WHERE id = ?", (to, now, home)
    yield "DELETE FROM upload WHERE repository = ?", (name,)
    yield from happened("drop", name, "", "", "", 0, who, now)
    yield from happened("repository", to, "", "", "", 0, who, now)
    if namespace_of(name) != namespace_of(to):
        yield from within(to, size)


def doom(name: str, who: str, now: float) -> Script[None]:
    """Take a repository out of everybody's sight and reach; `take_apart` does the rest."""
    row = yield from first("SELECT id, immutable FROM repository WHERE name = ? FOR UPDATE", name)
    if row is None:
        raise RepositoryUnknown(name)
    home, immutable = row
    if immutable:
        patterns = immutable.split("\n")
        tags = yield "SELECT name FROM tag WHERE repository = ? ORDER BY name", (home,)
        for (tag,) in tags:
            if pattern := covering(patterns, tag):
                raise TagImmutable(tag, pattern)
    yield (
        "UPDATE repository SET name = ?, visibility = 'private', explicit = 0, summary = '', readme = '',"
        " immutable = '', retention = '', upstream = '', updated = ? WHERE id = ?",
        (f"~{home}", now, home),
    )
    yield "DELETE FROM upload WHERE repository = ?", (name,)
    yield from happened("drop", name, "", "", "", 0, who, now)


def take_apart(limit: int, now: float) -> Script[bool]:
    """Do a step of what is left of deleted repositories. Returns whether there was something to do."""
    row = yield from first("SELECT id FROM repository WHERE name >= '~' ORDER BY name LIMIT 1")
    if row is None:
        return False
    home = row[0]
    yield "SELECT id FROM repository WHERE id = ? FOR UPDATE", (home,)
    for step in (_tags, _manifests, _links, _graves, _events, _counts):
        if (yield from step(home, limit, now)):
            return True
    yield "DELETE FROM repository WHERE id = ?", (home,)
    return True


def _tags(home: int, limit: int, now: float) -> Script[int]:
    del now
    rows = yield (
        "DELETE FROM tag WHERE repository = ? AND name IN"
        " (SELECT t.name FROM tag t WHERE t.repository = ? ORDER BY t.name LIMIT ?) RETURNING name",
        (home, home, limit),
    )
    return len(rows)


def _manifests(home: int, limit: int, now: float) -> Script[int]:
    rows = yield (
        "SELECT digest, size FROM manifest WHERE repository = ? ORDER BY digest LIMIT ?",
        (home, max(1, limit // 10)),  # each has children as well
    )
    for digest, size in rows:
        yield from remove_manifest(home, digest, size, _ALWAYS, now)
    return len(rows)


def _links(home: int, limit: int, now: float) -> Script[int]:
    rows = yield "SELECT digest FROM link WHERE repository = ? ORDER BY digest LIMIT ?", (home, limit)
    for (digest,) in rows:
        yield from unlink(home, digest, now)
    return len(rows)


def _graves(home: int, limit: int, now: float) -> Script[int]:
    rows = yield "SELECT id FROM grave WHERE repository = ? ORDER BY id LIMIT ?", (home, max(1, limit // 10))
    for (grave,) in rows:
        yield from empty(grave, now)
    return len(rows)


def _events(home: int, limit: int, now: float) -> Script[int]:
    del now
    rows = yield (
        "DELETE FROM tag_event WHERE id IN (SELECT e.id FROM tag_event e WHERE e.repository = ? ORDER BY e.id LIMIT ?)"
        " RETURNING id",
        (home, limit),
    )
    return len(rows)


def _counts(home: int, limit: int, now: float) -> Script[int]:
    del now
    rows = yield (
        "DELETE FROM pulled WHERE repository = ? AND subject IN"
        " (SELECT p.subject FROM pulled p WHERE p.repository = ? ORDER BY p.subject LIMIT ?) RETURNING subject",
        (home, home, limit),
    )
    return len(rows)
