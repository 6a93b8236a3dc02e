"""Where the bytes of a file lie: chunk records that point into the tar, into the image itself, or at nothing.

A file without holes is one record. A sparse one is cut into chunks of one size; a chunk that lies whole and aligned in
the tar is pointed at, one without data is a hole, and one that is mixed or unaligned is copied behind the image's
inodes. The size is chosen so that records and copies together stay small. Pure.
"""

from __future__ import annotations

from hardtack.store.layer.erofs.format import (
    BLOCK,
    BLOCK_BITS,
    CHUNK_BITS_LIMIT,
    CHUNK_RECORD,
    HOLE,
    TAR_DEVICE,
    chunk,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    Segments = list[tuple[int, int]]  # offset in the file, length; stored one after another
    Copy = list[tuple[int, int, int]]  # offset in the chunk, offset in the tar, length

_CANDIDATES = (0, 3, 5, 7, 9, 12, 15, 18, 22, 26, 31)


class ChunkMap:
    """The chunks of one file.

    Attributes:
        bits: chunks are of `512 << bits` bytes.
        records: 8 bytes for each, holes where copies will be pointed at.
        copies: number of a chunk to the pieces that it is put together from.
        first_copy: data block of the image in which the first copy stands, set by who places them in order.
    """

    __slots__ = ("bits", "copies", "first_copy", "records")

    def __init__(self, bits: int, records: bytes | bytearray, copies: dict[int, Copy]) -> None:
        self.bits = bits
        self.records = records
        self.copies = copies
        self.first_copy = 0

    def settled(self, data_start: int) -> bytes:
        """The records, with the copies pointed at, once it is known where the image's data blocks begin."""
        if not self.copies:
            return bytes(self.records)
        records, block = bytearray(self.records), data_start + self.first_copy
        for number in sorted(self.copies):
            records[number * CHUNK_RECORD : (number + 1) * CHUNK_RECORD] = chunk(block >> 32, 0, block & 0xFFFFFFFF)
            block += 1 << self.bits
        return bytes(records)


_NO_COPIES: dict[int, Copy] = {}


def whole(size: int, offset: int) -> ChunkMap:
    """A file without holes that begins a block of the tar: one record up to 1 TiB."""
    bits = (size - 1).bit_length() - BLOCK_BITS
    if bits <= 0:
        return ChunkMap(0, chunk(0, TAR_DEVICE, offset >> BLOCK_BITS), _NO_COPIES)
    if bits <= CHUNK_BITS_LIMIT:
        return ChunkMap(bits, chunk(0, TAR_DEVICE, offset >> BLOCK_BITS), _NO_COPIES)
    starts = range(offset, offset + size, BLOCK << CHUNK_BITS_LIMIT)
    records = b"".join(chunk(0, TAR_DEVICE, start >> BLOCK_BITS) for start in starts)
    return ChunkMap(CHUNK_BITS_LIMIT, records, _NO_COPIES)


def cheapest_bits(size: int, segments: Segments, offset: int) -> tuple[int, int]:
    """The chunk size for a sparse file, as bits, and the bytes that it costs."""
    costs = [(_cost(bits, size, segments, offset), bits) for bits in _CANDIDATES]
    cost, bits = min(costs)
    return bits, cost


def sparse(bits: int, size: int, segments: Segments, offset: int) -> ChunkMap:
    """The map of a sparse file.

    Args:
        bits: as `cheapest_bits` says.
        size: of the file, more than 0.
        segments: sorted, not empty ones, not overlapping.
        offset: of the first stored byte in the tar.
    """
    length = BLOCK << bits
    records = bytearray(HOLE * -(-size // length))
    copies: dict[int, Copy] = {}
    for start, end, position in _runs(segments, offset):
        first, last = _inner(start, end, position, size, length)
        for number in range(first, last):
            block = (position + number * length - start) >> BLOCK_BITS
            records[number * CHUNK_RECORD : (number + 1) * CHUNK_RECORD] = chunk(0, TAR_DEVICE, block)
        number, stop = start // length, -(-end // length)
        while number < stop:
            if first <= number < last:
                number = last
                continue
            here = max(start, number * length)
            count = min(end, (number + 1) * length) - here
            copies.setdefault(number, []).append((here - number * length, position + here - start, count))
            number += 1
    return ChunkMap(bits, records, copies)


def _runs(segments: Segments, offset: int) -> list[tuple[int, int, int]]:
    """Segments as (start, end, position in the tar), with neighbours that touch joined."""
    runs: list[tuple[int, int, int]] = []
    for start, length in segments:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], start + length, runs[-1][2])
        else:
            runs.append((start, start + length, offset))
        offset += length
    return runs


def _inner(start: int, end: int, position: int, size: int, length: int) -> tuple[int, int]:
    """The chunks that a run covers alone and aligned; an empty range at its first chunk when there are none."""
    first = -(-start // length)
    last = -(-end // length) if end == size else end // length
    if (position - start) % BLOCK or last <= first:
        return start // length, start // length
    return first, last


def _cost(bits: int, size: int, segments: Segments, offset: int) -> int:
    length = BLOCK << bits
    copies, done = 0, -1
    for start, end, position in _runs(segments, offset):
        first, last = _inner(start, end, position, size, length)
        low, high = start // length, -(-end // length)
        touched = high - low - (last - first)
        # Two runs may share a chunk: it is copied once.
        if touched and low == done and not first <= low < last:
            touched -= 1
        copies += touched
        done = high - 1
    return CHUNK_RECORD * -(-size // length) + copies * length
