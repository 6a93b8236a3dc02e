"""The reader of headers: the same members however the bytes arrive, the same refusals as with any driver."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.store.layer.errors import BadTar, LayerTooLarge, TruncatedTar
from hardtack.store.layer.member import FILE, Limits, Member
from hardtack.store.layer.tarscan import Scanner
from hardtack.store.layer.tree import Tree
from support.nasty import ACCEPTED, REFUSED
from support.rawtar import directory, file, pax, symlink, tar


class Collect:
    """Takes everything, bytes too."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.bytes: list[bytes] = []

    def member(self, member: Member) -> bool:
        self.members.append(member)
        self.bytes.append(b"")
        return member.kind == FILE

    def payload(self, chunk: memoryview) -> None:
        self.bytes[-1] += bytes(chunk)

    def seen(self) -> list[tuple[object, ...]]:
        names = [name for name in Member.__slots__ if name != "path"]
        return [
            (m.path, *(getattr(m, name) for name in names), data)
            for m, data in zip(self.members, self.bytes, strict=True)
        ]


def scan(data: bytes, step: int = 1 << 20, limits: Limits | None = None) -> Collect:
    found = Collect()
    scanner = Scanner(found, limits or Limits())
    for start in range(0, len(data), step):
        scanner.feed(data[start : start + step])
    scanner.finish()
    return found


@pytest.mark.parametrize("case", ACCEPTED)
def test_members_do_not_depend_on_how_the_bytes_arrive(case: str) -> None:
    data = ACCEPTED[case][0]
    whole = scan(data).seen()
    for step in (1, 7, 511, 512, 513) if len(data) < 40_000 else (509, 4096):
        assert scan(data, step).seen() == whole


@pytest.mark.parametrize("case", REFUSED)
def test_bad_tars_are_refused_however_the_bytes_arrive(case: str) -> None:
    data, why = REFUSED[case]

    def apply(step: int) -> None:
        tree = Tree()
        for member in scan(data, step).members:
            tree.add(member)

    for step in (1 << 20, 100):
        with pytest.raises(BadTar, match=why):
            apply(step)


@settings(deadline=None)
@given(st.data())
def test_a_tar_cut_anywhere_inside_a_member_is_truncated(data: st.DataObject) -> None:
    whole = file(b"a", b"x" * 1000) + pax((b"mtime", b"1.5")) + file(b"b", b"y" * 10)
    cut = data.draw(st.integers(1, len(whole) - 1))
    if cut in (1536,):  # between two members: as good as an end
        return
    with pytest.raises(TruncatedTar):
        scan(whole[:cut])


@settings(deadline=None)
@given(st.integers(0, 2047), st.integers(1, 255))
def test_a_flipped_byte_in_a_header_is_noticed(at: int, flip: int) -> None:
    data = bytearray(tar(file(b"some/name", b"1", mode=0o755, mtime=12345), directory(b"d")))
    where = at % 512 if at < 1024 else 1024 + at % 512
    data[where] ^= flip
    try:
        found = scan(bytes(data)).seen()
    except BadTar:
        return
    # Only bytes of the checksum field itself may change without a word: blanks and digits after its terminator.
    assert where % 512 in range(148, 156)
    assert found == scan(tar(file(b"some/name", b"1", mode=0o755, mtime=12345), directory(b"d"))).seen()


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_noise_never_ends_in_anything_but_a_refusal(data: bytes) -> None:
    try:
        scan(data)
    except BadTar:
        pass


def test_mutated_tars_never_end_in_anything_but_a_refusal() -> None:
    source = random.Random(7)
    cases = [data for data, _ in ACCEPTED.values() if 0 < len(data) < 30_000]
    for _ in range(1500):
        data = bytearray(source.choice(cases))
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(data))
            data[at] = source.randrange(256)
            # Most changes are caught by the checksum; repair it, so that what lies behind is reached too.
            block = at - at % 512
            if len(data) >= block + 512 and source.random() < 0.9:
                data[block + 148 : block + 156] = b" " * 8
                total = sum(data[block : block + 512])
                data[block + 148 : block + 156] = b"%06o\0 " % total
        tree = Tree()
        try:
            for member in scan(bytes(data)).members:
                tree.add(member)
        except (BadTar, LayerTooLarge):
            pass


def test_limits_hold() -> None:
    many = tar(*(file(b"%d" % n) for n in range(20)))
    with pytest.raises(LayerTooLarge, match="10 members"):
        scan(many, limits=Limits(members=10))
    with pytest.raises(LayerTooLarge, match="bytes of tar"):
        scan(many, limits=Limits(tar_bytes=len(many) - 1))
    with pytest.raises(BadTar, match="deeper than 2"):
        scan(tar(file(b"a/b/c")), limits=Limits(depth=2))
    with pytest.raises(BadTar, match="extended header has"):
        scan(tar(pax((b"path", b"p" * 200)), file(b"a")), limits=Limits(pax_bytes=100))
    assert len(scan(tar(file(b"a/b/c")), limits=Limits(depth=3)).members) == 1


def test_an_error_names_the_member_and_the_place_without_its_control_characters() -> None:
    with pytest.raises(BadTar) as caught:
        scan(tar(file(b"ok", b"1"), symlink(b"evil\x1b[2J\n", b"")))
    assert caught.value.offset == 1024
    assert caught.value.member == "evil?[2J?"
    assert "at byte 1,024" in str(caught.value)


def test_whiteouts_are_ordinary_names_where_no_layer_is_read() -> None:
    found = Collect()
    scanner = Scanner(found, whiteouts=False)
    scanner.feed(tar(file(b".wh.a", b"1")))
    scanner.finish()
    assert [(m.path, m.kind) for m in found.members] == [(b".wh.a", FILE)]
