"""Bars on a terminal, lines elsewhere, and a picture that always fits."""

from __future__ import annotations

from io import StringIO

import pytest

from hardtack.cli import progress as module
from hardtack.cli.progress import Bars, Drawing, Lines, _Item, for_streams, line_of, picture, short
from hardtack.cli.streams import Streams

DIGEST = "sha256:" + "0123456789ab" + "f" * 52


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def streams(out: StringIO) -> Streams:
    found = Streams()
    found.out = out
    return found


def item(label: str = "Pulling", done: int = 0, total: int | None = None, finished: bool = False) -> _Item:
    made = _Item(label, total)
    made.done, made.finished = done, finished
    return made


def test_a_pipe_gets_a_line_when_a_phase_begins_and_when_it_ends() -> None:
    out = StringIO()
    with for_streams(streams(out)) as drawing:
        assert type(drawing) is Lines
        drawing.say("Pulling from library/nginx")
        drawing.begin(DIGEST, "Pulling", 100)
        drawing.advance(DIGEST, 50)
        drawing.begin(DIGEST, "Pulling", 100)
        drawing.finish(DIGEST, "Pull complete")
    assert out.getvalue() == ("Pulling from library/nginx\n0123456789ab: Pulling\n0123456789ab: Pull complete\n")


def test_quiet_draws_nothing() -> None:
    out = Terminal()
    with for_streams(streams(out), quiet=True) as drawing:
        assert type(drawing) is Drawing
        drawing.begin("x", "Pulling")
        drawing.finish("x", "done")
    assert out.getvalue() == ""


def test_a_terminal_gets_a_picture_that_ends_with_the_last_words() -> None:
    out = Terminal()
    with for_streams(streams(out)) as drawing:
        assert type(drawing) is Bars
        drawing.begin(DIGEST, "Pulling", 1000)
        drawing.advance(DIGEST, 500)
        drawing.advance("unknown", 1)
        drawing.say("between")
        drawing.finish(DIGEST, "Pull complete")
    text = out.getvalue()
    assert "between\x1b[J\n" in text
    assert text.endswith("\x1b[2K0123456789ab: Pull complete\n\x1b[J")


def test_pictures_are_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    out = Terminal()
    drawing = Bars(streams(out))
    drawing.begin("x", "Pulling", 10_000)
    size = len(out.getvalue())
    for _ in range(1000):
        drawing.advance("x", 1)
    assert len(out.getvalue()) == size
    now[0] += 1
    drawing.advance("x", 1)
    assert len(out.getvalue()) > size


@pytest.mark.parametrize("columns", [20, 39, 40, 60, 80, 200])
def test_no_line_is_as_wide_as_the_terminal(columns: int) -> None:
    items = {
        DIGEST: item(done=5, total=10),
        "long-" * 40: item("Extracting", 5, 10_000_000),
        "b": item(done=20, total=10),
        "c": item(done=7),
        "d": item("Pull complete" * 10, finished=True),
        "e": item(total=0),
    }
    for line in picture(items, columns, 24):
        assert len(line) < columns


def test_a_bar_shows_how_far_and_how_much() -> None:
    assert line_of(DIGEST, item(done=50, total=100), 79) == (
        "0123456789ab: Pulling [===============>              ] 50B/100B"
    )
    assert line_of(DIGEST, item(done=100, total=100), 79).count("=") == 30
    assert line_of(DIGEST, item(done=12_300_000), 79) == "0123456789ab: Pulling  12.3MB"
    assert line_of(DIGEST, item(done=50, total=100), 35) == "0123456789ab: Pulling  50%"


def test_a_picture_is_never_higher_than_the_terminal_and_finished_items_leave_first() -> None:
    items = {str(number): item(finished=number % 2 == 0) for number in range(20)}
    lines = picture(items, 80, 14)
    assert len(lines) == 12
    assert [line for line in lines if int(line.split(":")[0]) % 2] == [f"{n}: Pulling" for n in range(1, 20, 2)]
    assert len(picture(items, 80, 3)) == 1


def test_a_terminal_that_became_narrower_is_drawn_over_as_far_as_its_lines_have_wrapped() -> None:
    drawing = Bars(streams(Terminal()))
    drawing._drawn = [59, 12, 0]
    assert drawing._back(60) == "\x1b[3A\r"
    assert drawing._back(30) == "\x1b[4A\r"
    assert drawing._back(20) == "\x1b[5A\r"


def test_digests_are_shown_short_and_names_as_they_are() -> None:
    assert (short(DIGEST), short("localhost:5000/a"), short("layer 1")) == (
        "0123456789ab",
        "localhost:5000/a",
        "layer 1",
    )
