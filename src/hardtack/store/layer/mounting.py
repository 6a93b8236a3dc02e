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
from hardtack.store.layer.errors import LayerUnknown
from hardtack.store.layer.kernel import mount_erofs, mount_overlay, opaque_xattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardtack.store.root import Root


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


def _file_name(holder: str) -> str:
    return holder.replace("%", "%25").replace("/", "%2F")


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
