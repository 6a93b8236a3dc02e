"""Reading logs: from the end, over rotations, spans of time, cut lines. Files are written by the real writer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardtack.container.jsonlog import LogFile, encode, files_of
from hardtack.container.logs import Span, _Reader, parse_moment

ALWAYS = Span()


def write(path: Path, entries: list[str], limit: int = -1, files: int = 1) -> None:
    log = LogFile(str(path), limit, files)
    for entry in entries:
        log.write("stdout", entry.encode() + b"\n")
    log.close()


def read(path: Path, tail: int = -1, span: Span = ALWAYS) -> list[str]:
    reader = _Reader(str(path))
    reader.begin(tail)
    try:
        return [entry.data.decode().rstrip("\n") for entries in reader.entries(span) for entry in entries]
    finally:
        reader.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def numbers(count: int) -> list[str]:
    return [f"line {number} {'x' * (number % 50)}" for number in range(count)]


@pytest.mark.parametrize("tail", [0, 1, 2, 7, 499, 500, 501])
def test_the_last_lines_come_whatever_their_length(path: Path, tail: int) -> None:
    lines = numbers(500)
    write(path, lines)
    assert read(path, tail) == lines[len(lines) - min(tail, len(lines)) :]


def test_the_end_of_a_long_log_is_found_without_reading_it(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(8 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
    write(path, ["one", "two"])
    before = time.monotonic()
    assert read(path, 2) == ["one", "two"]
    assert time.monotonic() - before < 0.5


def test_a_line_without_end_takes_no_memory(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(64 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
    write(path, ["after"])
    assert read(path) == ["after"]


def test_lines_are_counted_over_rotated_files(path: Path) -> None:
    lines = numbers(300)
    write(path, lines, limit=2000, files=100)
    assert len(files_of(str(path))) > 5
    assert read(path) == lines
    for tail in (1, 50, 299):
        assert read(path, tail) == lines[-tail:]


def test_there_may_be_no_log_yet(path: Path) -> None:
    assert read(path) == read(path, 5) == []


@pytest.mark.parametrize(
    "cut",
    [
        b'{"log":"half',
        b"\0\0\0\0\n",
        b"[]\n",
        b'{"log":1,"stream":"stdout","time":"x"}\n',
        b"\xff\xfe\n",
        b"{}\n",
        b"\n",
    ],
)
def test_a_line_that_was_cut_is_passed_over(path: Path, cut: bytes) -> None:
    write(path, ["before"])
    with open(path, "ab") as file:
        file.write(cut)
    assert read(path) == ["before"]
    if cut.endswith(b"\n"):
        write(path, ["after"])
        assert read(path) == ["before", "after"]
    else:
        assert read(path, 1) == ["before"]


def test_a_span_of_time_has_two_ends(path: Path) -> None:
    with open(path, "w") as file:
        for second in range(10):
            file.write(encode(f"{second}\n".encode(), "stdout", f"2024-05-01T12:00:0{second}.500000000Z"))
    base = parse_moment("2024-05-01T12:00:00Z")
    assert read(path, span=Span(base + 3, base + 6)) == ["3", "4", "5"]
    assert read(path, span=Span(since=base + 8)) == ["8", "9"]
    assert read(path, tail=5, span=Span(until=base + 7)) == ["5", "6"]


def test_entries_carry_their_stream_their_time_and_any_bytes(path: Path) -> None:
    log = LogFile(str(path), -1, 1)
    log.write("stderr", b"\xff\x00caf\xc3\xa9\r\n")
    log.write("stdout", b"no newline")
    log.close()
    reader = _Reader(str(path))
    reader.begin(-1)
    (entries,) = reader.entries(ALWAYS)
    reader.close()
    assert [entry.stream for entry in entries] == ["stderr", "stdout"]
    assert entries[0].data == "\N{REPLACEMENT CHARACTER}\x00café\r\n".encode()
    assert entries[1].data == b"no newline"
    assert len(entries[0].stamp) == len("2024-05-01T12:00:00.123456789Z")


def test_nothing_is_lost_or_doubled_while_files_rotate_under_the_reader(path: Path) -> None:
    count = 4000
    done = threading.Event()

    def writer() -> None:
        log = LogFile(str(path), 3000, 1000)
        for number in range(count):
            log.write("stdout", f"{number}\n".encode())
            if number % 40 == 0:
                time.sleep(0.001)
        log.close()
        done.set()

    thread = threading.Thread(target=writer)
    thread.start()
    reader, found = _Reader(str(path)), []
    reader.begin(-1)
    while True:
        over = done.is_set()
        for entries in reader.entries(ALWAYS):
            found += [int(entry.data) for entry in entries]
        if reader.caught_up() and over:
            break
    reader.close()
    thread.join()
    assert found == list(range(count))


def test_a_reader_leaves_no_descriptor_behind(path: Path) -> None:
    write(path, numbers(300), limit=2000, files=100)
    before = len(os.listdir("/proc/self/fd"))
    for tail in (-1, 3, 290):
        read(path, tail)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1714564800", 1714564800.0),
        ("1714564800.25", 1714564800.25),
        ("2024-05-01T12:00:00Z", 1714564800.0),
        ("2024-05-01T14:00:00+02:00", 1714564800.0),
        ("2024-05-01T12:00:00.5Z", 1714564800.5),
        ("2024-05-01T12:00Z", 1714564800.0),
        ("2024-05-01T14:00:00", 1714564800.0),
        ("2024-05-01T14:00", 1714564800.0),
        ("2024-05-01T14", 1714564800.0),
        ("2024-05-01", 1714514400.0),
        ("10m", 2_000_000_000 - 600.0),
        ("1h30m", 2_000_000_000 - 5400.0),
        ("1.5s", 2_000_000_000 - 1.5),
        ("500ms", 2_000_000_000 - 0.5),
    ],
)
def test_moments_have_many_forms(text: str, expected: float) -> None:
    assert parse_moment(text, now=2_000_000_000) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10", "10x", "m", "1.2.3", "2024-13-01", "2024-05-01T25:00:00Z", "-5m"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    if text == "10":
        assert parse_moment(text) == 10.0
        return
    with pytest.raises(ValueError, match=r"."):
        parse_moment(text)
