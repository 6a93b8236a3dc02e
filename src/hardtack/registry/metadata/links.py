"""The links between repositories and blobs, as scripts; the repository's row is locked by whoever calls.

`idle` of a link is NULL exactly while a manifest of the repository needs the blob; `idle` of a blob exactly while a
repository links to it or a grave needs it; and `size` of a repository follows its links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.graves import rest
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script


def need(home: int, parent: str, child: str, kind: str) -> Script[None]:
    """Note that a manifest needs a content of its repository."""
    yield (
        "INSERT INTO edge (repository, parent, child, kind) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (home, parent, child, kind),
    )
    yield "UPDATE link SET idle = NULL WHERE repository = ? AND digest = ? AND idle IS NOT NULL", (home, child)


def link(home: int, digest: str, now: float) -> Script[bool]:
    """Let a repository link to a blob that is there. Returns whether it did not yet."""
    # Pushed again counts as pushed now: whoever did so may count on it, whatever is deleted meanwhile.
    needed = yield from hits("SELECT 1 FROM edge WHERE repository = ? AND child = ?", home, digest)
    idle = None if needed else now
    fresh = yield from hits(
        "INSERT INTO link (repository, digest, created, idle) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING digest",
        home,
        digest,
        now,
        idle,
    )
    if fresh:
        yield (
            "UPDATE repository SET size = size + (SELECT b.size FROM blob b WHERE b.digest = ?) WHERE id = ?",
            (digest, home),
        )
        yield "UPDATE blob SET idle = NULL WHERE digest = ? AND idle IS NOT NULL", (digest,)
    else:
        yield "UPDATE link SET created = ?, idle = ? WHERE repository = ? AND digest = ?", (now, idle, home, digest)
    return fresh


def unlink(home: int, digest: str, idle: float) -> Script[None]:
    """Take a blob out of a repository. Out of the last one it is idle, since the given moment."""
    if not (yield from hits("DELETE FROM link WHERE repository = ? AND digest = ? RETURNING digest", home, digest)):
        return
    # Two repositories may let go of it at once: only with its row locked is it certain what the other did.
    row = yield from first("SELECT size FROM blob WHERE digest = ? FOR UPDATE", digest)
    if row is not None:
        yield "UPDATE repository SET size = size - ? WHERE id = ?", (row[0], home)
    yield from rest(digest, idle)


def release(home: int, child: str, recent: float, now: float) -> Script[None]:
    """A manifest that needed the child is gone: unlink it unless another one does, or it was pushed just now."""
    if (yield from hits("SELECT 1 FROM edge WHERE repository = ? AND child = ?", home, child)):
        return
    row = yield from first("SELECT created FROM link WHERE repository = ? AND digest = ?", home, child)
    if row is None:
        return
    if row[0] > recent:
        yield "UPDATE link SET idle = ? WHERE repository = ? AND digest = ?", (now, home, child)
    else:
        yield from unlink(home, child, now)
