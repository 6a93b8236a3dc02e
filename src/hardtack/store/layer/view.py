"""A stack of layers to look into for a moment, mounted read-only where nobody else looks."""

from __future__ import annotations

import os
import tempfile

from hardtack.linux import mount as mounts
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
        self._holder = f"view:{os.getpid()}:{os.urandom(4).hex()}"
        self.path = ""

    def __enter__(self) -> View:
        self.path = tempfile.mkdtemp(prefix="view-", dir=self._root.tmp)
        try:
            mount_stack(self._root, self._diff_ids, self.path, holder=self._holder)
        except BaseException:
            os.rmdir(self.path)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        mounts.umount(self.path, mounts.MNT_DETACH)
        os.rmdir(self.path)
        release(self._root, self._holder)
