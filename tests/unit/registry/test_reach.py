"""Where a caller can see anything, and patterns of tags: pure rules, held against the rules that they stand for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.registry.access import READ, WRITE, Action, Caller, Claims, Grant, Visibility, lists
from hardtack.registry.errors import SettingInvalid
from hardtack.registry.patterns import check_patterns, covering
from hardtack.registry.repositories.reach import EVERYTHING, Span, reach

_PARTS = st.lists(st.sampled_from(["a", "b", "a-b", "a.b", "0", "z"]), min_size=1, max_size=3).map("/".join)
_PATTERNS = st.one_of(st.just("**"), _PARTS, _PARTS.map("{}/**".format), _PARTS.map("{}/*".format))
_GRANTS = st.lists(
    st.builds(Grant, _PATTERNS, st.sampled_from([READ, WRITE, frozenset((Action.PUSH,))])), max_size=4
).map(tuple)
_CLAIMS = st.one_of(
    st.none(),
    st.builds(Claims, st.dictionaries(_PARTS, st.sampled_from([READ, frozenset()]), max_size=3), st.booleans()),
)
_CALLERS = st.builds(Caller, st.sampled_from(["", "bob"]), _GRANTS, st.one_of(st.none(), _GRANTS), _CLAIMS)


@given(_CALLERS, _PARTS, st.sampled_from([visibility.value for visibility in Visibility]))
def test_whatever_a_caller_may_see_lies_within_reach(caller: Caller, name: str, visibility: str) -> None:
    within = reach(caller)
    inside = any(first <= name < end for first, end in within.granted)
    shown = visibility in within.visibilities and any(first <= name < end for first, end in within.shown)
    assert inside or shown or not lists(caller, name, visibility)
    for spans in (within.granted, within.shown):
        assert list(spans) == sorted(spans)
        assert all(one.end < other.first for one, other in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("patterns", "spans"),
    [
        (["**"], EVERYTHING),
        (["a/**", "**"], EVERYTHING),
        (["a/**", "a/b/**", "a/b"], (Span("a/", "a0"),)),
        (["b", "a"], (Span("a", "a!"), Span("b", "b!"))),
        ([], ()),
    ],
)
def test_spans_are_few_and_in_order(patterns: list[str], spans: tuple[Span, ...]) -> None:
    assert reach(Caller("bob", tuple(Grant(pattern, READ) for pattern in patterns))).granted == spans


@pytest.mark.parametrize(
    ("patterns", "covered", "others"),
    [
        (["v*"], ["v", "v1", "v1.2-rc"], ["V1", "1", "xv1"]),
        (["*", "!latest", "!*-rc"], ["v1", "latest2"], ["latest", "v1-rc"]),
        (["!latest"], [], ["latest", "v1"]),
        (["[0-9].?"], ["1.2"], ["12", "1.22", "a.2"]),
        ([""], [], ["", "v1"]),
        ([], [], ["v1"]),
    ],
)
def test_which_tags_patterns_cover(patterns: list[str], covered: list[str], others: list[str]) -> None:
    assert all(covering(patterns, tag) for tag in covered)
    assert not any(covering(patterns, tag) for tag in others)


def test_patterns_are_kept_once_and_checked() -> None:
    assert check_patterns([" v* ", "", "v*", "!x"]) == ("v*", "!x")
    for wrong in (["a b"], ["a/b"], ["x" * 129], ["v\n*"], [f"v{n}" for n in range(101)], ["*" * 9], ["é"]):
        with pytest.raises(SettingInvalid):
            check_patterns(wrong)


def test_a_pattern_made_to_take_long_does_not() -> None:
    (pattern,) = check_patterns(["*a*a*a*a*a*a*a*b"])
    assert covering([pattern], "a" * 128) == ""
