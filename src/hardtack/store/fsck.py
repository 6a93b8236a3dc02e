"""Checking a store, and repairing it: every byte against its name, every row against the files and the other rows.

Runs while others work: what changes under the check is looked at twice before it is called damage. A repair removes
what is wrong, so that the next pull, load or build brings it again; it never invents content.
"""

from __future__ import annotations

import os

from hardtack.errors import TackError
from hardtack.oci.digest import Digest, hasher
from hardtack.store.content import Content, edges_of
from hardtack.store.errors import BlobUnknown, RootUnusable
from hardtack.store.holders import describe
from hardtack.store.lease import dead_leases, drop_lease
from hardtack.store.sqlite import DatabaseError
from hardtack.store.why import why

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardtack.store.root import Root

_CHUNK = 1 << 20
_DOCUMENT = 4 << 20
_LEFTOVERS = ("blob-stray", "lease-dead")


class Finding:
    """One thing that is wrong.

    Attributes:
        kind: what sort of damage, such as `blob-damaged`; stable, for scripts.
        subject: the digest, name or path that it concerns.
        message: what is wrong, a sentence without a full stop.
        hint: what brings it back, or "".
        repaired: whether a repair has removed the wrong thing.
        harmless: what any death leaves behind and the next collection sweeps; no damage.
    """

    __slots__ = ("hint", "kind", "message", "repaired", "subject")

    def __init__(self, kind: str, subject: str, message: str, hint: str = "", repaired: bool = False) -> None:
        self.kind = kind
        self.subject = subject
        self.message = message
        self.hint = hint
        self.repaired = repaired

    @property
    def harmless(self) -> bool:
        return self.kind in _LEFTOVERS


def fsck(root: Root, repair: bool = False, quick: bool = False) -> list[Finding]:
    """Check a store.

    Args:
        repair: remove what is wrong, move damaged blobs aside, drop rows that lead nowhere.
        quick: look at names and sizes only, not at every byte.
    Returns:
        What is wrong, in the order in which it should be read.
    """
    damage = _database(root)
    if damage:
        return [damage]  # what the rows say means nothing now
    check = _Check(root, repair, quick)
    return [finding for step in check.steps() for finding in step()]


def _database(root: Root) -> Finding | None:
    """SQLite's own check."""
    hint = "Move state.db away, then pull, load and build again; blobs that are still right will be found again"
    try:
        rows = [row[0] for row in root.db.execute("PRAGMA integrity_check(20)")]
    except (DatabaseError, RootUnusable) as error:
        rows = [error.message if isinstance(error, RootUnusable) else str(error)]
    return None if rows == ["ok"] else Finding("database-damaged", "state.db", "; ".join(rows), hint)


