"""Content with its meaning: blobs registered in the database, with the edges that say what needs what.

The one place where manifests, indexes and configs become edges. A row exists only for a blob that is whole and on
disk; what keeps it from being collected is a lease, and later an image's, a container's or a build's `keep` row.
"""

from __future__ import annotations

import time

from hardtack.oci import mediatypes
from hardtack.oci.config import ImageConfig
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidConfig
from hardtack.oci.limits import DOCUMENT_LIMIT
from hardtack.store.errors import ContentMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.manifest import Index, Manifest
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection

    Edge = tuple[str, str, str]

_ATTEMPTS = 5


class Content:
    """The content of one root.

    Take things in this order, and no collection can come between: enter a `Lease`, `keep` every digest that you are
    going to need, ask `has`, ingest what is missing, `register` it before leaving the ingest's block.
    """

    __slots__ = ("root",)

    def __init__(self, root: Root) -> None:
        self.root = root

    def has(self, digest: str) -> bool:
        """Whether the blob is registered and its file is there."""
        row = self.root.db.execute("SELECT size FROM blob WHERE digest = ?", (digest,)).fetchone()
        return row is not None and self.root.blobs.size(digest) == row[0]

    def put(self, data: bytes, media_type: str, lease: Lease | None) -> Descriptor:
        """Take in a small blob whole, such as a config or a manifest, with its edges.

        Raises:
            StoreFull: no space for it.
            InvalidManifest: bytes that are not what the media type says.
        """
        from hardtack.oci.descriptor import Descriptor

        digest = Digest.of(data)
        edges = edges_of(data, media_type, digest)
        if lease is not None:
            lease.keep([digest])
        for attempt in range(_ATTEMPTS):
            with self.root.blobs.ingest(digest, len(data)) as ingest:
                if not ingest.present:
                    ingest.discard()
                    ingest.write(data)
                    ingest.commit()
                try:
                    self.register(digest, len(data), media_type, edges, lease)
                    break
                except ContentMissing:  # collected between looking and registering: take it in again
                    if attempt == _ATTEMPTS - 1:
                        raise
        return Descriptor(media_type, digest, len(data))

    def register(
        self,
        digest: str,
        size: int,
        media_type: str,
        edges: Iterable[Edge] | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Make a blob that was ingested known, and keep it for the lease.

        Args:
            edges: rows (parent, child, kind); None reads them out of the blob when its media type is one of a
                manifest, an index or an image config.
        Raises:
            ContentMissing: its file is gone; only possible where it was found `present` and not locked.
        """
        if edges is None:
            edges = self._edges(digest, media_type)
        now = time.time()
        with self.root.transaction() as db:
            if self.root.blobs.size(digest) != size:
                raise ContentMissing(digest)
            db.execute(
                "INSERT INTO blob (digest, size, media_type, created, used) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET used = excluded.used, size = excluded.size,"
                " media_type = CASE excluded.media_type WHEN '' THEN media_type ELSE excluded.media_type END",
                (digest, size, media_type, now, now),
            )
            db.executemany("INSERT OR IGNORE INTO edge (parent, child, kind) VALUES (?, ?, ?)", edges)
            if lease is not None:
                lease.keep_within(db, [digest])

    def pair(self, blob: str, diff_id: str) -> None:
        """Note which layer a blob holds, once its bytes have proved it: what a manifest claims is not enough."""
        with self.root.transaction() as db:
            db.execute("INSERT OR REPLACE INTO diff (blob, diff_id) VALUES (?, ?)", (blob, diff_id))

    def manifest(self, digest: str) -> Manifest | Index:
        """Read a manifest or an index.

        Raises:
            BlobUnknown: it is not held.
            InvalidManifest: the blob is none.
        """
        from hardtack.oci.manifest import parse_manifest

        row = self.root.db.execute("SELECT media_type FROM blob WHERE digest = ?", (digest,)).fetchone()
        raw = self.root.blobs.read(digest, DOCUMENT_LIMIT)
        return parse_manifest(raw, row[0] if row else "", Digest(digest))

    def config(self, digest: str) -> ImageConfig:
        """Read an image's config.

        Raises:
            BlobUnknown: it is not held.
            InvalidConfig: the blob is none.
        """
        return ImageConfig.parse(self.root.blobs.read(digest, DOCUMENT_LIMIT))

    def _edges(self, digest: str, media_type: str) -> list[Edge]:
        if not _has_edges(media_type):
            return []
        return edges_of(self.root.blobs.read(digest, DOCUMENT_LIMIT), media_type, Digest(digest))


def edges_of(raw: bytes, media_type: str, digest: Digest) -> list[Edge]:
    """The edges that a blob brings: (parent, child, kind).

    A referrer is the child of its subject here, so that it lives as long as what it speaks about.
    """
    if mediatypes.is_config(media_type):
        try:
            return [(digest, diff_id, "diff") for diff_id in ImageConfig.parse(raw).diff_ids]
        except InvalidConfig:  # artifacts call their configs so too; who runs an image reads its config anyway
            return []
    if not _has_edges(media_type):
        return []
    from hardtack.oci.manifest import Index, parse_manifest

    parsed = parse_manifest(raw, media_type, digest)
    if isinstance(parsed, Index):
        edges: list[Edge] = [(digest, child.digest, "manifest") for child in parsed.manifests]
    else:
        edges = [(digest, parsed.config.digest, "config")]
        edges += [(digest, layer.digest, "layer") for layer in parsed.layers]
    if parsed.subject is not None:
        edges.append((parsed.subject.digest, digest, "subject"))
    return edges


def set_origin(db: Connection, digests: Iterable[str], repository: str) -> None:
    """Note that a repository ("host/path") holds these blobs, within a transaction."""
    db.executemany(
        "INSERT OR IGNORE INTO origin (digest, repository) VALUES (?, ?)",
        [(digest, repository) for digest in digests],
    )


def origins(db: Connection, digest: str) -> list[str]:
    """The repositories that are known to hold a blob."""
    rows = db.execute("SELECT repository FROM origin WHERE digest = ? ORDER BY repository", (digest,))
    return [row[0] for row in rows]


def _has_edges(media_type: str) -> bool:
    return mediatypes.is_manifest(media_type) or mediatypes.is_index(media_type) or mediatypes.is_config(media_type)
