"""Layers mounted and stacked: what a container's root file system is made of. On the start path, so it imports little.

A layer of the erofs driver is mounted once, at run/layers/<hex>/fs, and shared; for whom is said by the files
run/layers/<hex>/users/<holder>. They lie in the run directory because a reboot takes the mounts as well. Starts share a
lock and do not wait for each other, except while one mounts a layer first; whoever unmounts takes it alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from hardtack.linux import mount as mounts
from hardtack.store.layer.errors import LayerUnknown, MountFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardtack.store.root import Root

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


def layer_path(root: Root, diff_id: str) -> str:
    """The directory that holds a layer's files."""
    algorithm, _, digits = diff_id.partition(":")
    return f"{root.path}/layers/{algorithm}/{digits}"


def mount_stack(
    root: Root,
    diff_ids: Sequence[str],
    target: str,
    upper: str | None = None,
    work: str | None = None,
    holder: str = "",
    volatile: bool = False,
) -> None:
    """Mount layers on top of each other; see `LayerStore.mount`."""
    pinned: list[str] = []
    trees = hold(root, diff_ids, holder, pinned)
    try:
        overlay(root, trees, target, upper, work, volatile)
    except BaseException:
        _unpin(root, pinned)
        raise


def hold(root: Root, diff_ids: Sequence[str], holder: str, pinned: list[str] | None = None) -> list[str]:
    """Have layers mounted in a holder's name, in the caller's mount namespace.

    Args:
        pinned: gets the files that were made to note it, for who has to undo just that.
    Returns:
        The directories of their trees, lowest first, for `overlay`, which may be called in another namespace.
    """
    lowest_first = _drivers(root, diff_ids)
    pinned = [] if pinned is None else pinned
    try:
        with _Lock(root, fcntl.LOCK_SH) as lock:
            return [_use(root, lock, *item, holder, pinned) for item in lowest_first]
    except BaseException:
        _unpin(root, pinned)
        raise


def overlay(
    root: Root,
    trees: Sequence[str],
    target: str,
    upper: str | None = None,
    work: str | None = None,
    volatile: bool = False,
) -> None:
    """Stack the trees of held layers, lowest first, at a directory that exists; no database, no lock."""
    lower = _above_opaque(list(trees))
    while len(lower) < (2 if upper is None else 1):  # overlayfs takes no fewer
        lower.insert(0, _empty(root, len(lower)))
    mount_overlay(lower[::-1], target, upper, work, volatile)


def mount_layer(root: Root, diff_id: str, holder: str) -> str:
    """Make one layer readable by itself.

    Returns:
        The directory with its tree, whiteouts in overlayfs' form.
    """
    found = _drivers(root, [diff_id])[0]
    pinned: list[str] = []
    try:
        with _Lock(root, fcntl.LOCK_SH) as lock:
            return _use(root, lock, *found, holder, pinned)
    except BaseException:
        _unpin(root, pinned)
        raise


def release(root: Root, holder: str) -> None:
    """Take back what `holder` uses and unmount the layers that nobody uses any more."""
    name = _file_name(holder)
    idle = []
    for digits in _list(f"{root.run}/layers"):
        users = f"{root.run}/layers/{digits}/users"
        try:
            os.unlink(f"{users}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not _list(users):
            idle.append(digits)
    if idle:
        unmount_idle(root, idle)


def unmount_idle(root: Root, layers: Iterable[str] | None = None) -> None:
    """Unmount layers that have no user; of those named (by their hexadecimal digits), or of all."""
    with _Lock(root, fcntl.LOCK_EX):
        for digits in _list(f"{root.run}/layers") if layers is None else layers:
            base = f"{root.run}/layers/{digits}"
            try:
                os.rmdir(f"{base}/users")
            except OSError:  # somebody came in between, or it is gone
                continue
            try:
                mounts.umount(f"{base}/fs", mounts.MNT_DETACH)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOENT):
                    raise
            for path in (f"{base}/fs", base):
                try:
                    os.rmdir(path)
                except FileNotFoundError:
                    pass


