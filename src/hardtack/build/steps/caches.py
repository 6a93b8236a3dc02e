"""`RUN --mount=type=cache`: folders that outlive builds, by their id, below `build/cache` of the root.

A shared one may be used by several steps at once, a locked one by one after the other, a private one gives every step
at work a folder of its own. Nothing in it ever becomes a layer.
"""

from __future__ import annotations

import fcntl
import os

from hardtack.build.keys import sha256
from hardtack.build.workspace import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.build.dockerfile.mounts import Mount
    from hardtack.store.root import Root

    Seed = Callable[[str], None]
    """Fills a new cache from the mount's `from=`."""


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
        os.makedirs(self._base, mode=0o700, exist_ok=True)
        sharing = self._mount.sharing or "shared"
        if sharing == "private":
            number = 0
            while not self._open(f"{number}", fcntl.LOCK_EX | fcntl.LOCK_NB):
                number += 1
        else:
            self._open("0", fcntl.LOCK_EX if sharing == "locked" else fcntl.LOCK_SH)
        return self

    def _open(self, name: str, how: int) -> bool:
        path = f"{self._base}/{name}"
        if not os.path.isdir(path):
            self._make(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock, self.path = descriptor, path
        return True

    def _make(self, path: str) -> None:
        """Make the folder whole, then give it its name; whoever was first has made it."""
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
