"""`RUN --mount=type=cache`: folders that outlive builds, by their id, below `build/cache` of the root.

A shared one may be used by several steps at once, a locked one by one after the other, a private one gives every step
at work a folder of its own. Nothing in it ever becomes a layer. A folder is in use while somebody has it locked; the
one above it, which bears the id, has the time of its last use.
"""

from __future__ import annotations

import fcntl
import os
import time

from hardtack.build.keys import sha256
from hardtack.build.workspace import is_at, remove
from hardtack.store.disk import disk_size, tree_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.build.dockerfile.mounts import Mount
    from hardtack.store.root import Root

    Seed = Callable[[str], None]
    """Fills a new cache from the mount's `from=`."""


_DRAFT_SECONDS = 86_400.0  # a folder that is still being filled after so long is a dead build's


class CacheFolder:
    """A with-block in which a step uses a cache; `path` is its folder.

    Args:
        ident: the mount's id, or its target.
        seed: called for a new folder.
    """

    __slots__ = ("_base", "_lock", "_mount", "_seed", "path")

    def __init__(self, root: Root, ident: str, mount: Mount, seed: Seed | None = None) -> None:
        self._base = f"{root.path}/build/cache/{sha256(ident.encode('utf-8', 'surrogatepass')).hexdigest()}"
        self._mount = mount
        self._seed = seed
        self._lock = -1
        self.path = ""

    def __enter__(self) -> CacheFolder:
        sharing = self._mount.sharing or "shared"
        if sharing == "private":
            number = 0
            while not self._open(f"{number}", fcntl.LOCK_EX | fcntl.LOCK_NB):
                number += 1
        else:
            self._open("0", fcntl.LOCK_EX if sharing == "locked" else fcntl.LOCK_SH)
        os.utime(self._base)
        return self

    def _open(self, name: str, how: int) -> bool:
        path = f"{self._base}/{name}"
        while True:
            try:
                if not os.path.isdir(path):
                    self._make(path)
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:  # pruned at this moment
                continue
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if is_at(path, descriptor):
                self._lock, self.path = descriptor, path
                return True
            os.close(descriptor)  # pruned before our lock

    def _make(self, path: str) -> None:
        """Make the folder whole, then give it its name; whoever was first has made it."""
        os.makedirs(self._base, mode=0o700, exist_ok=True)
        draft = f"{path}.{os.urandom(4).hex()}"
        os.mkdir(draft, 0o700)
        if self._seed is not None:
            self._seed(draft)
        mount = self._mount
        os.chown(draft, mount.uid or 0, mount.gid or 0)
        os.chmod(draft, 0o755 if mount.mode is None else mount.mode & 0o7777)
        try:
            os.rename(draft, path)
        except OSError:  # the name is taken, and not empty
            remove(draft)

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def prune(root: Root, unused_since: float | None = None) -> tuple[list[str], int]:
    """Remove the caches that no step is using.

    Args:
        unused_since: only those not used since that moment (seconds since the epoch); None for all.
    Returns:
        The names of the folders that went, and the bytes on disk that this freed.
    """
    base = f"{root.path}/build/cache"
    gone, freed = [], 0
    for name in _names(base):
        path = f"{base}/{name}"
        if unused_since is not None and _changed(path) >= unused_since:
            continue
        freed += sum(_remove_idle(f"{path}/{one}") for one in _names(path))
        size = disk_size(path)
        try:
            os.rmdir(path)
        except OSError:  # one of its folders is in use, or has just been made
            continue
        gone.append(name)
        freed += size
    return gone, freed


def _remove_idle(path: str) -> int:
    """Remove one folder unless a step has it. Returns the bytes freed."""
    whole = os.path.basename(path).isdigit()
    if not whole and _changed(path) > time.time() - _DRAFT_SECONDS:
        return 0
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_at(path, lock):
            return 0
        size = tree_size(path)
        aside = f"{path}.{os.urandom(4).hex()}"
        os.rename(path, aside)
        remove(aside)
    except (BlockingIOError, FileNotFoundError):
        return 0
    finally:
        os.close(lock)
    return size


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
