"""The changes that pushing and deleting make, as scripts.

Who may make them was decided before. Each keeps the two invariants that collection relies on: `idle` of a link is NULL
exactly while a manifest of the repository needs the blob, `idle` of a blob exactly while a repository links to it or a
grave needs it; and `size` of a repository is the sum of what it links to and of its manifests. What happens to a
repository happens while its row is locked, so one thing after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import BlobInUse, ManifestBlobUnknown, TagImmutable, UploadUnknown
from hardtack.registry.metadata.events import happened
from hardtack.registry.metadata.graves import bury, drop_content, empty, find_grave, forget_pulls
from hardtack.registry.metadata.links import link, need, release, unlink
from hardtack.registry.metadata.quotas import namespace_of, within
from hardtack.registry.metadata.reviving import revive_parts
from hardtack.registry.metadata.script import first, hits, short
from hardtack.registry.names import is_official
from hardtack.registry.patterns import covering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hardtack.registry.metadata.rows import NewManifest
    from hardtack.registry.metadata.script import Script

    TagGuard = Callable[[str, str | None], None]
    """Called inside the transaction with a tag and what it points to so far; raises to refuse the change."""

PRIVATE = "private"


@short
def begin_upload(upload: str, repository: str, who: str, now: float) -> Script[None]:
    """Open a session."""
    yield (
        "INSERT INTO upload (id, repository, who, started, touched, digest, finished) VALUES (?, ?, ?, ?, ?, '', 0)",
        (upload, repository, who, now, now),
    )


@short
def touch_upload(upload: str, now: float) -> Script[None]:
    """Note that a session lives."""
    yield "UPDATE upload SET touched = ? WHERE id = ?", (now, upload)


@short
def claim(
    upload: str, repository: str, who: str, digest: str, size: int, now: float, opened: bool = False
) -> Script[None]:
    """Announce a blob before its bytes are put into place, in a session that was opened or that begins with this."""
    if opened:
        known = "UPDATE upload SET digest = ?, touched = ? WHERE id = ? AND repository = ? RETURNING id"
        if not (yield from hits(known, digest, now, upload, repository)):
            raise UploadUnknown(upload)
    else:
        yield (
            "INSERT INTO upload (id, repository, who, started, touched, digest, finished) VALUES (?, ?, ?, ?, ?, ?, 0)"
            " ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, touched = excluded.touched",
            (upload, repository, who, now, now, digest),
        )
    yield (
        "INSERT INTO blob (digest, size, created, idle) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
        " SET idle = excluded.idle WHERE blob.idle IS NOT NULL",
        (digest, size, now, now),
    )


@short
def finish_upload(
    upload: str, repository: str, digest: str, size: int, now: float, visibility: str = PRIVATE
) -> Script[None]:
    """Link a blob that is on disk and close its session. Its size is certain now; a claim may have been wrong."""
    home = yield from _repository(repository, now, visibility)
    # The repository may have got another name meanwhile; what was on its way to the old one ends here.
    # A claim that was lost with a crash of the database protected nothing, so the bytes may be gone.
    closed = "UPDATE upload SET finished = 1, touched = ? WHERE id = ? AND repository = ? AND digest = ? RETURNING id"
    if not (yield from hits(closed, now, upload, repository, digest)):
        raise UploadUnknown(upload)
    yield (
        "INSERT INTO blob (digest, size, created, idle) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET size = excluded.size",
        (digest, size, now, now),
    )
    yield "DELETE FROM lost WHERE digest = ?", (digest,)
    if (yield from link(home, digest, now)):
        yield from within(repository, size)


@short
def cancel_upload(upload: str) -> Script[bool]:
    """Forget a session."""
    return (yield from hits("DELETE FROM upload WHERE id = ? RETURNING id", upload))


@short
def mount(repository: str, digest: str, source: str, now: float, visibility: str = PRIVATE) -> Script[bool]:
    """Link a blob that another repository links to."""
    row = yield from first(
        "SELECT b.size FROM repository r JOIN link l ON l.repository = r.id JOIN blob b ON b.digest = l.digest"
        f" WHERE r.name = ? AND l.digest = ? AND {_NOT_LOST}",
        source,
        digest,
    )
    if row is not None:
        home = yield from _repository(repository, now, visibility)
        if (yield from link(home, digest, now)):
            yield from within(repository, row[0])
    return row is not None


@short
def renew_link(repository: str, digest: str, now: float) -> Script[None]:
    """Let a blob that nothing needs stay as if it were pushed now, if it is still linked."""
    home = yield from find(repository)
    yield (
        "UPDATE link SET created = ?, idle = ? WHERE repository = ? AND digest = ? AND idle IS NOT NULL",
        (now, now, home, digest),
    )


@short
def put_manifest(
    repository: str,
    manifest: NewManifest,
    tags: Sequence[str],
    who: str,
    guard: TagGuard,
    now: float,
    visibility: str = PRIVATE,
) -> Script[None]:
    """Store a manifest and point tags at it."""
    home = yield from _repository(repository, now, visibility)
    yield from _have_required(home, manifest)
    digest, size = str(manifest.digest), len(manifest.raw)
    fresh = yield from _store(home, manifest, who, now)
    if fresh:
        yield from happened("push", repository, "", digest, manifest.media_type, size, who, now)
    for tag in tags:
        if (yield from point(home, tag, digest, who, guard, now)):
            yield from happened("tag", repository, tag, digest, manifest.media_type, size, who, now)
    if fresh:
        yield from within(repository, size)


def _have_required(home: int, manifest: NewManifest) -> Script[None]:
    missing = []
    for child in manifest.children:
        if child.required and not (yield from hits(_HELD, home, str(child.digest))):
            missing.append(child.digest)
    if missing:
        raise ManifestBlobUnknown(dict.fromkeys(missing))


def _store(home: int, manifest: NewManifest, who: str, now: float) -> Script[bool]:
    """Put a manifest into its repository, whose row is locked. Returns whether it was not there."""
    digest, size = str(manifest.digest), len(manifest.raw)
    if (grave := (yield from find_grave(home, digest))) is not None:
        yield from empty(grave.id, now)  # locks blobs, so it comes before the content
    parts = [str(child.digest) for child in manifest.children if child.kind == "manifest"]
    yield from revive_parts(home, parts, now)
    yield (
        "INSERT INTO content (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE"
        " SET body = excluded.body WHERE content.body <> excluded.body",  # it was found to be wrong, and is right again
        (digest, manifest.raw),
    )
    details = (manifest.media_type, size, manifest.artifact_type, manifest.subject, manifest.annotations, now, who)
    fresh = yield from hits(
        "INSERT INTO manifest"
        " (repository, digest, media_type, size, artifact_type, subject, annotations, pushed, pushed_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING digest",
        home,
        digest,
        *details,
    )
    if fresh:
        yield "UPDATE repository SET size = size + ? WHERE id = ?", (size, home)
        for child in manifest.children:
            yield from need(home, digest, str(child.digest), child.kind)
    else:
        # Pushed again counts as pushed now, as with blobs: no rule of retention takes it from under who did so.
        yield (
            "UPDATE manifest SET media_type = ?, pushed = ? WHERE repository = ? AND digest = ?",
            (manifest.media_type, now, home, digest),
        )
    return fresh


_LINKED = "SELECT 1 FROM link WHERE repository = ? AND digest = ?"
_NOT_LOST = "NOT EXISTS (SELECT 1 FROM lost x WHERE x.digest = l.digest)"
_HELD = f"SELECT 1 FROM link l WHERE l.repository = ? AND l.digest = ? AND {_NOT_LOST}"


def point(home: int, tag: str, digest: str, who: str, guard: TagGuard, now: float) -> Script[bool]:
    """Let a tag point at a manifest. Returns whether it did not yet."""
    row = yield from first("SELECT digest FROM tag WHERE repository = ? AND name = ?", home, tag)
    before = None if row is None else row[0]
    guard(tag, before)
    if before not in (None, digest):
        yield from _changeable(home, (tag,))
    yield (
        "INSERT INTO tag (repository, name, digest, created, updated, updated_by) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (repository, name) DO UPDATE"
        " SET digest = excluded.digest, updated = excluded.updated, updated_by = excluded.updated_by",
        (home, tag, digest, now, now, who),
    )
    if before != digest:
        yield from remember(home, tag, digest, who, now)
    return before != digest


def _changeable(home: int, tags: Sequence[str]) -> Script[None]:
    """Refuse to move or to delete tags that never change. Raises TagImmutable."""
    row = yield from first("SELECT immutable FROM repository WHERE id = ? AND immutable <> ''", home)
    if row is not None:
        patterns = row[0].split("\n")
        for tag in tags:
            if pattern := covering(patterns, tag):
                raise TagImmutable(tag, pattern)


def remember(home: int, tag: str, digest: str, who: str, now: float) -> Script[None]:
    """Write down what a tag points to from now on; an empty digest says that it is gone."""
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
    yield from _changeable(home, (tag,))
    yield "DELETE FROM pulled WHERE repository = ? AND subject = ?", (home, tag)
    yield from remember(home, tag, "", who, now)
    yield from happened("untag", repository, tag, row[0], "", 0, who, now)
    yield from _touch(home, now)
    return True


def delete_manifest(
    repository: str, digest: str, who: str, spare: float, now: float, keep: bool = False
) -> Script[bool]:
    """Forget a manifest, its tags, and the links that it alone needed."""
    home = yield from find(repository)
    held = yield from first("SELECT media_type, size FROM manifest WHERE repository = ? AND digest = ?", home, digest)
    if held is None:
        return False
    media_type, size = held
    rows = yield "DELETE FROM tag WHERE repository = ? AND digest = ? RETURNING name", (home, digest)
    tags = sorted(tag for (tag,) in rows)
    yield from _changeable(home, tags)
    if keep:
        yield from bury(home, digest, tags, who, now)
    for tag in tags:
        yield from remember(home, tag, "", who, now)
        yield from happened("untag", repository, tag, digest, media_type, size, who, now)
    yield from remove_manifest(home, digest, size, now - spare, now)
    if not keep:
        yield from forget_pulls(home, digest, tags)
    yield from happened("delete", repository, "", digest, media_type, size, who, now)
    yield from _touch(home, now)
    return True


def remove_manifest(home: int, digest: str, size: int, recent: float, now: float) -> Script[None]:
    """Take a manifest without tags out of its repository, and the links that it alone needed, except recent ones."""
    children = yield "DELETE FROM edge WHERE repository = ? AND parent = ? RETURNING child", (home, digest)
    yield "DELETE FROM manifest WHERE repository = ? AND digest = ?", (home, digest)
    yield "UPDATE repository SET size = size - ? WHERE id = ?", (size, home)
    for child in sorted({child for (child,) in children}):
        yield from release(home, child, recent, now)
    yield from drop_content(digest)


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


NOWHERE = -1


def find(repository: str) -> Script[int]:
    """The id of a repository, its row locked; -1, which no row has, when there is none."""
    row = yield from first("SELECT id FROM repository WHERE name = ? FOR UPDATE", repository)
    return NOWHERE if row is None else row[0]


def _repository(name: str, now: float, visibility: str) -> Script[int]:
    """The id of a repository, its row locked; made when it is new, with what its namespace says or else is usual."""
    rows = yield (
        "INSERT INTO repository (name, created, updated, visibility) VALUES (?, ?, ?,"
        " coalesce(nullif((SELECT n.visibility FROM namespace n WHERE n.name = ?), ''), ?))"
        " ON CONFLICT (name) DO UPDATE SET updated = excluded.updated RETURNING id",
        (name, now, now, namespace_of(name), "public" if is_official(name) else visibility),
    )
    home: int = rows[0][0]
    return home


def _touch(home: int, now: float) -> Script[None]:
    yield "UPDATE repository SET updated = ? WHERE id = ?", (now, home)
