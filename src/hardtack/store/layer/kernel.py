"""How the kernel is asked to mount a layer's index, and a stack of layers. On the start path.

Promises that neither the number of layers nor a path's length or letters matter, and that nothing in a stranger's layer
steers overlayfs. Newer ways are tried first; what to mount and for whom is decided in `mounting`.
"""

from __future__ import annotations

import errno
import os

from hardtack.linux import mount as mounts
from hardtack.store.layer.errors import LayerUnknown, MountFailed

_nested: bool | None = None

_LAYER_FLAGS = mounts.MS_RDONLY | mounts.MS_NODEV | mounts.MS_NOSUID
_DATA_LIMIT = 4000
_STRING_LIMIT = 255

# Nothing in a stranger's layer steers overlayfs: no redirects, no metadata-only copies. `xino` gives all files of a
# stack one device number, as programs that stay on one file system expect.
_OVERLAY_OPTIONS: tuple[tuple[str, str], ...] = (
    ("redirect_dir", "nofollow"),
    ("metacopy", "off"),
    ("index", "off"),
    ("xino", "on"),
)


def in_user_namespace() -> bool:
    """Whether root here is a mapped user, for whom overlayfs keeps its marks in `user.` attributes (Linux 5.11)."""
    global _nested
    if _nested is None:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            _nested = file.read().split() != ["0", "0", "4294967295"]
    return _nested


def opaque_xattr() -> str:
    """The attribute that makes a directory opaque."""
    return "user.overlay.opaque" if in_user_namespace() else "trusted.overlay.opaque"


def mount_erofs(diff_id: str, path: str, target: str) -> None:
    """Straight from the files, Linux 6.12; else, or where the files' system cannot (tmpfs), by loop devices, 6.4."""
    index, tar = f"{path}/index", f"{path}/tar"
    try:
        with _Short(tar) as short:
            mounts.mount(index, target, "erofs", _LAYER_FLAGS, f"device={short}")
        return
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise LayerUnknown(diff_id) from error
        if error.errno != errno.ENOTBLK:
            raise MountFailed(f"layer {diff_id}", error) from error
    mount_erofs_by_loop(diff_id, index, tar, target)


def mount_erofs_by_loop(diff_id: str, index: str, tar: str, target: str) -> None:
    """Mount an index and its tar through two loop devices that go with the mount."""
    from hardtack.linux import loop

    try:
        with loop.attach(index) as image, loop.attach(tar) as device:
            mounts.mount(image.path, target, "erofs", _LAYER_FLAGS, f"device={device.path}")
    except OSError as error:
        raise MountFailed(f"layer {diff_id}", error) from error


def mount_overlay(lower: list[str], target: str, upper: str | None, work: str | None, volatile: bool) -> None:
    """Mount a stack, topmost first. One option per layer (Linux 6.8) has no limit on their number or names."""
    options: list[tuple[str, str | None]] = [("source", "overlay"), *_OVERLAY_OPTIONS]
    if in_user_namespace():
        options.append(("userxattr", None))
    if volatile and upper is not None:
        options.append(("volatile", None))
    places = [("lowerdir+", path) for path in lower]
    if upper is not None and work is not None:
        places += [("upperdir", upper), ("workdir", work)]
    try:
        if max(len(os.fsencode(path)) for _, path in places) > _STRING_LIMIT:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), target)
        made = mounts.create("overlay", [*options, *places])
        try:
            mounts.attach(made, target)
        finally:
            os.close(made)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENAMETOOLONG):
            raise MountFailed(f"the layers at {target}", error, _hint(error, upper)) from error
        try:
            _mount_overlay_classic(lower, target, upper, work, options)
        except OSError as second:
            raise MountFailed(f"the layers at {target}", second, _hint(second, upper)) from second


def _mount_overlay_classic(
    lower: list[str], target: str, upper: str | None, work: str | None, options: list[tuple[str, str | None]]
) -> None:
    """By mount(2), whose options are one page: directories go by a descriptor's name, which is short and plain."""
    opened = []
    try:
        names = []
        for path in [*lower, *([upper, work] if upper is not None and work is not None else [])]:
            opened.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            names.append(f"/proc/self/fd/{opened[-1]}")
        data = [f"lowerdir={':'.join(names[: len(lower)])}"]
        if upper is not None:
            data.append(f"upperdir={names[-2]},workdir={names[-1]}")
        data += [key if value is None else f"{key}={value}" for key, value in options if key != "source"]
        mounts.mount("overlay", target, "overlay", 0, ",".join(data))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _hint(error: OSError, upper: str | None) -> str:
    if upper is not None and error.errno == errno.EINVAL:
        return "The file system of the root may not carry an overlay (another overlay, NFS); choose one with --root"
    return ""


class _Short:
    """A path for the options of mount(2): itself, or a descriptor's name where it is long or holds a comma."""

    __slots__ = ("_fd", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> str:
        if "," not in self._path and "\\" not in self._path and len(self._path) < _DATA_LIMIT:
            return self._path
        self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}"

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
