"""The rules of blobs in S3 that need no store: what the pieces of an upload add up to, how parts are made, settings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.s3.gathering import Gathered, Memory
from hardtack.registry.blobs.s3.keys import blob_key, digest_of
from hardtack.registry.blobs.s3.pieces import (
    BLOB_LIMIT,
    LARGE,
    PIECE,
    ROOT,
    Piece,
    following,
    parse_piece,
    piece_size,
    resolve,
    to_merge,
)
from hardtack.registry.blobs.s3.plan import plan
from hardtack.registry.blobs.s3.settings import S3Settings, parse
from hardtack.registry.errors import CannotServe

MB = 1 << 20


def written(chain: list[Piece], turn: int, *sizes: int) -> list[Piece]:
    """What a writer makes of a chain that it found."""
    chain = list(chain)
    for size in sizes:
        chain.append(following(chain, turn, size))
    return chain


def test_pieces_add_up_in_whatever_order_they_are_listed() -> None:
    chain = written(written([], 1, 10, 20), 2, 5)
    for seed in range(6):
        listed = list(chain)
        random.Random(seed).shuffle(listed)
        assert resolve(listed) == chain


def test_what_follows_a_hole_does_not_count_even_when_the_hole_is_filled_by_somebody_else() -> None:
    lost = written([], 1, 10, 20, 30)
    held = [lost[0], lost[2]]  # the second one never arrived
    assert resolve(held) == lost[:1]
    again = written(lost[:1], 2, 20)  # ends just where the stray one begins
    assert resolve([*held, *again]) == again


def test_a_writer_that_was_overtaken_neither_mixes_its_bytes_in_nor_prevails_by_writing_more() -> None:
    begin = written([], 1, 10)
    newer = written(begin, 2, 5)
    stale = written(begin, 1, 100, 100)
    assert resolve({*newer, *stale}) == newer
    assert resolve({*newer, *stale, *written(newer, 3, 7)})[-1].end == 22


def test_merged_pieces_replace_those_that_they_hold() -> None:
    small = written([], 1, 6 * MB, 10, 10)
    merged = written(small[:1], 2, 30)
    assert resolve([*small, *merged]) == merged
    assert resolve([*small, *merged])[-1].end >= small[-1].end


@given(st.data())
def test_of_any_writers_at_any_time_the_chain_is_one_that_somebody_wrote(data: st.DataObject) -> None:
    everything: list[Piece] = []
    views: list[list[Piece]] = [[]]
    for _ in range(data.draw(st.integers(1, 12))):
        # Somebody begins from what is listed now, or goes on from what it saw long ago; some of it gets lost.
        stale = data.draw(st.booleans())
        view = data.draw(st.sampled_from(views)) if stale else resolve(everything)
        turn = max((piece.turn for piece in (view if stale else everything)), default=0) + 1
        made = written(view, turn, *data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
        views.append(made)
        fresh = made[len(view) :]
        keep = data.draw(st.lists(st.booleans(), min_size=len(fresh), max_size=len(fresh)))
        everything += [piece for piece, kept in zip(fresh, keep, strict=True) if kept]
    chain = resolve(everything)
    assert any(chain == view[: len(chain)] for view in views)
    assert [piece.start for piece in chain] == [sum(p.size for p in chain[:place]) for place in range(len(chain))]


@pytest.mark.parametrize(
    "name",
    ["begun", "", "00000001.000000000000.0000000000000000", f"1.0.{ROOT}.{ROOT}", f"g.{ROOT}"],
)
def test_other_objects_are_no_pieces(name: str) -> None:
    assert parse_piece(name, 5) is None


def test_a_piece_is_read_from_its_name() -> None:
    piece = following(written([], 3, 400 << 30), 12, 77)
    assert parse_piece(piece.name, 77) == piece
    assert parse_piece(piece.name, 0) is None


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([], 0),
        ([100], 0),
        ([100, 100], 0),
        ([3 * MB, 3 * MB], 2),
        ([8 * MB, 3 * MB, 3 * MB], 2),
        ([8 * MB, 3 * MB], 0),
        ([10] * 31, 0),
        ([10] * 32, 32),
        ([4 * MB] * 50, 2),  # never more than fit into memory
        ([4 * MB, 8 * MB], 0),
    ],
)
def test_small_pieces_are_merged_when_there_are_many_or_they_make_a_large_one(sizes: list[int], merged: int) -> None:
    assert to_merge(written([], 1, *sizes)) == merged


def test_the_largest_blob_has_fewer_pieces_than_a_store_takes_parts() -> None:
    offset = count = 0
    while offset < BLOB_LIMIT:
        offset += piece_size(offset)
        count += 1
    assert piece_size(0) == PIECE
    assert count < 9900


SIZES = st.one_of(st.integers(1, 2 * MB), st.integers(LARGE - 2, 2 * LARGE + 2), st.just(PIECE))


@given(st.lists(SIZES, min_size=1, max_size=40))
def test_parts_hold_every_byte_once_and_are_as_large_as_a_store_wants_them(sizes: list[int]) -> None:
    parts = plan(sizes)
    spans = [span for part in parts for span in part]
    assert [span.source for span in spans] == sorted(span.source for span in spans)
    for source, size in enumerate(sizes):
        at = 0
        for span in (span for span in spans if span.source == source):
            assert span.start == at and span.count > 0
            at += span.count
        assert at == size
    assert all(sum(span.count for span in part) >= LARGE for part in parts[:-1])
    assert all(sum(span.count for span in part) < 3 * LARGE for part in parts if len(part) > 1)


def test_pieces_of_full_size_are_copied_whole_by_the_store() -> None:
    assert [len(part) for part in plan([PIECE] * 5 + [3])] == [1] * 6


def test_bytes_wait_until_they_make_a_piece_or_memory_is_short() -> None:
    memory = Memory(limit=3 * MB)
    waiting, other = Gathered(memory), Gathered(memory)
    waiting.add(b"x" * 600_000)
    assert waiting.due(0) == 0
    other.add(b"y" * 3 * MB)
    assert waiting.due(0) == 600_000
    assert waiting.take(600_000) == ([b"x" * 600_000], [b"x" * 600_000])
    waiting.release(600_000)
    other.clear()
    assert memory.held == 0


def test_what_was_merged_is_neither_hashed_again_nor_divided() -> None:
    waiting = Gathered(Memory(limit=0))
    waiting.merge(b"a" * 9 * MB)
    waiting.add(b"b" * 3 * MB)
    assert waiting.due(0) == 9 * MB
    assert waiting.take(9 * MB) == ([b"a" * 9 * MB], [])
    assert waiting.unseen() == [b"b" * 3 * MB]
    assert waiting.unseen() == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_key_is_the_layout_of_the_folder(algorithm: str) -> None:
    digest = Digest.of(b"x", algorithm)
    assert blob_key(digest) == f"blobs/{algorithm}/{digest.hex[:2]}/{digest.hex}"
    assert digest_of(blob_key(digest)) == digest


@pytest.mark.parametrize("key", ["blobs/sha256/ab/cd", f"blobs/sha256/aa/{'b' * 64}", f"blobs/md5/bb/{'b' * 64}", "x"])
def test_other_keys_are_no_blobs(key: str) -> None:
    assert digest_of(key) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [("s3://tack", ("tack", "")), ("s3://tack/", ("tack", "")), ("S3://tack/a/b/", ("tack", "a/b"))],
)
def test_a_place_is_read(text: str, place: tuple[str, str]) -> None:
    assert parse(text) == place
    S3Settings(*place)


@pytest.mark.parametrize(
    "text", ["", "tack", "http://tack/a", "s3:/tack", "s3://a@b/c", "s3://tack?x=1", "s3://ta\nck"]
)
def test_other_places_are_refused(text: str) -> None:
    with pytest.raises(CannotServe):
        parse(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"bucket": ""},
        {"bucket": "Tack"},
        {"bucket": "a..b"},
        {"bucket": "tack", "prefix": "../up"},
        {"bucket": "tack", "prefix": "a//b"},
        {"bucket": "tack", "prefix": "/a"},
        {"bucket": "tack", "prefix": "a b"},
        {"bucket": "tack", "prefix": "x" * 600},
        {"bucket": "tack", "endpoint": "localhost:9000"},
        {"bucket": "tack", "endpoint": "http://user@host"},
        {"bucket": "tack", "endpoint": "http://host:0"},
        {"bucket": "tack", "redirect_endpoint": "ftp://host"},
        {"bucket": "tack", "access_key": "a"},
        {"bucket": "tack", "secret_key": "a"},
        {"bucket": "tack", "redirect_life": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(CannotServe):
        S3Settings(**fields)  # type: ignore[arg-type]


def test_a_secret_is_not_shown() -> None:
    settings = S3Settings("tack", "a", "http://host", access_key="key", secret_key="hidden")
    assert "hidden" not in repr(settings)
    assert settings.place == "s3://tack/a at http://host"
