"""Frames, log entries, runtime messages: what arrives in pieces comes out whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.container import frames
from hardtack.container.jsonlog import LONGEST, Clock, Lines, LogFile, encode, files_of
from hardtack.container.refusals import exit_code_of, last_error, start_failure
from hardtack.container.restart import FIRST_DELAY, LONGEST_DELAY, again, next_delay


@given(st.lists(st.tuples(st.integers(0, 10), st.binary(max_size=300))), st.lists(st.integers(0, 5000)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    messages: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frames.frame(kind, payload) for kind, payload in messages)
    reader, found, before = frames.Reader(), [], 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        found += list(reader.feed(stream[before:cut]))
        before = cut
    assert found == messages


def test_a_frame_of_absurd_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of"):
        list(frames.Reader().feed(b"\1\0\0\0\xff\xff\xff\xff"))


@given(st.lists(st.binary(max_size=50), max_size=30))
def test_lines_lose_no_byte(pieces: list[bytes]) -> None:
    lines, found = Lines(), []
    for piece in pieces:
        found += lines.feed(piece)
    found += lines.end()
    assert b"".join(found) == b"".join(pieces)
    assert all(entry.count(b"\n") <= 1 for entry in found)


def test_long_lines_are_cut_between_characters() -> None:
    text = ("é" * LONGEST).encode()
    lines = Lines()
    found = lines.feed(text) + lines.end()
    assert b"".join(found) == text and all(len(entry) <= LONGEST for entry in found)
    assert all(entry.decode() for entry in found)


@pytest.mark.parametrize(
    "data", [b"plain\n", b'quo"te\\\n', b"\x00\x1b[0m\n", "umlaut ä €\n".encode(), b"\xff\xfe\n", b"a\r\n"]
)
def test_entries_are_json_with_dockers_fields(data: bytes) -> None:
    entry = json.loads(encode(data, "stderr", "T"))
    assert entry == {"log": data.decode("utf-8", "replace"), "stream": "stderr", "time": "T"}


def test_stamps_have_nine_digits_of_a_second() -> None:
    assert Clock().stamp(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


def test_a_log_never_has_more_or_larger_files_than_allowed(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 1000, 3)
    for number in range(200):
        log.write("stdout", f"line {number}\n".encode())
    log.close()
    files = files_of(str(tmp_path / "log"))
    assert len(files) == 3 and all(Path(path).stat().st_size < 1100 for path in files)
    newest = [json.loads(line)["log"] for line in Path(files[0]).read_text().splitlines()]
    assert newest[-1] == "line 199\n"


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for word in ("one", "two"):
        log = LogFile(str(tmp_path / "log"), -1, 1)
        log.write("stdout", word.encode())
        log.close()
    assert [json.loads(line)["log"] for line in (tmp_path / "log").read_text().splitlines()] == ["one", "two"]


@pytest.mark.parametrize(
    ("reason", "command", "code"),
    [
        ("executable file `nope` not found in $PATH: No such file or directory", "nope", 127),
        ('exec: "nope": executable file not found in $PATH', "nope", 127),
        ("open executable: Permission denied", "/x", 126),
        ("open executable: Operation not permitted", "/etc", 126),
        ('exec: "/etc": permission denied', "/etc", 126),
        ('exec: "/etc": is a directory', "/etc", 126),
        ("exec /prog: no such file or directory", "/prog", 127),
        ("exec /prog: exec format error", "/prog", 126),
        ("mount `/x` to `/y`: No such file or directory", "sh", 125),
        ("writing file `/sys/fs/cgroup/x`: Permission denied", "sh", 125),
        ("", "sh", 125),
    ],
)
def test_what_a_runtime_says_becomes_dockers_exit_code(reason: str, command: str, code: int) -> None:
    assert exit_code_of(reason, command) == code
    assert start_failure(reason, command, "web").exit_code == code


def test_the_last_error_of_a_log_is_what_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '{"msg":"first","level":"warning"}\n{"msg":"second\\n","level":"error"}\n{"msg":"x","level":"info"}\n'
    )
    assert last_error(str(log)) == "second"
    log.write_text("executable file `x` not found in $PATH: No such file or directory\n")
    assert last_error(str(log)).startswith("executable file `x` not found")
    assert last_error(str(tmp_path / "none")) == ""


@pytest.mark.parametrize(
    ("policy", "code", "stopped", "restarts", "expected"),
    [
        (None, 1, False, 0, False),
        ({"Name": "no"}, 1, False, 0, False),
        ({"Name": "always"}, 0, False, 9, True),
        ({"Name": "always"}, 0, True, 0, False),
        ({"Name": "unless-stopped"}, 1, True, 0, False),
        ({"Name": "on-failure"}, 0, False, 0, False),
        ({"Name": "on-failure"}, 1, False, 99, True),
        ({"Name": "on-failure", "MaximumRetryCount": 2}, 1, False, 1, True),
        ({"Name": "on-failure", "MaximumRetryCount": 2}, 1, False, 2, False),
    ],
)
def test_policies(policy: dict[str, object] | None, code: int, stopped: bool, restarts: int, expected: bool) -> None:
    assert again(policy, code, stopped, restarts) is expected


def test_the_delay_doubles_to_a_bound_and_begins_anew_after_a_good_run() -> None:
    delay, seen = 0.0, []
    for _ in range(12):
        delay = next_delay(delay, 0.1)
        seen.append(delay)
    assert seen[:3] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4] and seen[-1] == LONGEST_DELAY
    assert next_delay(delay, 11.0) == FIRST_DELAY
