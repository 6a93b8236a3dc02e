"""What a repair changes in the database, as scripts; each locks first and looks again at what it is about to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.maintenance.questions import SIZE
from hardtack.registry.metadata.changes import remember
from hardtack.registry.metadata.links import need
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.rows import NewManifest
    from hardtack.registry.metadata.script import Script


def mark_blob(digest: str, now: float) -> Script[None]:
    """Mark a blob as idle exactly when nothing needs it."""
    yield "SELECT 1 FROM blob WHERE digest = ? FOR UPDATE", (digest,)
    needed = (
        "(EXISTS (SELECT 1 FROM link l WHERE l.digest = blob.digest)"
        " OR EXISTS (SELECT 1 FROM grave_need g WHERE g.child = blob.digest AND g.held = 1))"
    )
    yield f"UPDATE blob SET idle = NULL WHERE digest = ? AND idle IS NOT NULL AND {needed}", (digest,)
    yield f"UPDATE blob SET idle = ? WHERE digest = ? AND idle IS NULL AND NOT {needed}", (now, digest)


def resize_blob(digest: str, size: int) -> Script[None]:
    """Note the size that a blob has."""
    yield "UPDATE blob SET size = ? WHERE digest = ?", (size, digest)


def take_stray(digest: str, size: int, now: float) -> Script[None]:
    """Know of bytes that lie about, as of a blob that nothing needs: the collector removes it when it is time."""
    yield (
        "INSERT INTO blob (digest, size, created, idle) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            digest,
            size,
            now,
            now,
        ),
    )


def give_row(digest: str, size: int | None, now: float) -> Script[None]:
    """Know of a blob that is linked to; without bytes it is lost."""
    yield (
        "INSERT INTO blob (digest, size, created, idle) VALUES (?, ?, ?, NULL) ON CONFLICT DO NOTHING",
        (
            digest,
            size or 0,
            now,
        ),
    )
    if size is None:
        yield (
            "INSERT INTO lost (digest, found, why) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (digest, now, "its bytes are gone"),
        )


def mend_manifest(home: int, manifest: NewManifest) -> Script[bool]:
    """Note of a manifest what its bytes say. Returns whether it is still there."""
    yield "SELECT 1 FROM repository WHERE id = ? FOR UPDATE", (home,)
    digest = str(manifest.digest)
    if not (yield from hits("SELECT 1 FROM manifest WHERE repository = ? AND digest = ?", home, digest)):
        return False
    yield (
        "UPDATE manifest SET size = ?, artifact_type = ?, subject = ?, annotations = ?"
        " WHERE repository = ? AND digest = ?",
        (len(manifest.raw), manifest.artifact_type, manifest.subject, manifest.annotations, home, digest),
    )
    right = {(str(child.digest), child.kind) for child in manifest.children}
    found = yield "SELECT child, kind FROM edge WHERE repository = ? AND parent = ?", (home, digest)
    for child, kind in set(found) - right:
        yield (
            "DELETE FROM edge WHERE repository = ? AND parent = ? AND child = ? AND kind = ?",
            (home, digest, child, kind),
        )
    for child, kind in sorted(right - set(found)):
        yield from need(home, digest, child, kind)
    return True


def mark_links(home: int, now: float) -> Script[None]:
    """Mark the links of a repository as idle exactly when no manifest of it needs them."""
    yield "SELECT 1 FROM repository WHERE id = ? FOR UPDATE", (home,)
    edge = "EXISTS (SELECT 1 FROM edge e WHERE e.repository = link.repository AND e.child = link.digest)"
    yield f"UPDATE link SET idle = NULL WHERE repository = ? AND idle IS NOT NULL AND {edge}", (home,)
    yield f"UPDATE link SET idle = ? WHERE repository = ? AND idle IS NULL AND NOT {edge}", (now, home)


def size_repository(home: int) -> Script[None]:
    """Add up what a repository holds."""
    yield "SELECT 1 FROM repository WHERE id = ? FOR UPDATE", (home,)
    yield f"UPDATE repository SET size = {SIZE} WHERE id = ?", (home,)


def drop_tag(home: int, tag: str, now: float) -> Script[bool]:
    """Forget a tag that points at nothing."""
    yield "SELECT 1 FROM repository WHERE id = ? FOR UPDATE", (home,)
    row = yield from first(
        "SELECT 1 FROM tag t JOIN manifest m ON m.repository = t.repository AND m.digest = t.digest"
        " WHERE t.repository = ? AND t.name = ?",
        home,
        tag,
    )
    if row is not None:
        return False
    yield "DELETE FROM tag WHERE repository = ? AND name = ?", (home, tag)
    yield from remember(home, tag, "", "", now)
    return True
