"""A container's root file system: shared layers below, its own directory on top, mounted in the enclosure only.

Layers are held in the host's namespace, since other containers use the same mounts; the overlay is mounted where
nobody else sees it.
"""

from __future__ import annotations

import os
import stat

from hardtack.linux.openat2 import open_in_root
from hardtack.store.layer import mounting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.row import Paths
    from hardtack.store.root import Root


MTAB = "/proc/mounts"
"""Where a container's /etc/mtab leads."""


def hold(root: Root, layers: list[str], holder: str) -> list[str]:
    """Have the layers mounted for a holder. Returns their directories, bottom first."""
    return mounting.hold(root, layers, holder)


def release(root: Root, holder: str) -> None:
    """Let go of what a holder held; unmounts what nobody else uses."""
    mounting.release(root, holder)


def make_directories(paths: Paths) -> None:
    """The directories of a container, those that are missing."""
    for path, mode in (
        (paths.durable, 0o711),
        (paths.upper, 0o755),
        (paths.work, 0o700),
        (paths.run, 0o711),
        (paths.rootfs, 0o755),
    ):
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            continue


def mount_overlay(root: Root, lowers: list[str], target: str, upper: str, work: str) -> None:
    """Mount the root file system at `target` in the present namespace."""
    mounting.overlay(root, lowers, target, upper, work)


def make_mtab(rootfs: int) -> None:
    """Have /etc/mtab lead to /proc/mounts, as docker does, whatever the image has there; one that is a link stays.

    Args:
        rootfs: a descriptor of the mounted root.
    """
    try:
        folder = open_in_root(rootfs, "/etc", os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        os.mkdir("etc", 0o755, dir_fd=rootfs)
        folder = open_in_root(rootfs, "/etc", os.O_PATH | os.O_DIRECTORY)
    except NotADirectoryError:
        return
    try:
        try:
            os.symlink(MTAB, "mtab", dir_fd=folder)
        except FileExistsError:
            mode = os.lstat("mtab", dir_fd=folder).st_mode
            if stat.S_ISREG(mode):
                os.unlink("mtab", dir_fd=folder)
                os.symlink(MTAB, "mtab", dir_fd=folder)
    finally:
        os.close(folder)


def make_directory_inside(rootfs: int, path: str, uid: int = 0, gid: int = 0) -> None:
    """Make a directory and what is missing above it inside a root file system, as docker does for a working directory.

    Args:
        rootfs: a descriptor of the mounted root.
        path: absolute, inside; links in it stay inside.
        uid, gid: the owner of what is made.
    Raises:
        OSError: something else is in the way.
    """
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        os.close(open_in_root(rootfs, path, flags))
    except FileNotFoundError:
        pass
    else:
        return
    done = "/"
    for part in path.split("/"):
        if part in ("", "."):
            continue
        here = f"{done.rstrip('/')}/{part}"
        try:
            os.close(open_in_root(rootfs, here, flags))
        except FileNotFoundError:
            above = open_in_root(rootfs, done, flags)
            try:
                os.mkdir(part, 0o755, dir_fd=above)
                os.chown(part, uid, gid, dir_fd=above, follow_symlinks=False)
            finally:
                os.close(above)
        done = here