class _Check:
    def __init__(self, root: Root, repair: bool, quick: bool) -> None:
        self.root = root
        self.repair = repair
        self.quick = quick
        self.content = Content(root)

    def steps(self) -> list[Callable[[], Iterator[Finding]]]:
        """In this order: each relies on what the ones before have put right."""
        return [self.blobs, self.edges, self.strays, self.layers, self.names, self.keeps, self.images]

    def blobs(self) -> Iterator[Finding]:
        """Every row has its file, with the bytes that the digest names."""
        for digest, size in self.root.db.execute("SELECT digest, size FROM blob ORDER BY digest").fetchall():
            wrong = self._wrong_with(Digest(digest), size)
            if wrong and self._still(digest, size):
                kind = "blob-missing" if self.root.blobs.size(digest) is None else "blob-damaged"
                message, hint = self._told(digest, wrong)
                yield Finding(kind, digest, message, hint, self.repair and self._forget_blob(Digest(digest)))

    def edges(self) -> Iterator[Finding]:
        """What manifests, indexes and configs need is known to the collection."""
        rows = self.root.db.execute("SELECT digest, media_type FROM blob WHERE size <= ?", (_DOCUMENT,)).fetchall()
        for digest, media_type in rows:
            try:
                wanted = edges_of(self._document(digest, media_type), media_type, Digest(digest))
            except BlobUnknown:
                continue
            except TackError as error:
                yield Finding("document-unreadable", digest, error.message)
                continue
            missing = [edge for edge in wanted if not self._has_edge(edge)]
            if missing and self._still(digest):
                if self.repair:
                    with self.root.transaction() as db:
                        db.executemany("INSERT OR IGNORE INTO edge VALUES (?, ?, ?)", missing)
                yield Finding("edge-missing", digest, f"{len(missing)} things it needs are not noted", "", self.repair)

    def strays(self) -> Iterator[Finding]:
        """Files under blobs/ and ingest/ that have no business there."""
        known = {row[0] for row in self.root.db.execute("SELECT digest FROM blob")}
        for digest in self.root.blobs:
            if digest not in known and not self._still(digest):
                from hardtack.store.collect import remove_blob

                repaired = self.repair and remove_blob(self.root, digest) is not None
                message = "a file without a row, of a process that died"
                yield Finding("blob-stray", digest, message, "The next collection removes it", repaired)
        base = f"{self.root.path}/blobs"
        for folder, _, files in os.walk(base):
            for name in files:
                algorithm = os.path.basename(os.path.dirname(folder))
                if not _is_digest(f"{algorithm}:{name}") or os.path.basename(folder) != name[:2]:
                    path = os.path.join(folder, name)
                    if self.repair:
                        os.unlink(path)
                    subject = os.path.relpath(path, self.root.path)
                    yield Finding("file-foreign", subject, "no blob of this store", "", self.repair)

    def layers(self) -> Iterator[Finding]:
        """Every layer can be mounted, and its tar, where it is kept, is the one that its diff id names."""
        from hardtack.store.layer import LayerStore

        store = LayerStore(self.root)
        for diff_id, driver in self.root.db.execute("SELECT diff_id, driver FROM layer ORDER BY diff_id").fetchall():
            wrong = "" if store.has(diff_id) else "its files are gone"
            if not wrong and not self.quick and driver == "erofs":
                wrong = self._wrong_with_tar(Digest(diff_id))
            if not wrong or not self._still_layer(diff_id):
                continue
            message, hint = self._told(diff_id, wrong)
            if self.repair:
                with self.root.transaction(durable=True) as db:
                    db.execute("DELETE FROM layer WHERE diff_id = ?", (diff_id,))
                store.remove(diff_id)
            yield Finding("layer-damaged", diff_id, message, hint, self.repair)

    def names(self) -> Iterator[Finding]:
        """Every name leads to an image."""
        rows = self.root.db.execute(
            "SELECT name, digest FROM reference WHERE digest NOT IN (SELECT digest FROM image)"
        ).fetchall()
        for name, digest in rows:
            if self.repair:
                with self.root.transaction() as db:
                    db.execute("DELETE FROM reference WHERE name = ? AND digest = ?", (name, digest))
            yield Finding("name-dangling", name, f"it points at {digest}, which is no image", "", self.repair)

    def keeps(self) -> Iterator[Finding]:
        """Every image keeps its content; nothing is kept for an image or a process that is gone."""
        db = self.root.db
        for (digest,) in db.execute(
            "SELECT digest FROM image WHERE 'image:' || digest NOT IN (SELECT holder FROM keep)"
        ).fetchall():
            self._change("INSERT OR IGNORE INTO keep VALUES ('image:' || ?1, ?1)", digest)
            yield Finding("keep-missing", digest, "an image whose content a collection would take", "", self.repair)
        for (holder,) in db.execute(
            "SELECT DISTINCT holder FROM keep WHERE holder LIKE 'image:%' AND substr(holder, 7) NOT IN"
            " (SELECT digest FROM image) UNION SELECT DISTINCT holder FROM keep WHERE holder LIKE 'container:%'"
            " AND substr(holder, 11) NOT IN (SELECT id FROM container)"
        ).fetchall():
            self._change("DELETE FROM keep WHERE holder = ?", holder)
            yield Finding("keep-dangling", holder, "content is kept for something that is gone", "", self.repair)
        for ident in dead_leases(db):
            message = f"a lease of a process that has ended: {describe(db, f'lease:{ident}')}"
            if self.repair:
                with self.root.transaction() as inside:
                    drop_lease(inside, ident)
            yield Finding("lease-dead", ident, message, "The next collection removes it", self.repair)

    def images(self) -> Iterator[Finding]:
        """Every image has its manifest, its config and its layers."""
        for digest, config in self.root.db.execute("SELECT digest, config FROM image").fetchall():
            label = describe(self.root.db, f"image:{digest}").removeprefix("image ")
            missing = self._missing_of(digest, config)
            if missing:
                shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
                hint = f"Run `tack pull {label.partition(',')[0]}`" if "untagged" not in label else "Remove or load it"
                yield Finding("image-incomplete", label, f"it misses {shown}", hint)

    def _missing_of(self, digest: str, config: str) -> list[str]:
        missing = [part for part in (digest, config) if not self.content.has(part)]
        if missing:
            return missing
        try:
            diff_ids = self.content.config(config).diff_ids
        except TackError:
            return [config]
        rows = {row[0] for row in self.root.db.execute("SELECT diff_id FROM layer")}
        return [f"layer {diff_id}" for diff_id in dict.fromkeys(diff_ids) if diff_id not in rows]

    def _wrong_with(self, digest: Digest, size: int) -> str:
        held = self.root.blobs.size(digest)
        if held is None:
            return "its file is gone"
        if held != size:
            return f"it has {held:,} bytes instead of {size:,}"
        if self.quick:
            return ""
        try:
            with self.root.blobs.open(digest) as blob:
                return _wrong_bytes(blob.read, digest)
        except BlobUnknown:
            return "its file is gone"
        except OSError as error:
            return f"it cannot be read: {error.strerror}"

    def _wrong_with_tar(self, diff_id: Digest) -> str:
        from hardtack.store.layer import LayerStore

        try:
            with LayerStore(self.root).open_tar(diff_id) as tar:
                return _wrong_bytes(tar.read, diff_id)
        except TackError as error:
            return error.message
        except OSError as error:
            return f"it cannot be read: {error.strerror}"

    def _told(self, digest: str, wrong: str) -> tuple[str, str]:
        """Message and hint, with the names of what needs the digest."""
        labels = [reason.label for reason in why(self.root, digest)]
        named = next((label.removeprefix("image ") for label in labels if label.startswith("image ")), "")
        needed = f"; needed by {', '.join(labels[:3])}" if labels else ""
        name = named.partition(",")[0].partition(" ")[0]
        hint = f"Repair, then run `tack pull {name}`" if name else ""
        return wrong + needed, hint

    def _forget_blob(self, digest: Digest) -> bool:
        """Its row goes, its file moves aside for a day."""
        path = self.root.blobs.path_of(digest)
        with self.root.transaction(durable=True) as db:
            db.execute("DELETE FROM blob WHERE digest = ?", (digest,))
            try:
                os.rename(path, os.path.join(self.root.tmp, f"damaged-{digest.algorithm}-{digest.hex}"))
            except FileNotFoundError:
                pass
        return True

    def _still(self, digest: str, size: int | None = None) -> bool:
        row = self.root.db.execute("SELECT size FROM blob WHERE digest = ?", (digest,)).fetchone()
        return row is not None and size in (None, row[0])

    def _still_layer(self, diff_id: str) -> bool:
        return self.root.db.execute("SELECT 1 FROM layer WHERE diff_id = ?", (diff_id,)).fetchone() is not None

    def _document(self, digest: str, media_type: str) -> bytes:
        from hardtack.oci import mediatypes

        if media_type in (*mediatypes.MANIFESTS, *mediatypes.INDEXES, *mediatypes.CONFIGS):
            return self.root.blobs.read(digest, _DOCUMENT)
        return b""

    def _has_edge(self, edge: tuple[str, str, str]) -> bool:
        query = "SELECT 1 FROM edge WHERE parent = ? AND child = ? AND kind = ?"
        return self.root.db.execute(query, edge).fetchone() is not None

    def _change(self, statement: str, value: str) -> None:
        if self.repair:
            with self.root.transaction() as db:
                db.execute(statement, (value,))


def _wrong_bytes(read: Callable[[int], bytes], digest: Digest) -> str:
    running = hasher(digest.algorithm)
    while chunk := read(_CHUNK):
        running.update(chunk)
    actual = running.hexdigest()
    return "" if actual == digest.hex else f"its bytes are {digest.algorithm}:{actual}"


def _is_digest(text: str) -> bool:
    try:
        Digest(text)
    except TackError:
        return False
    return True
