"""What a Range asks for, where a chunk belongs, which entity tags match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.registry.api import ranges
from hardtack.registry.api.paging import PAGE_LIMIT, PageInvalid, next_link, page_size


@pytest.mark.parametrize(
    ("header", "size", "found"),
    [
        ("bytes=0-", 10, (0, 10)),
        ("bytes=3-5", 10, (3, 3)),
        ("BYTES=3-5", 10, (3, 3)),
        ("bytes=-4", 10, (6, 4)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes=8-99", 10, (8, 2)),
        ("bytes=0-0,2-2", 10, None),
        ("items=0-1", 10, None),
        ("bytes=-", 10, None),
        ("bytes= - ", 10, None),
        ("bytes=0x1-2", 10, None),
        ("bytes=٣-٤", 10, None),
        ("bytes=" + "9" * 30 + "-", 10, None),
    ],
)
def test_a_range_header(header: str, size: int, found: tuple[int, int] | None) -> None:
    assert ranges.requested(header, size) == found


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=5-4", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_range_without_bytes(header: str, size: int) -> None:
    with pytest.raises(ranges.Unsatisfiable):
        ranges.requested(header, size)


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(0, 1000))
def test_no_header_asks_for_bytes_that_are_not_there(text: str, size: int) -> None:
    for header in (text, f"bytes={text}", f"bytes={len(text)}-{size}"):
        try:
            found = ranges.requested(header, size)
        except ranges.Unsatisfiable:
            continue
        if found is not None:
            start, length = found
            assert start >= 0
            assert length > 0
            assert start + length <= size


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("0-9", (0, 9)),
        (" 0-9 ", (0, 9)),
        ("bytes 0-9/*", (0, 9)),
        ("bytes=5-5/10", (5, 5)),
        ("9-0", None),
        ("-5", None),
        ("5-", None),
        ("a-b", None),
        ("", None),
        ("0-" + "9" * 40, None),
    ],
)
def test_where_a_chunk_belongs(header: str, found: tuple[int, int] | None) -> None:
    assert ranges.chunk(header) == found


def test_how_much_is_held_is_told_as_docker_does() -> None:
    assert [ranges.held(offset) for offset in (0, 1, 2, 1000)] == ["0-0", "0-0", "0-1", "0-999"]


@pytest.mark.parametrize(
    ("header", "matches"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)],
)
def test_entity_tags(header: str, matches: bool) -> None:
    assert ranges.matches(header, '"a"') is matches


def test_pages_are_clamped() -> None:
    assert [page_size(text) for text in (None, "", "0", "7", "1000", "1001", "9" * 50)] == [
        *(PAGE_LIMIT, PAGE_LIMIT, 0, 7, PAGE_LIMIT, PAGE_LIMIT, PAGE_LIMIT)
    ]
    for text in ("-1", "x", "1.5", "٣", "1e9", " 1"):
        with pytest.raises(PageInvalid):
            page_size(text)


def test_a_link_is_quoted() -> None:
    assert next_link("/v2/a/tags/list", 5, 'b>"&c') == '</v2/a/tags/list?n=5&last=b%3E%22%26c>; rel="next"'
    assert next_link("/v2/a", 1, "x", {"artifactType": "a/b"}).startswith("</v2/a?n=1&last=x&artifactType=a%2Fb>")
