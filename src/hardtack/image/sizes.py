"""How large images are: the bytes of the files in their layers, as docker counts them, each layer counted once.

What they take on this disk, which depends on the driver, is `store.usage`'s business.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.oci.config import ImageConfig
    from hardtack.store.sqlite import Connection


def layer_sizes(db: Connection) -> dict[str, int]:
    """Bytes of the files in every layer made mountable, by diff id."""
    return dict(db.execute("SELECT diff_id, content FROM layer").fetchall())


def layer_size(db: Connection, diff_id: str) -> int:
    """Bytes of the files in one layer; of its compressed blob when only that is held; else 0."""
    row = db.execute("SELECT content FROM layer WHERE diff_id = ?", (diff_id,)).fetchone()
    if row is None:
        row = db.execute(
            "SELECT blob.size FROM diff JOIN blob ON blob.digest = diff.blob WHERE diff.diff_id = ?", (diff_id,)
        ).fetchone()
    return row[0] if row else 0


def image_size(db: Connection, config: ImageConfig) -> int:
    """Bytes of an image: its layers, one that occurs twice counted once."""
    return sum(layer_size(db, diff_id) for diff_id in set(config.diff_ids))


def shared_size(sizes: dict[str, int], diff_ids: Iterable[str], uses: dict[str, int]) -> int:
    """Bytes of those layers of an image that other images use too; `uses` counts images by diff id."""
    return sum(sizes.get(diff_id, 0) for diff_id in set(diff_ids) if uses.get(diff_id, 0) > 1)
