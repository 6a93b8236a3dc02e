"""What a container has changed in its root file system, as `docker diff` says it: A added, C changed, D deleted."""

from __future__ import annotations

import os
import stat

from hardtack.linux import openat2, xattr
from hardtack.store.layer.kernel import opaque_xattr
from hardtack.store.layer.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hardtack.store.root import Root

ADDED = "A"
CHANGED = "C"
DELETED = "D"


class Change:
    """One line of a comparison.

    Attributes:
        kind: A, C or D.
        path: absolute in the container.
    """

    __slots__ = ("kind", "path")

    def __init__(self, kind: str, path: str) -> None:
        self.kind = kind
        self.path = path

    def __repr__(self) -> str:
        return f"{self.kind} {self.path}"


def changes(root: Root, upper: str, diff_ids: Sequence[str]) -> list[Change]:
    """Compare an upper directory with the layers below it; sorted by path, parents of what changed included."""
    with View(root, diff_ids) as below:
        base = os.open(below.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        top = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = sorted(_walk(top, base))
        finally:
            os.close(top)
            os.close(base)
    return [Change(kind, "/" + os.fsdecode(path)) for path, kind in found]


def _walk(top: int, base: int) -> Iterator[tuple[bytes, str]]:
    pending = [b""]
    while pending:
        path = pending.pop()
        directory = openat2.open_beneath(top, path or b".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            # What the layers below have here; an opaque directory hides all that it does not have itself.
            lower = _names(base, path)
            names = set(map(os.fsencode, os.listdir(directory)))
            if path and xattr.get(directory, opaque_xattr()) is not None:
                yield from ((_join(path, name), DELETED) for name in lower - names)
            for name in names:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                full = _join(path, name)
                if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                    if name in lower:
                        yield full, DELETED
                    continue
                yield full, CHANGED if name in lower else ADDED
                if stat.S_ISDIR(status.st_mode):
                    pending.append(full)
        finally:
            os.close(directory)


def _names(base: int, path: bytes) -> set[bytes]:
    """The names in a directory below; none when there is no such directory."""
    try:
        directory = openat2.open_beneath(base, path or b".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return set()
    try:
        return set(map(os.fsencode, os.listdir(directory)))
    finally:
        os.close(directory)


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
