"""A stack of layers to look into for a moment, mounted read-only where nobody else looks."""

from __future__ import annotations

import os

from hardtack.linux import mount as mounts
from hardtack.store.layer import brief
from hardtack.store.layer.mounting import mount_stack, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.store.root import Root


class View:
    """A with-block around a temporary mount.

    Attributes:
        path: the directory with the merged tree, made when the block is entered.
    """

    def __init__(self, root: Root, diff_ids: Sequence[str]) -> None:
        self._root = root
        self._diff_ids = diff_ids
        self.path = ""

    def __enter__(self) -> View:
        self.path = brief.make(self._root)
        try:
            mount_stack(self._root, self._diff_ids, self.path, holder=brief.holder_of(self.path))
        except BaseException:
            os.rmdir(self.path)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        mounts.umount(self.path, mounts.MNT_DETACH)
        os.rmdir(self.path)
        release(self._root, brief.holder_of(self.path))
