"""The layers of one root: made, mounted, listed, removed. The driver behind each is the driver's own business.

A layer is a directory layers/<algorithm>/<hex> with a row in the table `layer`; the row is written only when the
directory is whole and on disk. Light to import: mounting is on the start path.
"""

from __future__ import annotations

import os

from hardtack.store.layer import mounting
from hardtack.store.layer.errors import LayerUnknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from hardtack.oci.descriptor import Descriptor
    from hardtack.oci.digest import Digest
    from hardtack.store.layer.changes import Change
    from hardtack.store.layer.member import Limits, Member
    from hardtack.store.layer.probe import Choice
    from hardtack.store.layer.writer import Layer, LayerWriter
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root

_choices: dict[tuple[str, str], Choice] = {}  # by root and wish: a process asks the kernel once


class LayerStore:
    """The layers of one root. Makes nothing and opens nothing until it is asked to."""

    __slots__ = ("root",)

    def __init__(self, root: Root) -> None:
        self.root = root

    @property
    def choice(self) -> Choice:
        """The driver of new layers and why it is that one; HARDTACK_LAYERS=erofs|overlay forces it.

        Raises:
            DriverUnusable: the forced one, or every one, does not work in this root.
        """
        wish = os.environ.get("HARDTACK_LAYERS", "")
        found = _choices.get((self.root.path, wish))
        if found is None:
            from hardtack.store.layer.probe import choose

            found = _choices[self.root.path, wish] = choose(self.root, wish)
        return found

    @property
    def driver(self) -> str:
        """The name of the driver of new layers. Layers of both may lie in one root and in one stack."""
        return self.choice.driver

    def has(self, diff_id: str) -> bool:
        """Whether the layer is there, whole, and can be mounted."""
        row = self.root.db.execute("SELECT driver FROM layer WHERE diff_id = ?", (diff_id,)).fetchone()
        name = "index" if row is not None and row[0] == "erofs" else "fs"
        return row is not None and os.path.exists(f"{self.path(diff_id)}/{name}")

    def path(self, diff_id: str) -> str:
        """The directory of the layer's files."""
        return mounting.layer_path(self.root, diff_id)

    def writer(self, expected: Digest | None, limits: Limits | None = None) -> LayerWriter:
        """Begin a layer; see `LayerWriter`.

        Args:
            expected: the diff id that the bytes must have; None when it is not known before.
            limits: other bounds than the usual ones.
        """
        from hardtack.store.layer.writer import LayerWriter

        return LayerWriter(self, expected, limits)

    def mount(
        self,
        diff_ids: Sequence[str],
        target: str,
        upper: str | None = None,
        work: str | None = None,
        holder: str = "",
        volatile: bool = False,
    ) -> None:
        """Mount layers on top of each other at a directory that exists.

        Args:
            diff_ids: the lowest first; none gives an empty root.
            target: where; unmounting it again is the caller's business.
            upper, work: directories of one file system that take the changes; without them it is read-only.
            holder: in whose name the layers stay mounted until `release`.
            volatile: nothing is synced; such an upper must not be mounted again.
        Raises:
            LayerUnknown: one is not in the store.
            MountFailed: the kernel refused.
        """
        mounting.mount_stack(self.root, diff_ids, target, upper, work, holder, volatile)

    def release(self, holder: str) -> None:
        """Say that a holder needs its layers no longer; what nobody needs is unmounted. Repeating is harmless."""
        mounting.release(self.root, holder)

    def reconcile(self, is_alive: Callable[[str], bool]) -> list[str]:
        """Release the holders that have gone without a word; returns them.

        Args:
            is_alive: whether a holder still needs its layers.
        """
        gone = [holder for holder in mounting.all_holders(self.root) if not is_alive(holder)]
        for holder in gone:
            self.release(holder)
        mounting.unmount_idle(self.root)
        return gone

    def holders(self, diff_id: str) -> list[str]:
        """For whom a layer is mounted."""
        return mounting.holders(self.root, diff_id)

    def remove(self, diff_id: str) -> bool:
        """Remove the files of a layer that has no row (any more); for the collector.

        Returns:
            False when it has come to use again meanwhile, or was not there.
        """
        from hardtack.store.layer.removal import remove_layer

        return remove_layer(self.root, diff_id)

    def sweep(self) -> Iterator[tuple[str, int]]:
        """Remove what deaths have left: unfinished layers whose writer is gone, files without a row.

        Returns:
            Names relative to the root, and the bytes freed, as they go.
        """
        from hardtack.store.layer.removal import sweep

        return sweep(self.root)

    def open_tar(self, diff_id: str) -> BinaryIO:
        """The uncompressed tar, byte for byte: the one that was kept, else out of its compressed blob.

        Raises:
            LayerUnknown: neither is in the store.
        """
        from hardtack.store.layer.source import open_tar

        return open_tar(self.root, diff_id)

    def listing(self, diff_id: str) -> Iterator[Member]:
        """What is in a layer: path, kind, size, mode, owner, link of each member; whiteouts are kinds of their own.

        Raises:
            LayerUnknown: it is not in the store.
        """
        from hardtack.store.layer.source import listing

        return listing(self.root, diff_id)

    def changes(self, upper: str, diff_ids: Sequence[str] = ()) -> list[Change]:
        """What a container has changed: the contents of its upper directory compared with its layers, as docker diff.

        Args:
            upper: the directory that was `upper` when it was mounted.
            diff_ids: the layers below, so that what was changed and what was added can be told apart.
        """
        from hardtack.store.layer.changes import changes

        return changes(self.root, upper, diff_ids)

    def adopt_upper(
        self, upper: str, lease: Lease | None, clamp: int | None = None, below: Sequence[str] = ()
    ) -> tuple[Descriptor, Layer]:
        """Make a layer of an upper directory: compressed blob, diff id and mountable layer in one pass.

        Args:
            upper: nobody may be writing in it.
            lease: keeps blob and layer.
            clamp: no time of a file is later than this (SOURCE_DATE_EPOCH).
            below: the layers that were below, so that only directories which hide something are marked opaque.
        """
        from hardtack.store.layer.pack import adopt_upper

        return adopt_upper(self, upper, lease, clamp, below)

    def sizes(self, diff_ids: Sequence[str]) -> list[int]:
        """What each layer takes on disk, in bytes.

        Raises:
            LayerUnknown: one is not in the store.
        """
        found = []
        for diff_id in diff_ids:
            row = self.root.db.execute("SELECT size FROM layer WHERE diff_id = ?", (diff_id,)).fetchone()
            if row is None:
                raise LayerUnknown(diff_id)
            found.append(row[0])
        return found
