"""Text for pages: bounded, without tricks, in the words of a Dockerfile."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.registry.web import text


@pytest.mark.parametrize(
    ("written", "keyword", "rest"),
    [
        ('/bin/sh -c #(nop)  CMD ["sh"]', "CMD", '["sh"]'),
        ("/bin/sh -c #(nop) ADD file:1a in / ", "ADD", "file:1a in /"),
        ("/bin/sh -c apt-get update", "RUN", "apt-get update"),
        ("RUN /bin/sh -c make # buildkit", "RUN", "make"),
        ("RUN /bin/bash -o pipefail -c make", "RUN", "make"),
        ("RUN |2 A=1 B=2 /bin/sh -c make # buildkit", "RUN", "make"),
        ("|1 A=1 /bin/sh -c make", "RUN", "make"),
        ('|1 A=b ["/bin/x", "y"]', "RUN", '["/bin/x", "y"]'),
        ("COPY . . # buildkit", "COPY", ". ."),
        ("EXPOSE map[80/tcp:{} 443/tcp:{}]", "EXPOSE", "80/tcp 443/tcp"),
        ("EXPOSE 80", "EXPOSE", "80"),
        ("RUN a;  \tb", "RUN", "a;\n    b"),
        ("crane append", "", "crane append"),
        ("", "", ""),
    ],
)
def test_what_builders_write_becomes_an_instruction(written: str, keyword: str, rest: str) -> None:
    assert text.instruction(written) == (keyword, rest)


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_cleaned_text_has_no_tricks_and_a_bound(value: str) -> None:
    cleaned = text.clean(value, 100)
    assert len(cleaned) < 150
    assert not any(ord(character) < 32 and character not in "\t\n" for character in cleaned)
    assert not set(cleaned) & set("\u202e\u2066\u200b\x7f\ufeff")
    cleaned.encode()
    text.instruction(value)


def test_what_is_cut_says_how_much() -> None:
    assert text.clean("x" * 1100, 100) == "x" * 100 + " … and 1,000 characters more"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_234_567, "1.23 MB"),
        (999_600, "1 MB"),
        (12_300_000_000, "12.3 GB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert text.size(count).replace("\u202f", " ") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "just now"), (30, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (86_400 * 40, "1 month ago")],
)
def test_how_long_ago(seconds: float, shown: str) -> None:
    assert text.ago(1e9, 1e9 + seconds) == shown


@pytest.mark.parametrize("written", ["2026-11-24T07:26:32Z", "2026-11-24T07:26:32.123456789+01:00"])
def test_a_moment_is_kept(written: str) -> None:
    assert text.day(written) == written


@pytest.mark.parametrize("written", ["", "yesterday", "<b>", "2026-11-24", "2026-11-24T07:26:32Z<b>"])
def test_what_is_no_moment_is_dropped(written: str) -> None:
    assert text.day(written) == ""
