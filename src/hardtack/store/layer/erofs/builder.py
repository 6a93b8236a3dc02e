"""Making a layer of the erofs driver: the tar is written as it arrives, its headers are read on the way.

Leaves two files in its directory: `tar`, the layer's bytes as they came, and `index`, the EROFS image that names them.
"""

from __future__ import annotations

import os

from hardtack.linux import libc
from hardtack.store.layer.erofs.image import ImageWriter
from hardtack.store.layer.member import DEFAULT_LIMITS, Limits, Member
from hardtack.store.layer.tarscan import Scanner
from hardtack.store.layer.tree import Tree

TAR = "tar"
INDEX = "index"

_FLUSH_STEP = 16 << 20
_SYNC_FILE_RANGE_WRITE = 2


class _IntoTree:
    """Places members; their bytes stay where they are."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def member(self, member: Member) -> bool:
        self._tree.add(member)
        return False

    def payload(self, chunk: memoryview) -> None:
        """Never asked for."""


class ErofsBuilder:
    """Builds one layer in an empty directory.

    Args:
        path: the directory; whoever made it removes it when the layer fails.
    """

    driver = "erofs"

    def __init__(self, path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._path = path
        self._tree = Tree()
        self._scanner = Scanner(_IntoTree(self._tree), limits)
        self._tar = os.open(f"{path}/{TAR}", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._flushed = 0

    @property
    def content(self) -> int:
        """Bytes of the files so far."""
        return self._scanner.content

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the tar."""
        view = rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._tar, rest) :]
        self._scanner.feed(view)
        if self._scanner.size - self._flushed >= _FLUSH_STEP:
            self._flush()

    def seal(self, tag: str) -> int:
        """Finish: index written, both files on disk.

        Args:
            tag: hexadecimal digits of the tar's digest.
        Returns:
            How many members the layer has.
        """
        self._scanner.finish()
        image = ImageWriter(self._tree.root, self._scanner.size, self._read)
        index = os.open(f"{self._path}/{INDEX}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for piece in image.pieces(tag):
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(index, rest) :]
            os.fsync(index)
        finally:
            os.close(index)
        os.fsync(self._tar)
        self.close()
        return self._scanner.count

    def close(self) -> None:
        """Give back the descriptor; the files stay."""
        if self._tar >= 0:
            os.close(self._tar)
            self._tar = -1

    def _read(self, offset: int, length: int) -> bytes:
        return os.pread(self._tar, length, offset)

    def _flush(self) -> None:
        """Let the disk begin early, so that the fsync at the end finds little to do."""
        import ctypes

        start, self._flushed = self._flushed, self._scanner.size
        try:
            libc.call(
                "sync_file_range",
                self._tar,
                ctypes.c_int64(start),
                ctypes.c_int64(self._flushed - start),
                _SYNC_FILE_RANGE_WRITE,
            )
        except (OSError, AttributeError):  # only a matter of speed
            pass
