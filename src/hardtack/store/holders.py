"""Who holds content: the holders of the table `keep`, put in words, and the containers that use an image.

The rows of containers are written above this layer; what is read of them here are their columns id, name, state,
image and image_id, and it is no failure that there are none.
"""

from __future__ import annotations

from hardtack.store.lease import dead_leases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.sqlite import Connection

_LIVE_STATES = ("running", "paused", "restarting")


class ContainerUse:
    """A container as far as its image is concerned."""

    __slots__ = ("id", "name", "state")

    def __init__(self, ident: str, name: str, state: str) -> None:
        self.id = ident
        self.name = name
        self.state = state

    @property
    def running(self) -> bool:
        """Whether removing its image would pull the ground from under a process."""
        return self.state in _LIVE_STATES


def containers_using(db: Connection, digest: str, image_id: str) -> list[ContainerUse]:
    """The containers made from an image, known by its manifest or by its id; running ones first."""
    rows = db.execute(
        "SELECT id, name, state FROM container WHERE image = ? OR image_id = ? ORDER BY name", (digest, image_id)
    ).fetchall()
    found = [ContainerUse(*row) for row in rows]
    return sorted(found, key=lambda use: not use.running)


def images_in_use(db: Connection) -> set[str]:
    """The manifest digests and ids of all images that a container was made from."""
    return {text for row in db.execute("SELECT image, image_id FROM container") for text in row if text}


def describe(db: Connection, holder: str) -> str:
    """A holder in words for people."""
    kind, _, ident = holder.partition(":")
    if kind == "image":
        names = [row[0] for row in db.execute("SELECT name FROM reference WHERE digest = ? ORDER BY name", (ident,))]
        return "image " + (", ".join(names) or f"{ident} (untagged)")
    if kind == "container":
        row = db.execute("SELECT name, state FROM container WHERE id = ?", (ident,)).fetchone()
        return f"container {row[0]} ({row[1]})" if row else f"container {ident[:12]} (gone)"
    if kind == "lease":
        row = db.execute("SELECT purpose, pid FROM lease WHERE id = ?", (ident,)).fetchone()
        ended = " (ended)" if row is None or ident in dead_leases(db) else ""
        return f"{row[0]}, process {row[1]}{ended}" if row else f"lease {ident}{ended}"
    return f"build cache {ident}" if kind == "build" else holder
