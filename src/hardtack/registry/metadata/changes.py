"""The changes that pushing and deleting make, as scripts.

Who may make them was decided before. Each keeps the two invariants that collection relies on: `idle` of a link is NULL
exactly while a manifest of the repository needs the blob, `idle` of a blob exactly while a repository links to it or a
grave needs it; and `size` of a repository is the sum of what it links to and of its manifests. What happens to a
repository happens while its row is locked, so one thing after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import BlobInUse, ManifestBlobUnknown
from hardtack.registry.metadata.events import happened
from hardtack.registry.metadata.script import first, hits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hardtack.registry.metadata.rows import NewManifest
    from hardtack.registry.metadata.script import Script

    TagGuard = Callable[[str, str | None], None]
    """Called inside the transaction with a tag and what it points to so far; raises to refuse the change."""


def begin_upload(upload: str, repository: str, who: str, now: float) -> Script[None]:
    """Open a session."""
    yield "INSERT INTO upload VALUES (?, ?, ?, ?, ?, '', 0)", (upload, repository, who, now, now)


def touch_upload(upload: str, now: float) -> Script[None]:
    """Note that a session lives."""
    yield "UPDATE upload SET touched = ? WHERE id = ?", (now, upload)


def claim(upload: str, repository: str, who: str, digest: str, size: int, now: float) -> Script[None]:
    """Announce a blob before its bytes are put into place."""
    yield (
        "INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, 0)"
        " ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, touched = excluded.touched",
        (upload, repository, who, now, now, digest),
    )
    yield (
        "INSERT INTO blob VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
        " SET idle = excluded.idle WHERE blob.idle IS NOT NULL",
        (digest, size, now, now),
    )


def finish_upload(upload: str, repository: str, digest: str, size: int, now: float) -> Script[None]:
    """Link a blob that is on disk and close its session. Its size is certain now; a claim may have been wrong."""
    home = yield from _repository(repository, now)
    yield (
        "INSERT INTO blob VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET size = excluded.size",
        (digest, size, now, now),
    )
    yield from link(home, digest, now)
    yield "UPDATE upload SET finished = 1, digest = ?, touched = ? WHERE id = ?", (digest, now, upload)


def cancel_upload(upload: str) -> Script[bool]:
    """Forget a session."""
    return (yield from hits("DELETE FROM upload WHERE id = ? RETURNING id", upload))


def mount(repository: str, digest: str, source: str, now: float) -> Script[bool]:
    """Link a blob that another repository links to."""
    linked = yield from hits(
        "SELECT 1 FROM repository r JOIN link l ON l.repository = r.id WHERE r.name = ? AND l.digest = ?",
        source,
        digest,
    )
    if linked:
        home = yield from _repository(repository, now)
        yield from link(home, digest, now)
    return linked


def put_manifest(
    repository: str, manifest: NewManifest, tags: Sequence[str], who: str, guard: TagGuard, now: float
) -> Script[None]:
    """Store a manifest and point tags at it."""
    home = yield from _repository(repository, now)
    missing = []
    for child in manifest.children:
        if child.required and not (yield from hits(_LINKED, home, str(child.digest))):
            missing.append(child.digest)
    if missing:
        raise ManifestBlobUnknown(dict.fromkeys(missing))
    digest, size = str(manifest.digest), len(manifest.raw)
    yield "INSERT INTO content VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", (digest, manifest.raw)
    details = (manifest.media_type, size, manifest.artifact_type, manifest.subject, manifest.annotations, now, who)
    fresh = yield from hits(
        "INSERT INTO manifest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING digest",
        home,
        digest,
        *details,
    )
    if fresh:
        yield "UPDATE repository SET size = size + ? WHERE id = ?", (size, home)
        for child in manifest.children:
            yield from need(home, digest, str(child.digest), child.kind)
        yield from happened("push", repository, "", digest, manifest.media_type, size, who, now)
    else:
        yield (
            "UPDATE manifest SET media_type = ? WHERE repository = ? AND digest = ? AND media_type <> ?",
            (manifest.media_type, home, digest, manifest.media_type),
        )
    for tag in tags:
        if (yield from point(home, tag, digest, who, guard, now)):
            yield from happened("tag", repository, tag, digest, manifest.media_type, size, who, now)


_LINKED = "SELECT 1 FROM link WHERE repository = ? AND digest = ?"


def need(home: int, parent: str, child: str, kind: str) -> Script[None]:
    """Note that a manifest needs a content of its repository."""
    yield "INSERT INTO edge VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (home, parent, child, kind)
    yield "UPDATE link SET idle = NULL WHERE repository = ? AND digest = ? AND idle IS NOT NULL", (home, child)


def point(home: int, tag: str, digest: str, who: str, guard: TagGuard, now: float) -> Script[bool]:
    """Let a tag point at a manifest. Returns whether it did not yet."""
    row = yield from first("SELECT digest FROM tag WHERE repository = ? AND name = ?", home, tag)
    before = None if row is None else row[0]
    guard(tag, before)
    yield (
        "INSERT INTO tag VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (repository, name) DO UPDATE"
        " SET digest = excluded.digest, updated = excluded.updated, updated_by = excluded.updated_by",
        (home, tag, digest, now, now, who),
    )
    if before != digest:
        yield from _remember(home, tag, digest, who, now)
    return before != digest


def _remember(home: int, tag: str, digest: str, who: str, now: float) -> Script[None]:
    yield (
        "INSERT INTO tag_event (repository, name, digest, moment, who) VALUES (?, ?, ?, ?, ?)",
        (home, tag, digest, now, who),
    )


def delete_tag(repository: str, tag: str, who: str, now: float) -> Script[bool]:
    """Forget a tag."""
    home = yield from find(repository)
    row = yield from first("DELETE FROM tag WHERE repository = ? AND name = ? RETURNING digest", home, tag)
    if row is None:
        return False
    yield from _remember(home, tag, "", who, now)
    yield from happened("untag", repository, tag, row[0], "", 0, who, now)
    yield from _touch(home, now)
    return True


def delete_manifest(repository: str, digest: str, who: str, spare: float, now: float) -> Script[bool]:
    """Forget a manifest, its tags, and the links that it alone needed."""
    home = yield from find(repository)
    held = yield from first("SELECT media_type, size FROM manifest WHERE repository = ? AND digest = ?", home, digest)
    if held is None:
        return False
    media_type, size = held
    tags = yield "DELETE FROM tag WHERE repository = ? AND digest = ? RETURNING name", (home, digest)
    for (tag,) in tags:
        yield from _remember(home, tag, "", who, now)
        yield from happened("untag", repository, tag, digest, media_type, size, who, now)
    children = yield "DELETE FROM edge WHERE repository = ? AND parent = ? RETURNING child", (home, digest)
    yield "DELETE FROM manifest WHERE repository = ? AND digest = ?", (home, digest)
    yield "UPDATE repository SET size = size - ? WHERE id = ?", (size, home)
    for child in sorted({child for (child,) in children}):
        yield from _release(home, child, now - spare, now)
    yield from drop_content(digest)
    yield from happened("delete", repository, "", digest, media_type, size, who, now)
    yield from _touch(home, now)
    return True


def _release(home: int, child: str, recent: float, now: float) -> Script[None]:
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


def delete_blob(repository: str, digest: str, now: float) -> Script[bool]:
    """Unlink a blob that no manifest of the repository needs."""
    home = yield from find(repository)
    if not (yield from hits(_LINKED, home, digest)):
        return False
    parent = yield from first("SELECT parent FROM edge WHERE repository = ? AND child = ?", home, digest)
    if parent is not None:
        raise BlobInUse(digest, parent[0])
    yield from unlink(home, digest, now)
    return True


def link(home: int, digest: str, now: float) -> Script[None]:
    """Let a repository, whose row is locked, link to a blob that is there."""
    # Pushed again counts as pushed now: whoever did so may count on it, whatever is deleted meanwhile.
    needed = yield from hits("SELECT 1 FROM edge WHERE repository = ? AND child = ?", home, digest)
    idle = None if needed else now
    fresh = yield from hits(
        "INSERT INTO link VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING digest", home, digest, now, idle
    )
    if fresh:
        yield (
            "UPDATE repository SET size = size + (SELECT b.size FROM blob b WHERE b.digest = ?) WHERE id = ?",
            (digest, home),
        )
        yield "UPDATE blob SET idle = NULL WHERE digest = ? AND idle IS NOT NULL", (digest,)
    else:
        yield "UPDATE link SET created = ?, idle = ? WHERE repository = ? AND digest = ?", (now, idle, home, digest)


def unlink(home: int, digest: str, idle: float) -> Script[None]:
    """Take a blob out of a repository, whose row is locked. Out of the last one it is idle, since the given moment."""
    if not (yield from hits("DELETE FROM link WHERE repository = ? AND digest = ? RETURNING digest", home, digest)):
        return
    # Two repositories may let go of it at once: only with its row locked is it certain what the other did.
    row = yield from first("SELECT size FROM blob WHERE digest = ? FOR UPDATE", digest)
    if row is not None:
        yield "UPDATE repository SET size = size - ? WHERE id = ?", (row[0], home)
    yield (
        "UPDATE blob SET idle = ? WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM link WHERE link.digest = blob.digest)"
        " AND NOT EXISTS (SELECT 1 FROM grave_need WHERE grave_need.child = blob.digest)",
        (idle, digest),
    )


def drop_content(digest: str) -> Script[None]:
    """Forget the bytes of a manifest that no repository has any more."""
    yield "SELECT 1 FROM content WHERE digest = ? FOR UPDATE", (digest,)
    yield (
        "DELETE FROM content WHERE digest = ?"
        " AND NOT EXISTS (SELECT 1 FROM manifest WHERE manifest.digest = content.digest)"
        " AND NOT EXISTS (SELECT 1 FROM grave WHERE grave.digest = content.digest)",
        (digest,),
    )


_NOWHERE = -1


def find(repository: str) -> Script[int]:
    """The id of a repository, its row locked; -1, which no row has, when there is none."""
    row = yield from first("SELECT id FROM repository WHERE name = ? FOR UPDATE", repository)
    return _NOWHERE if row is None else row[0]


def _repository(name: str, now: float) -> Script[int]:
    """The id of a repository, its row locked; made when it is new."""
    rows = yield (
        "INSERT INTO repository (name, created, updated, visibility) VALUES (?, ?, ?,"
        " coalesce(nullif((SELECT n.visibility FROM namespace n WHERE n.name = ?), ''), ?))"
        " ON CONFLICT (name) DO UPDATE SET updated = excluded.updated RETURNING id",
        (name, now, now, name.partition("/")[0], "public" if name.startswith("library/") else "private"),
    )
    home: int = rows[0][0]
    return home


def _touch(home: int, now: float) -> Script[None]:
    yield "UPDATE repository SET updated = ? WHERE id = ?", (now, home)
