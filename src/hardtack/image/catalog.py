"""Images as people see them: one for each id, with all the names of it.

Several manifests may have one config (pulled by index, loaded from an archive, converted): to people that is one
image. Reads rows only; what an image is made of is read by its callers.
"""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.oci.reference import Reference
from hardtack.store.reference import ImageRow, find_image, images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.store.sqlite import Connection


class Entry:
    """One image of the store by its id.

    Attributes:
        id: the digest of its config.
        rows: its manifests or indexes, the one used last first.
        references: names by (canonical text, manifest digest), tags and digests, in their order.
        origins: repositories that are known to hold its manifests, by (repository, manifest digest).
    """

    __slots__ = ("id", "origins", "references", "rows")

    def __init__(self, ident: Digest) -> None:
        self.id = ident
        self.rows: list[ImageRow] = []
        self.references: list[tuple[Reference, str]] = []
        self.origins: set[tuple[str, str]] = set()

    @property
    def digest(self) -> Digest:
        """The manifest or index that stands for it."""
        return self.rows[0].digest

    @property
    def used(self) -> float:
        """When it was last pulled, tagged or run."""
        return max(row.used for row in self.rows)

    @property
    def tags(self) -> list[str]:
        """Docker's RepoTags: `nginx:latest`."""
        return [name.familiar() for name, _ in self.references if name.tag]

    @property
    def digests(self) -> list[str]:
        """Docker's RepoDigests: `nginx@sha256:…`, for names whose registry is known to hold the manifest."""
        found = {
            name.with_digest(Digest(digest)).familiar()
            for name, digest in self.references
            if name.digest or (name.repository, digest) in self.origins
        }
        return sorted(found)

    @property
    def dangling(self) -> bool:
        """Whether nothing names it."""
        return not self.references


def entries(db: Connection) -> list[Entry]:
    """Every image, the newest in this store first."""
    return _gather(db, images(db))


def entry_of(db: Connection, text: str) -> Entry | None:
    """The image that a person means; the manifest that was meant comes first in its rows.

    Raises:
        ImageAmbiguous: the beginning of an id fits several.
    """
    meant = find_image(db, text)
    if meant is None:
        return None
    rows = [row for row in images(db) if row.config == meant.config]
    entry = _gather(db, rows)[0]
    entry.rows.sort(key=lambda row: row.digest != meant.digest)
    return entry


def _gather(db: Connection, rows: Iterable[ImageRow]) -> list[Entry]:
    found: dict[str, Entry] = {}
    by_digest: dict[str, Entry] = {}
    for row in rows:
        entry = found.setdefault(row.config, Entry(row.config))
        entry.rows.append(row)
        by_digest[row.digest] = entry
    for name, digest in db.execute("SELECT name, digest FROM reference ORDER BY name"):
        if digest in by_digest:
            by_digest[digest].references.append((Reference.parse(name), digest))
    query = "SELECT origin.repository, origin.digest FROM origin JOIN image ON image.digest = origin.digest"
    for repository, digest in db.execute(query):
        if digest in by_digest:
            by_digest[digest].origins.add((repository, digest))
    for entry in found.values():
        entry.rows.sort(key=lambda row: -row.used)
    return list(found.values())
