"""Amounts in and out, as docker reads and prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.cli import units, values


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("1024", 1024),
        ("32b", 32),
        ("1k", 1024),
        ("1kb", 1024),
        ("1KiB", 1024),
        ("512m", 512 << 20),
        ("512MB", 512 << 20),
        ("1.5g", 3 << 29),
        ("2 gb", 2 << 30),
        ("1t", 1 << 40),
        ("-1", -1),
    ],
)
def test_amounts_of_memory(text: str, amount: int) -> None:
    assert values.bytes_of(text) == amount


@pytest.mark.parametrize("text", ["", "m", "1x", "-5", "1.2.3m", "1mm", "m1", "1e3", "9999999p", "٣m", "nan", "inf"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError):
        values.bytes_of(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("10", 10), ("10s", 10), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("1h2m3s", 3723), ("-5s", -5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "10x", "1m30", "1 m", "-", "1..5s", "x" * 100, "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        values.seconds_of(text)


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    for read in (values.bytes_of, values.seconds_of, values.decimal):
        try:
            read(text)
        except ValueError:
            pass


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (7_800_000, "7.8MB"),
        (77_800_000, "77.8MB"),
        (187_654_321, "188MB"),
        (1_234_567_890, "1.23GB"),
        (999_999, "1e+03kB"),  # as docker prints it too
    ],
)
def test_sizes_are_printed_with_three_digits(amount: int, text: str) -> None:
    assert units.size(amount) == text


def test_memory_is_printed_in_powers_of_1024() -> None:
    assert units.memory(2_087_321_600) == "1.944GiB"
    assert units.memory(0) == "0B"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "Less than a second"),
        (0.5, "Less than a second"),
        (1, "1 second"),
        (3, "3 seconds"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (731 * 86400, "2 years"),
    ],
)
def test_spans_are_printed_as_people_say_them(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text
    assert units.ago(1e9, 1e9 + seconds) == text + " ago"


def test_never_is_no_time_ago() -> None:
    assert units.ago(0) == "N/A"


def test_a_clock_time_is_printed_as_go_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        assert units.clock(1714557600) == "2024-05-01 10:00:00 +0000 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()
