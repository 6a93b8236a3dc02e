"""Names of images and what they point at; an image's own row, with the `keep` row that holds its content.

Reading functions take a connection; writing ones take one inside a transaction, so that a name, its image and what
keeps it change together. `find_image` is on the start path.
"""

from __future__ import annotations

import time

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidDigest, InvalidReference
from hardtack.oci.reference import Reference
from hardtack.store.errors import ContentMissing, ImageAmbiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.sqlite import Connection

_COLUMNS = "digest, config, created, used"
_HEX = frozenset("0123456789abcdef")


class ImageRow:
    """One image of the store.

    Attributes:
        digest: of its manifest or index, as it was pulled, built or loaded.
        config: of the config for this host's platform; the image's id.
        created: when it came into this store, seconds since the epoch.
        used: when it was last pulled, tagged or run, likewise.
    """

    __slots__ = ("config", "created", "digest", "used")

    def __init__(self, digest: str, config: str, created: float, used: float) -> None:
        self.digest = Digest(digest)
        self.config = Digest(config)
        self.created = created
        self.used = used


def add_image(db: Connection, digest: str, config: str, now: float | None = None) -> None:
    """Make an image known and keep its content; one that is known already counts as used now.

    Raises:
        ContentMissing: its manifest is not registered.
    """
    if db.execute("SELECT 1 FROM blob WHERE digest = ?", (digest,)).fetchone() is None:
        raise ContentMissing(digest)
    now = time.time() if now is None else now
    db.execute(
        "INSERT INTO image (digest, config, created, used) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET config = excluded.config, used = excluded.used",
        (digest, config, now, now),
    )
    db.execute("INSERT OR IGNORE INTO keep (holder, digest) VALUES (?, ?)", (f"image:{digest}", digest))


def remove_image(db: Connection, digest: str) -> None:
    """Forget an image and every name of it; its content becomes garbage unless something else keeps it."""
    db.execute("DELETE FROM reference WHERE digest = ?", (digest,))
    db.execute("DELETE FROM image WHERE digest = ?", (digest,))
    db.execute("DELETE FROM keep WHERE holder = ?", (f"image:{digest}",))


def mark_used(db: Connection, digest: str, now: float | None = None) -> None:
    """Note that an image was used, which pruning by last use asks for."""
    db.execute("UPDATE image SET used = ? WHERE digest = ?", (time.time() if now is None else now, digest))


def set_reference(db: Connection, name: Reference, digest: str, now: float | None = None) -> str:
    """Let a name point at an image.

    An image that loses its last name by this stays, untagged, until somebody removes it, unless the same image (the
    same id) is known by another manifest.

    Args:
        name: with a tag or a digest.
    Returns:
        The digest that the name pointed at before, "" when it is new.
    """
    before = resolve(db, name)
    db.execute(
        "INSERT INTO reference (name, digest, updated) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, updated = excluded.updated",
        (str(name), digest, time.time() if now is None else now),
    )
    if before and before != digest:
        drop_nameless_twin(db, before)
    return before


def drop_nameless_twin(db: Connection, digest: str) -> bool:
    """Forget an image without a name when another manifest with the same config has one, or is left at all.

    Returns:
        Whether it was forgotten; the one named last of several nameless ones stays.
    """
    if db.execute("SELECT 1 FROM reference WHERE digest = ?", (digest,)).fetchone():
        return False
    twin = db.execute(
        "SELECT 1 FROM image WHERE digest <> ?1 AND config = (SELECT config FROM image WHERE digest = ?1)", (digest,)
    ).fetchone()
    if twin:
        remove_image(db, digest)
    return twin is not None


def remove_reference(db: Connection, name: Reference | str) -> bool:
    """Forget a name; its image stays. Returns whether there was one."""
    return db.execute("DELETE FROM reference WHERE name = ?", (str(name),)).rowcount > 0


def resolve(db: Connection, name: Reference | str) -> str:
    """The digest of the image that a canonical name points at, "" when nothing has that name."""
    row = db.execute("SELECT digest FROM reference WHERE name = ?", (str(name),)).fetchone()
    return row[0] if row else ""


def references_of(db: Connection, digest: str) -> list[Reference]:
    """The names of an image, in their order."""
    rows = db.execute("SELECT name FROM reference WHERE digest = ? ORDER BY name", (digest,))
    return [Reference.parse(row[0]) for row in rows]


def get_image(db: Connection, digest: str) -> ImageRow | None:
    """The image whose manifest or index has this digest."""
    row = db.execute(f"SELECT {_COLUMNS} FROM image WHERE digest = ?", (digest,)).fetchone()
    return ImageRow(*row) if row else None


def images(db: Connection) -> list[ImageRow]:
    """Every image, the newest in this store first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM image ORDER BY created DESC, digest")
    return [ImageRow(*row) for row in rows]


def find_image(db: Connection, text: str) -> ImageRow | None:
    """Find the image that a person means by a name, an id, the beginning of an id, or a digest.

    A full id or digest comes first, then a name, then the beginning of an id, as docker looks.

    Returns:
        None when there is none.
    Raises:
        ImageAmbiguous: the beginning fits several images.
    """
    digest = _full_digest(text)
    if digest:
        return _by_digest(db, digest)
    try:
        name = Reference.parse(text)
    except InvalidReference:
        return _by_prefix(db, text)
    found = _by_name(db, name)
    return found if found is not None or name.digest else _by_prefix(db, text)


def _full_digest(text: str) -> str:
    if len(text) == 64 and _HEX.issuperset(text):
        return f"sha256:{text}"
    try:
        return Digest(text)
    except InvalidDigest:
        return ""


def _by_digest(db: Connection, digest: str) -> ImageRow | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM image WHERE digest = ?1 OR config = ?1 ORDER BY digest = ?1 DESC, used DESC", (digest,)
    ).fetchone()
    return ImageRow(*row) if row else None


def _by_name(db: Connection, name: Reference) -> ImageRow | None:
    if name.digest is None:
        digest = resolve(db, name.tagged())
        return get_image(db, digest) if digest else None
    # Any name of the repository that points there will do; the tag beside a digest means nothing, as with docker.
    low, high = name.repository + ":", name.repository + "A"
    row = db.execute(
        "SELECT 1 FROM reference WHERE digest = ? AND name > ? AND name < ?", (name.digest, low, high)
    ).fetchone()
    return get_image(db, name.digest) if row else None


def _by_prefix(db: Connection, text: str) -> ImageRow | None:
    digits = text.removeprefix("sha256:")
    if not digits or len(digits) >= 64 or not _HEX.issuperset(digits):
        return None
    low = f"sha256:{digits}"
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM image WHERE config >= ? AND config < ? ORDER BY used DESC", (low, low + "g")
    ).fetchall()
    ids = {row[1] for row in rows}
    if len(ids) > 1:
        raise ImageAmbiguous(text, len(ids))
    return ImageRow(*rows[0]) if rows else None
