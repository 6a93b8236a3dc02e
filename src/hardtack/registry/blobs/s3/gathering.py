"""Bytes of an upload that wait in memory until they make a piece, and how much of that a process may hold."""

from __future__ import annotations

from dataclasses import dataclass

from hardtack.registry.blobs.s3.pieces import piece_size

_LEAST = 512 << 10


@dataclass(slots=True)
class Memory:
    """Bytes of uploads that a process holds. Above the limit pieces become smaller, so that less waits."""

    limit: int = 256 << 20
    held: int = 0


class Gathered:
    """The bytes that wait.

    Attributes:
        size: how many.
        merged: how many of them, at the beginning, are stored already, in pieces too small to leave them alone.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._chunks: list[bytes] = []
        self._seen = 0  # chunks at the beginning that the hash has seen
        self.size = 0
        self.merged = 0

    def add(self, chunk: bytes) -> None:
        """Something new came."""
        self._chunks.append(chunk)
        self.size += len(chunk)
        self._memory.held += len(chunk)

    def merge(self, chunk: bytes) -> None:
        """Something stored is to be stored again, with what comes."""
        self.add(chunk)
        self.merged += len(chunk)
        self._seen += 1

    def due(self, start: int) -> int:
        """How many bytes make a piece now, given where the first belongs; 0 when more should come first.

        What was merged stays together, so that the new piece ends no earlier than those that it replaces.
        """
        full = max(self.merged, piece_size(start))
        tight = self._memory.held > self._memory.limit and self.size >= max(self.merged, _LEAST)
        return min(self.size, full) if self.size >= full or tight else 0

    def take(self, count: int) -> tuple[list[bytes], list[bytes]]:
        """Take bytes from the beginning. They count as held until `release`.

        Returns:
            All of them, and those of them that the hash has not seen.
        """
        taken: list[bytes] = []
        self.size -= count
        while count:
            chunk = self._chunks[len(taken)]
            if len(chunk) > count:
                self._chunks[len(taken) : len(taken) + 1] = chunk[:count], chunk[count:]
                chunk = chunk[:count]
            taken.append(chunk)
            count -= len(chunk)
        del self._chunks[: len(taken)]
        fresh = taken[self._seen :]
        self._seen = self.merged = 0
        return taken, fresh

    def release(self, count: int) -> None:
        """Bytes that were taken are stored, or lost."""
        self._memory.held -= count

    def unseen(self) -> list[bytes]:
        """What waits and was not hashed yet. From now on it counts as hashed."""
        fresh = self._chunks[self._seen :]
        self._seen = len(self._chunks)
        return fresh

    def joined(self) -> bytes:
        """Everything that waits, which goes on waiting."""
        return b"".join(self._chunks)

    def clear(self) -> None:
        """Forget everything that waits."""
        self._memory.held -= self.size
        self.size = self.merged = self._seen = 0
        self._chunks.clear()
