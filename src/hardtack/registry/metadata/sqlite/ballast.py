"""A little space held back, so that on a full disk one can still delete: deleting writes before it frees.

It is a file that is thrown away when a deletion finds no room, and made again as soon as there is some.
"""

from __future__ import annotations

import contextlib
import os

_SIZE = 4 << 20
_CHUNK = b"\0" * (256 << 10)


class Ballast:
    """The space held back at a path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def take(self) -> None:
        """Hold the space back if it is not yet, and the disk has plenty more than that. Never fails."""
        with contextlib.suppress(OSError):
            if os.path.exists(self._path):
                return
            disk = os.statvfs(os.path.dirname(self._path))
            if disk.f_bavail * disk.f_frsize > 4 * _SIZE:
                self._write()

    def _write(self) -> None:
        unfinished = f"{self._path}.new"
        with open(unfinished, "wb", buffering=0) as file:
            for _ in range(_SIZE // len(_CHUNK)):
                file.write(_CHUNK)  # real blocks: a hole would hold nothing back
        os.rename(unfinished, self._path)

    def drop(self) -> bool:
        """Give the space away. Returns whether there was any."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return False
        return True
