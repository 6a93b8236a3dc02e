"""Fields of tar headers: numbers, checksums, names, records, maps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.store.layer import tarfields
from support.rawtar import base256, header, octal, record


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"644 \0 99", 0o644),
        (b"        ", 0),
        (bytes(8), 0),
        (b"00000000000", 0),
        (b"77777777777\0", 8**11 - 1),
        (b"777777777777", 8**12 - 1),
        (base256(5, 8), 5),
        (base256(-1, 12), -1),
        (base256(-(10**15), 12), -(10**15)),
        (base256((1 << 63) - 1, 12), (1 << 63) - 1),
    ],
)
def test_numbers_in_every_form(field: bytes, value: int) -> None:
    assert tarfields.number(field) == value


@pytest.mark.parametrize(
    "field", [b"12x4567\0", b"-644\0\0\0\0", b"+644\0\0\0\0", b"0o644\0\0\0", b"6_4\0", b"89\0", b"\x81" + b"\xff" * 11]
)
def test_what_python_takes_for_a_number_is_not_always_one(field: bytes) -> None:
    with pytest.raises(ValueError):
        tarfields.number(field)


@settings(deadline=None)
@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_base_256_goes_there_and_back(value: int) -> None:
    assert tarfields.number(base256(value, 12)) == value


def stating(block: bytes, total: int) -> bytes:
    return block[:148] + octal(total, 7) + b" " + block[156:]


def test_old_tars_that_summed_signed_bytes_are_read() -> None:
    block = header("ü".encode() * 20, mtime=5)
    blank = block[:148] + b" " * 8 + block[156:]
    signed = sum(byte - 256 if byte > 127 else byte for byte in blank)
    assert tarfields.checksum_matches(stating(block, signed))
    assert tarfields.checksum_matches(stating(block, sum(blank)))
    assert not tarfields.checksum_matches(stating(block, sum(blank) + 1))


@settings(deadline=None)
@given(st.binary(min_size=512, max_size=512), st.integers(0, 511), st.integers(1, 255))
def test_a_checksum_is_the_exact_sum(block: bytes, at: int, change: int) -> None:
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    assert tarfields.checksum_matches(stating(block, total))
    assert not tarfields.checksum_matches(stating(block, total + change))
    if not 148 <= at < 156:
        other = block[:at] + bytes([(block[at] + change) % 256]) + block[at + 1 :]
        assert tarfields.checksum_matches(stating(other, total + other[at] - block[at]))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"a/b", b"a/b"), (b"./a", b"a"), (b"./", b""), (b".", b""), (b"/", b""), (b"", b""), (b"a/", b"a"),
        (b"//a///b//", b"a/b"), (b"a/./b/.", b"a/b"), (b"./.hidden", b".hidden"), (b"a/.hid/...", b"a/.hid/..."),
        (b"..a/b..", b"..a/b.."), (b"././x", b"x"),
    ],
)  # fmt: skip
def test_names_become_plain_paths(name: bytes, path: bytes) -> None:
    assert tarfields.plain_path(name, 100) == path


@pytest.mark.parametrize("name", [b"..", b"../a", b"a/..", b"a/../b", b"/..", b"./..", b"..//", b"a/b/../../.."])
def test_names_that_climb_are_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="climbs"):
        tarfields.plain_path(name, 100)


@settings(deadline=None)
@given(st.binary(max_size=300).filter(lambda name: b"\0" not in name))
def test_a_plain_path_is_plain(name: bytes) -> None:
    try:
        path = tarfields.plain_path(name, 50)
    except ValueError:
        return
    parts = path.split(b"/") if path else []
    assert not {b"", b".", b".."} & set(parts)
    assert all(len(part) <= 255 for part in parts) and len(parts) <= 50
    assert parts == [part for part in name.split(b"/") if part not in (b"", b".")]


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=20).filter(lambda k: b"=" not in k), st.binary(max_size=120))))
def test_records_go_there_and_back(records: list[tuple[bytes, bytes]]) -> None:
    block = b"".join(record(key, value) for key, value in records)
    assert tarfields.pax_records(block) == records
    assert tarfields.pax_records(block + bytes(20)) == records


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (b"0", (0, 0)), (b"1.5", (1, 500_000_000)), (b"1.0000000019", (1, 1)), (b"-1.25", (-2, 750_000_000)),
        (b"-0.5", (-1, 500_000_000)), (b".5", (0, 500_000_000)), (b"-3", (-3, 0)), (b"12.", (12, 0)),
    ],
)  # fmt: skip
def test_times_of_records(value: bytes, time: tuple[int, int]) -> None:
    assert tarfields.pax_time(value) == time


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (b"user.a", True), (b"security.capability", True), (b"trusted.a", True), (b"system.posix_acl_access", True),
        (b"system.posix_acl_default", True), (b"system.other", False), (b"system.posix_acl_access2", False),
        (b"trusted.overlay.redirect", False), (b"user.overlay.opaque", False), (b"user.", False), (b"", False),
        (b"other.a", False), (b"user." + b"n" * 300, False),
    ],
)  # fmt: skip
def test_which_attributes_a_layer_may_set(name: bytes, wanted: bool) -> None:
    assert tarfields.wanted_xattr(name) is wanted
