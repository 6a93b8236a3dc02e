"""Filters: read as docker reads them, refused when they mean nothing."""

from __future__ import annotations

import time

import pytest

from hardtack.image.filters import FilterError, has_labels, moment, truth
from hardtack.image.globs import path_matches

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("values", "answer"), [([], None), (["true"], True), (["1", "TRUE"], True), (["false"], False), (["0"], False)]
)
def test_a_yes_or_no_filter(values: list[str], answer: bool | None) -> None:
    assert truth({"dangling": values}, "dangling") is answer


@pytest.mark.parametrize("values", [["yes"], ["true", "false"], [""]])
def test_a_yes_or_no_filter_that_says_neither_is_refused(values: list[str]) -> None:
    with pytest.raises(FilterError):
        truth({"dangling": values}, "dangling")


def test_labels_must_all_be_there_with_their_values() -> None:
    labels = {"a": "1", "b": ""}
    assert has_labels({"label": ["a", "b"]}, labels)
    assert has_labels({"label": ["a=1", "b="]}, labels)
    assert not has_labels({"label": ["a=2"]}, labels)
    assert not has_labels({"label": ["a", "c"]}, labels)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", NOW - 86_400),
        ("1h30m", NOW - 5400),
        ("10d", NOW - 864_000),
        ("0.5h", NOW - 1800),
        ("1500000000", 1_500_000_000),
        ("1500000000.5", 1_500_000_000.5),
        ("2017-07-14T02:40:00Z", 1_500_000_000),
        ("2017-07-14T02:40:00", 1_500_000_000),
        ("2017-07-14T02:40", 1_500_000_000),
        ("2017-07-14", 1_499_990_400),
    ],
)
def test_a_moment_is_a_span_a_number_or_a_date(text: str, seconds: float) -> None:
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "h", "1x", "1h2", "yesterday", "2017-13-01", "1.2.3h", "."])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("nginx", "nginx", True),
        ("nginx", "nginx:1", False),
        ("ngin?", "nginx", True),
        ("*", "nginx:latest", True),
        ("*", "a/b", False),
        ("*/*", "a/b", True),
        ("*:l*t", "nginx:latest", True),
        ("*inx:*", "nginx:latest", True),
        ("n*g*x", "nginx", True),
        ("n*g*y", "nginx", False),
        ("", "", True),
        ("", "a", False),
        ("a*", "a", True),
        ("[m-o]ginx", "nginx", True),
        ("[^m-o]ginx", "nginx", False),
        ("[^a-c]ginx", "nginx", True),
        ("[n]ginx", "nginx", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("[a-]x", "ax", None),
        ("[", "x", None),
        ("[]x", "x", None),
        ("[a", "a", None),
        ("a\\", "a", None),
    ],
)
def test_a_pattern_fits_as_in_go(pattern: str, text: str, answer: bool | None) -> None:
    if answer is None:
        with pytest.raises(FilterError):
            path_matches(pattern, text)
    else:
        assert path_matches(pattern, text) is answer


def test_a_pattern_of_many_stars_is_not_slow() -> None:
    began = time.monotonic()
    assert not path_matches("*a" * 100 + "b", "a" * 1000)
    assert time.monotonic() - began < 1
