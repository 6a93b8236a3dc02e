"""Times by RFC 3339, against the standard library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.oci.moment import ZERO, format_time, parse_time


@given(st.integers(min_value=1, max_value=253402300799))
def test_whole_seconds_are_written_as_the_standard_library_writes_them(seconds: int) -> None:
    text = format_time(seconds)
    assert text == datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    assert parse_time(text) == seconds


@given(st.datetimes(min_value=datetime(1970, 1, 2)), st.integers(min_value=-23 * 60, max_value=23 * 60))
def test_fractions_and_offsets_are_read_as_the_standard_library_reads_them(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = max(0.0, (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    assert parse_time(aware.isoformat()) == pytest.approx(expected, abs=1e-4)


def test_nanoseconds_are_read_and_zeros_at_the_end_are_not_written() -> None:
    assert parse_time("2024-05-01T12:00:00.123456789+02:00") == pytest.approx(1714557600.123456789)
    assert format_time(1714557600.5) == "2024-05-01T10:00:00.5Z"


def test_never_is_go_s_zero_time() -> None:
    assert format_time(0) == ZERO
    assert parse_time(ZERO) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024-05-01",
        "2024-05-01T12:00:00",
        "2024-13-01T12:00:00Z",
        "2023-02-29T12:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T12:00:00.Z",
        "2024-05-01T12:00:00+2:00",
        "2024-05-01T12:00:00+99:00",
        "2024-05-01T12:00:00Zx",
        "٢٠٢٤-05-01T12:00:00Z",
        "2024-05-01T12:00:00." + "1" * 100 + "Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)
