"""Taking away what a runtime made so that it could mount: empty files and folders that the image does not have.

Without this every RUN on a small image would leave /etc/hosts, /proc and the targets of its mounts in its layer.
"""

from __future__ import annotations

import os
import stat

from hardtack.build.context.tree import Tree, follow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.build.session import Session

_ALWAYS = ("dev", "etc/hosts", "etc/resolv.conf", "proc", "sys")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def remove(session: Session, below: list[str], upper: str, targets: Iterable[str]) -> None:
    """Remove the mount points that a step's container needed from its changes.

    Args:
        below: the layers that the step ran on; looked into only when something may have been made.
        upper: its changes.
        targets: absolute paths of its own mounts.
    """
    mine = [path.strip("/") for path in targets if path.strip("/") and not path.startswith("/dev/")]
    if not mine and not any(os.path.lexists(f"{upper}/{path}") for path in _ALWAYS):
        return
    with session.view(below, "the layers below") as image, Tree(os.open(upper, _FOLDER), owned=True) as changes:
        for path in (*mine, *_ALWAYS):
            _Stub(image, changes, upper).remove(path)


class _Stub:
    def __init__(self, image: Tree, changes: Tree, upper: str) -> None:
        self.image = image
        self.changes = changes
        self.upper = upper

    def remove(self, path: str) -> None:
        """Remove a mount point and the folders made for it, as long as they are empty and not the image's."""
        try:
            path = follow(path, self.image.stat, self.image.read_link, missing_ok=True)
        except OSError:
            return
        while path and self._look(self.image, path) is None and self._is_empty(path):
            parent = path.rpartition("/")[0]
            self._take(path)
            path = parent
        self._restore(path)

    def _look(self, tree: Tree, path: str) -> os.stat_result | None:
        try:
            return tree.stat(path)
        except OSError:
            return None

    def _is_empty(self, path: str) -> bool:
        found = self._look(self.changes, path)
        if found is None:
            return False
        if stat.S_ISDIR(found.st_mode):
            return next(iter(self.changes.walk(path)), None) is None
        return stat.S_ISREG(found.st_mode) and found.st_size == 0

    def _take(self, path: str) -> None:
        full = f"{self.upper}/{path}"  # the changes are ours, nobody is at work in them
        if os.path.isdir(full) and not os.path.islink(full):
            os.rmdir(full)
        else:
            os.unlink(full)

    def _restore(self, path: str) -> None:
        """A folder of the image that was copied up only to hold a mount point goes back to what it was."""
        while path:
            changed, original = self._look(self.changes, path), self._look(self.image, path)
            if changed is None or original is None or not stat.S_ISDIR(changed.st_mode):
                return
            same = (changed.st_mode, changed.st_uid, changed.st_gid) == (
                original.st_mode, original.st_uid, original.st_gid,
            )  # fmt: skip
            if not same or not self._is_empty(path) or _is_opaque(f"{self.upper}/{path}"):
                return
            self._take(path)
            path = path.rpartition("/")[0]


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
