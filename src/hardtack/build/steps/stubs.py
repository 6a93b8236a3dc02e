"""Taking away what a runtime made so that it could mount: empty files and folders that the image does not have.

Without this every RUN on a small image would leave /etc/hosts, /proc and the targets of its mounts in its layer. What
the image has at the usual places is remembered from one RUN to the next, so that it need not be mounted each time.
"""

from __future__ import annotations

import os
import stat

from hardtack.build.context.tree import Tree, follow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hardtack.build.session import Session

    Facts = tuple[int, int, int]  # mode, owner, group
    Look = Callable[[str], Facts | None]

_ALWAYS = ("dev", "etc/hosts", "etc/resolv.conf", "proc", "sys")
_USUAL = ("dev", "etc", "etc/hosts", "etc/resolv.conf", "proc", "sys")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Points:
    """What a stage has at the usual mount points after its last RUN; nothing is known at first."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[str, Facts | None] | None = None

    def forget(self) -> None:
        """Something else has changed the files."""
        self.known = None

    def learn(self, image: Tree) -> None:
        """Look into an image."""
        self.known = {path: _facts(image, path) for path in _USUAL}

    def follow(self, upper: str) -> None:
        """Take the changes of a RUN into account."""
        if self.known is None:
            return
        for path in _USUAL:
            try:
                found = os.lstat(f"{upper}/{path}")
            except OSError:
                continue
            whiteout = stat.S_ISCHR(found.st_mode) and found.st_rdev == 0
            self.known[path] = None if whiteout else (found.st_mode, found.st_uid, found.st_gid)

    @property
    def plain(self) -> bool:
        """Nothing among them is a link, so that names can be taken as they are."""
        return self.known is not None and not any(facts and stat.S_ISLNK(facts[0]) for facts in self.known.values())


def remove(session: Session, below: list[str], upper: str, targets: Iterable[str], points: Points) -> None:
    """Remove the mount points that a step's container needed from its changes.

    Args:
        below: the layers that the step ran on; looked into only when something may have been made.
        upper: its changes.
        targets: absolute paths of its own mounts.
        points: what is known of the layers below, brought up to date.
    """
    mine = [path.strip("/") for path in targets if path.strip("/") and not path.startswith("/dev/")]
    if mine or any(os.path.lexists(f"{upper}/{path}") for path in _ALWAYS):
        if mine or not points.plain:
            with session.view(below, "the layers below") as image:
                points.learn(image)
                _remove_all(image, upper, [*mine, *_ALWAYS])
        else:
            known = points.known or {}
            for path in _ALWAYS:
                _remove(upper, path, known.get)
    points.follow(upper)


def _remove_all(image: Tree, upper: str, paths: list[str]) -> None:
    for path in paths:
        try:
            real = follow(path, image.stat, image.read_link, missing_ok=True)
        except OSError:
            continue
        _remove(upper, real, lambda name: _facts(image, name))


def _remove(upper: str, path: str, below: Look) -> None:
    """Remove one and the folders made for it, as long as they are empty and not the image's.

    A folder of the image that was copied up only to hold a mount point goes back to what it was.
    """
    if not _inside(upper, path):
        return
    while path and _is_empty(f"{upper}/{path}"):
        original = below(path)
        if original is not None:
            changed = os.lstat(f"{upper}/{path}")
            same = stat.S_ISDIR(changed.st_mode) and original == (changed.st_mode, changed.st_uid, changed.st_gid)
            if not same or _is_opaque(f"{upper}/{path}"):
                return
        _take(f"{upper}/{path}")
        path = path.rpartition("/")[0]


def _inside(upper: str, path: str) -> bool:
    """Whether no link of the command's own stands among the parents: the changes are read by plain paths."""
    parts = path.split("/")[:-1]
    return not any(os.path.islink(f"{upper}/{'/'.join(parts[: end + 1])}") for end in range(len(parts)))


def _facts(tree: Tree, path: str) -> Facts | None:
    try:
        found = tree.stat(path)
    except OSError:
        return None
    return found.st_mode, found.st_uid, found.st_gid


def _is_empty(full: str) -> bool:
    try:
        found = os.lstat(full)
    except OSError:
        return False
    if stat.S_ISDIR(found.st_mode):
        return not os.listdir(full)
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


def _take(full: str) -> None:
    if os.path.isdir(full):
        os.rmdir(full)
    else:
        os.unlink(full)


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
