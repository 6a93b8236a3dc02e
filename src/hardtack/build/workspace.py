"""The scratch folder of one build, which no killed build leaves behind for longer than until the next one.

A folder below `build/work` of the root, locked while its build lives. Whoever begins a build removes those that nobody
locks, with what is mounted in them.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import stat

from hardtack.store.layer.remove import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root


class Workspace:
    """A with-block around a build; the folder is made when it is first needed."""

    __slots__ = ("_count", "_lock", "_one", "_path", "base", "id")

    def __init__(self, root: Root) -> None:
        self.base = f"{root.path}/build/work"
        self.id = os.urandom(6).hex()
        self._lock = -1
        self._path = ""
        self._count = 0
        self._one = _thread.allocate_lock()  # steps of several stages ask at once

    @property
    def path(self) -> str:
        """The folder."""
        with self._one:
            return self._made()

    def _made(self) -> str:
        if not self._path:
            os.makedirs(self.base, mode=0o700, exist_ok=True)
            while True:
                path = f"{self.base}/{self.id}"
                os.mkdir(path, 0o700)
                lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                if _locked(lock) and is_at(path, lock):
                    break
                os.close(lock)  # somebody took the new folder for a dead one
                self.id = os.urandom(6).hex()
            self._lock, self._path = lock, path
        return self._path

    def folder(self, name: str) -> str:
        """A new empty folder in it."""
        with self._one:
            self._count += 1
            path = f"{self._made()}/{self._count}-{name}"
        os.mkdir(path, 0o755)
        return path

    def discard(self, path: str) -> None:
        """Remove a folder of it early, to give its space back; nothing is mounted in it any more."""
        remove_tree(path)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        if self._path:
            remove(self._path)
            os.close(self._lock)
            self._path = ""


def sweep(root: Root) -> list[str]:
    """Remove the folders of builds that died. Returns their ids."""
    base = f"{root.path}/build/work"
    try:
        names = os.listdir(base)
    except FileNotFoundError:
        return []
    dead = []
    for name in names:
        path = f"{base}/{name}"
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if _locked(lock):
                remove(path)
                dead.append(name)
        finally:
            os.close(lock)
    return dead


def remove(path: str) -> None:
    """Remove a folder with what is mounted below it."""
    from hardtack.linux.mount import unmount_all

    unmount_all(path)
    remove_tree(path)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_at(path: str, descriptor: int) -> bool:
    """Whether the folder that is open is still the one at this path."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