def holders(root: Root, diff_id: str) -> list[str]:
    """Who uses a layer now."""
    digits = diff_id.partition(":")[2]
    return [name.replace("%2F", "/").replace("%25", "%") for name in _list(f"{root.run}/layers/{digits}/users")]


def all_holders(root: Root) -> dict[str, list[str]]:
    """Every holder with the hexadecimal digits of the layers that it uses."""
    found: dict[str, list[str]] = {}
    for digits in _list(f"{root.run}/layers"):
        for holder in holders(root, f":{digits}"):
            found.setdefault(holder, []).append(digits)
    return found


class _Lock:
    """run/locks/layers, shared or exclusive."""

    __slots__ = ("_fd", "_mode", "_path")

    def __init__(self, root: Root, mode: int) -> None:
        self._path = f"{root.run}/locks/layers"
        self._mode = mode
        self._fd = -1

    def __enter__(self) -> _Lock:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, self._mode)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def become_exclusive(self) -> None:
        """Not atomic: others may come in between, so look again at what was seen before."""
        if self._mode != fcntl.LOCK_EX:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._mode = fcntl.LOCK_EX


def _drivers(root: Root, diff_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Each layer with its driver, lowest first. Of one that occurs twice the topmost counts: it covers the other."""
    marks = ",".join("?" * len(diff_ids))
    rows = dict(root.db.execute(f"SELECT diff_id, driver FROM layer WHERE diff_id IN ({marks})", tuple(diff_ids)))
    order = list(dict.fromkeys(reversed(diff_ids)))[::-1]
    for diff_id in order:
        if diff_id not in rows:
            raise LayerUnknown(diff_id)
    return [(diff_id, rows[diff_id]) for diff_id in order]


def _use(root: Root, lock: _Lock, diff_id: str, driver: str, holder: str, pinned: list[str]) -> str:
    """Note the use of a layer, mount it where that has to be. Returns the directory with its tree."""
    base = f"{root.run}/layers/{diff_id.partition(':')[2]}"
    _pin(base, holder, pinned)
    if driver == "overlay":
        return f"{layer_path(root, diff_id)}/fs"
    tree = f"{base}/fs"
    if not mounts.is_mounted(tree):
        lock.become_exclusive()
        _pin(base, holder, pinned)
        try:
            os.mkdir(tree, 0o700)
        except FileExistsError:
            pass
        if not mounts.is_mounted(tree):
            mount_erofs(diff_id, layer_path(root, diff_id), tree)
    return tree


def _pin(base: str, holder: str, pinned: list[str]) -> None:
    name = f"{base}/users/{_file_name(holder)}"
    for _ in range(2):
        try:
            os.mknod(name, stat.S_IFREG | 0o600)
            pinned.append(name)
        except FileExistsError:
            return
        except FileNotFoundError:
            for path in (base, f"{base}/users"):
                try:
                    os.mkdir(path, 0o700)
                except FileExistsError:
                    pass
        else:
            return


def _unpin(root: Root, pinned: list[str]) -> None:
    """Undo what a mount that failed has noted."""
    for name in pinned:
        os.unlink(name)
    unmount_idle(root, [name.split("/")[-3] for name in pinned])


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


def _above_opaque(lower: list[str]) -> list[str]:
    """Leave out what lies below a layer whose root is opaque: overlayfs itself does not look at roots."""
    name = opaque_xattr()
    for position in range(len(lower) - 1, 0, -1):
        try:
            os.getxattr(lower[position], name)
        except OSError:
            continue
        return lower[position:]
    return lower


def _empty(root: Root, number: int) -> str:
    path = f"{root.run}/layers/empty-{number}"
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    return path


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


def _file_name(holder: str) -> str:
    return holder.replace("%", "%25").replace("/", "%2F")


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
