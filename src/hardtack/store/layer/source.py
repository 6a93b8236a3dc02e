"""Reading a layer back: its tar byte for byte, and what is in it."""

from __future__ import annotations

import os
from io import BufferedReader

from hardtack.store.layer.decompress import DecompressedFile
from hardtack.store.layer.errors import LayerUnknown, TruncatedTar
from hardtack.store.layer.member import Member
from hardtack.store.layer.mounting import layer_path
from hardtack.store.layer.tarscan import Scanner
from hardtack.store.layer.tarstream import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from hardtack.store.root import Root

_STEP = 1 << 20
_HEADERS = 16 << 10  # read at once; most files of an image are smaller


def open_tar(root: Root, diff_id: str) -> BinaryIO:
    """The uncompressed tar: kept by the erofs driver, else made again from the compressed blob."""
    try:
        return open(f"{layer_path(root, diff_id)}/tar", "rb", buffering=0)
    except FileNotFoundError:
        pass
    for (digest,) in root.db.execute("SELECT blob FROM diff WHERE diff_id = ?", (diff_id,)).fetchall():
        if root.blobs.size(digest) is not None:
            return BufferedReader(DecompressedFile(root.blobs.open(digest)), 1 << 20)
    raise LayerUnknown(diff_id)


def listing(root: Root, diff_id: str) -> Iterator[Member]:
    """The members: in the tar's order where the tar is kept, in that of the names where it was unpacked."""
    path = layer_path(root, diff_id)
    if os.path.isdir(f"{path}/fs"):
        yield from members(f"{path}/fs")
        return
    with open_tar(root, diff_id) as file:
        collected = _Collected()
        scanner = Scanner(collected)
        for chunk in _chunks(file, scanner):
            scanner.feed(chunk)
            yield from collected.take()
        scanner.finish()
        yield from collected.take()


def _chunks(file: BinaryIO, scanner: Scanner) -> Iterator[bytes]:
    """The bytes of a tar; of one that was kept only those around its headers."""
    if isinstance(file, BufferedReader):
        while chunk := file.read(_STEP):
            yield chunk
        return
    descriptor = file.fileno()
    size = os.fstat(descriptor).st_size
    while chunk := os.pread(descriptor, _HEADERS, scanner.size):
        yield chunk
        scanner.skip()
    if scanner.size > size:
        raise TruncatedTar("the kept file is shorter than its last member", offset=size)


class _Collected:
    """Members as they come, until somebody takes them."""

    def __init__(self) -> None:
        self._members: list[Member] = []

    def member(self, member: Member) -> bool:
        self._members.append(member)
        return False

    def payload(self, chunk: memoryview) -> None:
        """Never asked for."""

    def take(self) -> list[Member]:
        taken, self._members = self._members, []
        return taken
