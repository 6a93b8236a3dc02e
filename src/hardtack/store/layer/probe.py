"""Which layer driver works for a root, found by trying, and in words why the other does not.

Tries cost one or two milliseconds and leave nothing. The kernel's version is not asked: distributions change kernels.
"""

from __future__ import annotations

import os

from hardtack.linux import mount as mounts
from hardtack.store.layer import brief
from hardtack.store.layer.erofs.builder import INDEX, TAR, ErofsBuilder
from hardtack.store.layer.errors import DriverUnusable, LayerError
from hardtack.store.layer.kernel import mount_erofs, mount_overlay, opaque_xattr
from hardtack.store.layer.member import FORMATS, WHITEOUT
from hardtack.store.layer.remove import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.store.root import Root

EROFS = "erofs"
OVERLAY = "overlay"


class Choice:
    """The driver for new layers and why it is that one.

    Attributes:
        driver: "erofs" or "overlay".
        reason: one sentence for `info`.
    """

    __slots__ = ("driver", "reason")

    def __init__(self, driver: str, reason: str) -> None:
        self.driver = driver
        self.reason = reason


def choose(root: Root, forced: str = "") -> Choice:
    """Choose the driver: the one that is forced, else erofs where it works, else overlay.

    Raises:
        DriverUnusable: the forced one, or every one, does not work here.
    """
    if forced and forced not in (EROFS, OVERLAY):
        raise DriverUnusable(forced, "there is no such driver; there are erofs and overlay")
    if forced != OVERLAY:
        why = try_erofs(root)
        if not why:
            return Choice(EROFS, "HARDTACK_LAYERS asks for it" if forced else "layers are mounted without unpacking")
        if forced:
            raise DriverUnusable(EROFS, why)
    else:
        why = ""
    refused = try_overlay(root)
    if refused:
        raise DriverUnusable(OVERLAY, refused)
    return Choice(OVERLAY, f"erofs does not work here: {why}" if why else "HARDTACK_LAYERS asks for it")


def try_erofs(root: Root) -> str:
    """Why an EROFS index of a tar cannot be mounted in this root; empty when it can."""

    def attempt(path: str) -> None:
        builder = ErofsBuilder(path)
        try:
            builder.write(bytes(1024))
            builder.seal("00" * 32)
        finally:
            builder.close()
        os.mkdir(f"{path}/fs")
        mount_erofs("sha256:probe", path, f"{path}/fs")
        mounts.umount(f"{path}/fs", mounts.MNT_DETACH)
        for name in (TAR, INDEX):
            os.unlink(f"{path}/{name}")

    return _try(root, attempt)


def try_overlay(root: Root) -> str:
    """Why unpacked layers cannot be kept in this root and stacked; empty when they can."""

    def attempt(path: str) -> None:
        for name in ("lower", "lowest", "fs"):
            os.mkdir(f"{path}/{name}")
        os.mknod(f"{path}/lower/whiteout", FORMATS[WHITEOUT] | 0o600, 0)
        os.setxattr(f"{path}/lower", opaque_xattr(), b"y")
        mount_overlay([f"{path}/lower", f"{path}/lowest"], f"{path}/fs", None, None, False)
        mounts.umount(f"{path}/fs", mounts.MNT_DETACH)

    return _try(root, attempt)


def try_upper(root: Root) -> str:
    """Why a container's own changes cannot be kept in this root; empty when they can."""

    def attempt(path: str) -> None:
        for name in ("lower", "upper", "work", "fs"):
            os.mkdir(f"{path}/{name}")
        mount_overlay([f"{path}/lower"], f"{path}/fs", f"{path}/upper", f"{path}/work", False)
        try:
            os.mkdir(f"{path}/fs/a")
        finally:
            mounts.umount(f"{path}/fs", mounts.MNT_DETACH)

    return _try(root, attempt)


def _try(root: Root, attempt: Callable[[str], None]) -> str:
    path = brief.make(root)
    try:
        attempt(path)
    except (OSError, LayerError) as error:
        return getattr(error, "strerror", None) or str(error)
    finally:
        remove_tree(path)
    return ""
