"""Compression: bounded, exact, deterministic."""

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.store.layer import compress, decompress
from hardtack.store.layer.compress import GzipWriter
from hardtack.store.layer.decompress import Bound, ByContent, DecompressedFile, Gzip
from hardtack.store.layer.errors import LayerTooLarge, TruncatedTar

NOISE = random.Random(1).randbytes(1 << 16)


def packed(data: bytes, step: int) -> bytes:
    writer = GzipWriter()
    out = b"".join(b"".join(writer.feed(data[i : i + step])) for i in range(0, len(data), step))
    return out + b"".join(writer.finish())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 5), st.integers(0, 9000), st.integers(1000, 200_000))
def test_what_is_packed_unpacks_and_depends_on_no_cut(blocks: int, rest: int, step: int) -> None:
    data = (NOISE * 40)[: blocks * 500_000 + rest]
    found = packed(data, step)
    assert gzip.decompress(found) == data
    assert found == packed(data, 1 << 30)


def test_blocks_make_one_gzip_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_BLOCK", 1000)
    data = NOISE[:10_500]
    plain = zlib.decompressobj(31)
    assert plain.decompress(packed(data, 333)) == data
    assert plain.eof and plain.unused_data == b""


def test_output_comes_in_bounded_steps() -> None:
    bomb = gzip.compress(bytes(20 << 20))
    sizes = [len(piece) for piece in Gzip(Bound()).feed(bomb)]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= decompress.STEP


def test_a_bound_holds_by_total_and_by_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(20 << 20))
    with pytest.raises(LayerTooLarge):
        list(Gzip(Bound(1 << 20)).feed(bomb))
    monkeypatch.setattr(decompress, "_RATIO_FREE", 1 << 20)
    monkeypatch.setattr(decompress, "_RATIO", 2000)
    list(Gzip(Bound()).feed(bomb))
    monkeypatch.setattr(decompress, "_RATIO", 100)
    with pytest.raises(LayerTooLarge):
        list(Gzip(Bound()).feed(bomb))


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_the_first_bytes_say_what_it_is(step: int) -> None:
    data = NOISE[:5000]
    for compressed in (gzip.compress(data), bytes(decompress._zstd().compress(data)), b"plain" + data):
        stream = ByContent(Bound())
        out = b"".join(b"".join(stream.feed(compressed[i : i + step])) for i in range(0, len(compressed), step))
        stream.finish()
        assert out == (compressed if compressed.startswith(b"plain") else data)


def test_a_compressed_file_reads_like_a_plain_one() -> None:
    data = NOISE * 9
    with io.BufferedReader(DecompressedFile(io.BytesIO(gzip.compress(data)))) as file:
        assert file.read(10) == data[:10]
        assert file.read() == data[10:]
        assert file.read() == b""
    with pytest.raises(TruncatedTar):
        io.BufferedReader(DecompressedFile(io.BytesIO(gzip.compress(data)[:-9]))).read()
