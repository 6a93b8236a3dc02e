"""Chunk maps: what they point at, put together, is the file."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.store.layer.erofs import chunks
from hardtack.store.layer.erofs import format as disk
from hardtack.store.layer.erofs.image import ImageWriter
from hardtack.store.layer.errors import LayerTooLarge
from hardtack.store.layer.member import FILE, Member
from hardtack.store.layer.tree import Tree


def read_back(found: chunks.ChunkMap, size: int, tar: bytes, data_start: int = 1000) -> bytes:
    """Read a file the way the kernel does."""
    length = disk.BLOCK << found.bits
    copies = {}
    block = data_start + found.first_copy
    for number in sorted(found.copies):
        content = bytearray(length)
        for at, offset, count in found.copies[number]:
            content[at : at + count] = tar[offset : offset + count]
        copies[block] = bytes(content)
        block += 1 << found.bits
    out = b""
    for high, device, low in struct.iter_unpack("<HHI", found.settled(data_start)):
        if low == 0xFFFFFFFF:
            out += bytes(length)
        elif device == disk.TAR_DEVICE:
            at = (high << 32 | low) * disk.BLOCK
            out += tar[at : at + length].ljust(length, b"?")
        else:
            out += copies[low]
    return out[:size]


@st.composite
def sparse_files(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], bytes, int, bytes]:
    """(size, segments, tar, offset of the data, content)."""
    unit = draw(st.sampled_from([1, 512, 4096]))
    position, segments, content = 0, [], b""
    for _ in range(draw(st.integers(1, 6))):
        gap, length = draw(st.integers(0, 5)) * unit, draw(st.integers(1, 5)) * unit
        content += bytes(gap)
        segments.append((position + gap, length))
        content += bytes([draw(st.integers(1, 255))]) * length
        position += gap + length
    tail = draw(st.integers(0, 3)) * unit
    content += bytes(tail)
    before = draw(st.integers(0, 3)) * 512
    stored = b"".join(content[at : at + length] for at, length in segments)
    tar = b"B" * before + stored + bytes(-len(stored) % 512) + b"A" * 1024
    return len(content), segments, tar, before, content


@settings(deadline=None)
@given(sparse_files(), st.integers(0, 6))
def test_a_sparse_file_reads_back_with_any_chunk_size(
    case: tuple[int, list[tuple[int, int]], bytes, int, bytes], bits: int
) -> None:
    size, segments, tar, offset, content = case
    assert read_back(chunks.sparse(bits, size, segments, offset), size, tar) == content


@settings(deadline=None)
@given(sparse_files())
def test_the_cost_that_is_foretold_is_the_cost(case: tuple[int, list[tuple[int, int]], bytes, int, bytes]) -> None:
    size, segments, _, offset, _ = case
    bits, cost = chunks.cheapest_bits(size, segments, offset)
    found = chunks.sparse(bits, size, segments, offset)
    assert cost == len(found.records) + len(found.copies) * (disk.BLOCK << bits)


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1 << 20, (1 << 40), (1 << 40) + 1, 3 << 39])
def test_a_file_without_holes_is_one_record_up_to_a_tebibyte(size: int) -> None:
    found = chunks.whole(size, 1536)
    assert len(found.records) == 8 * -(-size // (1 << 40))
    assert disk.BLOCK << found.bits >= min(size, 1 << 40)
    first = struct.unpack("<HHI", found.records[:8])
    assert first == (0, disk.TAR_DEVICE, 3)


def test_a_tar_beyond_32_bits_of_blocks_is_refused() -> None:
    with pytest.raises(LayerTooLarge, match="bytes of tar"):
        ImageWriter(Tree().root, 3 << 40, lambda offset, length: b"")


def test_sparse_files_that_would_blow_up_the_index_are_refused() -> None:
    tree = Tree()
    segments = [(n << 40, 1) for n in range(1, 200)]
    for number in range(3):
        tree.add(Member(FILE, b"%d" % number, size=1 << 60, offset=512, sparse=segments))
    with pytest.raises(LayerTooLarge, match="sparse"):
        ImageWriter(tree.root, 10_240, lambda offset, length: bytes(length))


def test_an_index_depends_on_nothing_but_the_tar() -> None:
    def image() -> bytes:
        tree = Tree()
        for name in (b"b", b"a", b"d/c"):
            tree.add(Member(FILE, name, size=10, offset=512))
        return b"".join(ImageWriter(tree.root, 2048, lambda offset, length: b"").pieces("ab" * 32))

    assert image() == image()
    assert len(image()) % disk.BLOCK == 0
