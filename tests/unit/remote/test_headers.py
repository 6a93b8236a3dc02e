"""Headers of registries: read by their grammar, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.remote.auth import merge_scopes
from hardtack.remote.headers import (
    Challenge,
    next_link,
    parse_challenges,
    parse_content_range,
    parse_retry_after,
    parse_upload_range,
)

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
HUB_PARAMETERS = {
    "realm": "https://auth.docker.io/token",
    "service": "registry.docker.io",
    "scope": "repository:a/b:pull,push",
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([""], []),
        ([HUB], [Challenge("bearer", HUB_PARAMETERS)]),
        (["Basic realm=simple"], [Challenge("basic", {"realm": "simple"})]),
        (['BASIC Realm="a \\"b\\" \\\\c"'], [Challenge("basic", {"realm": 'a "b" \\c'})]),
        (["Basic"], [Challenge("basic", {})]),
        (["Negotiate, Basic realm=x"], [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        (["NTLM TlRMTVNTUAAB==, Basic realm=x"], [Challenge("ntlm", {}), Challenge("basic", {"realm": "x"})]),
        (
            ['Basic realm="x", Bearer realm="y" , service = z'],
            [Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y", "service": "z"})],
        ),
        (
            ["Basic realm=x", "Bearer realm=y"],
            [Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y"})],
        ),
        (['Bearer realm="a,b=c, Basic realm=d"'], [Challenge("bearer", {"realm": "a,b=c, Basic realm=d"})]),
        ([",, Basic realm=x ,"], [Challenge("basic", {"realm": "x"})]),
    ],
)
def test_challenges_are_read_with_every_scheme_and_parameter(values: list[str], expected: list[Challenge]) -> None:
    assert parse_challenges(values) == expected


@pytest.mark.parametrize(
    "value",
    ['Bearer realm="no end', '"quoted"', "Basic;realm=x", "Bearer realm=a, realm=b", "B" * 20_000],
)
def test_what_is_no_challenge_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        parse_challenges([value])


@given(st.text(max_size=200))
def test_no_header_makes_the_parser_do_anything_but_answer_or_refuse(text: str) -> None:
    try:
        parse_challenges([text])
    except ValueError:
        pass
    next_link([text]) if '"' not in text else None
    parse_content_range(text)
    parse_upload_range(text)
    parse_retry_after(text, 0.0)


@given(st.dictionaries(st.sampled_from(["realm", "service", "scope", "error"]), st.text(max_size=40), min_size=1))
def test_a_quoted_challenge_comes_back_as_it_was(parameters: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    line = "Bearer " + ", ".join(f"{key}={quoted(value)}" for key, value in parameters.items())
    assert parse_challenges([line]) == [Challenge("bearer", parameters)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes 0-99/200", (0, 99, 200)),
        ("bytes 5-5/*", (5, 5, None)),
        ("Bytes 1024-4095/4096", (1024, 4095, 4096)),
        ("bytes */200", None),
        ("bytes 9-5/20", None),
        ("bytes 0-99/50", None),
        ("items 0-9/10", None),
        ("bytes 0-9", None),
        ("bytes -1-9/10", None),
        ("bytes ٣-9/10", None),
        ("", None),
    ],
)
def test_content_ranges(value: str, expected: tuple[int, int, int | None] | None) -> None:
    assert parse_content_range(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0-1023", 1024), ("bytes=0-9", 10), ("0-0", None), ("5-9", None), ("0-", None), ("x", None), ("", None)],
)
def test_an_upload_range_says_how_much_is_held_unless_it_is_ambiguous(value: str, expected: int | None) -> None:
    assert parse_upload_range(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: float | None) -> None:
    assert parse_retry_after(value, 60.0) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['</v2/a/tags/list?n=2&last=b>; rel="next"'], "/v2/a/tags/list?n=2&last=b"),
        (['<x>; rel=prev, <y>; title="a,b"; rel=next'], "y"),
        (["<x>; rel=prev"], None),
        (["x; rel=next"], None),
        ([], None),
    ],
)
def test_the_next_page_is_the_link_with_that_relation(values: list[str], expected: str | None) -> None:
    assert next_link(values) == expected


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ([], []),
        (["repository:a/b:pull", "repository:a/b:pull,push"], ["repository:a/b:pull,push"]),
        (["repository:b:pull", "repository:a:*"], ["repository:a:*", "repository:b:pull"]),
        (["repository:host:5000/a:pull"], ["repository:host:5000/a:pull"]),
    ],
)
def test_a_token_is_asked_for_each_resource_once(scopes: list[str], expected: list[str]) -> None:
    assert merge_scopes(scopes) == expected
