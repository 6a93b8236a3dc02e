"""A container's log in docker's json-file form: one JSON object a line, rotated by size, the number of files bounded.

The one writer of a log is the container's monitor. A full disk loses log lines, never the container.
"""

from __future__ import annotations

import os
import time

from hardtack.container.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    quote: Callable[[str], str]
else:
    from _json import encode_basestring as quote

LONGEST = 16_384
"""A longer line is cut into entries without a newline at their end, as docker does."""


class Lines:
    """Cuts what arrives on one stream into entries; keeps what has no end yet.

    A multi-byte character is never cut in two, except where the bytes are no UTF-8 anyway.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The entries that are complete now, each with its newline unless it was cut for its length."""
        if self._rest:
            data = self._rest + data
        entries = data.splitlines(keepends=True) if b"\r" not in data else _split(data)
        last = entries.pop() if entries and not entries[-1].endswith(b"\n") else b""
        if len(last) > LONGEST or any(len(entry) > LONGEST for entry in entries):
            entries, last = _cut(entries, last)
        self._rest = last
        return entries

    def end(self) -> list[bytes]:
        """What is left when the stream has ended."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def _split(data: bytes) -> list[bytes]:
    """Lines by \\n alone; splitlines would also cut at \\r, and nothing else in bytes."""
    pieces = data.split(b"\n")
    last = pieces.pop()
    lines = [piece + b"\n" for piece in pieces]
    return [*lines, last] if last else lines


def _cut(entries: list[bytes], last: bytes) -> tuple[list[bytes], bytes]:
    short: list[bytes] = []
    for entry in entries:
        while len(entry) > LONGEST:
            end = _boundary(entry)
            short.append(entry[:end])
            entry = entry[end:]  # noqa: PLW2901
        short.append(entry)
    while len(last) > LONGEST:
        end = _boundary(last)
        short.append(last[:end])
        last = last[end:]
    return short, last


def _boundary(entry: bytes) -> int:
    """Where to cut at most LONGEST bytes off so that a character of UTF-8 stays whole."""
    end = LONGEST
    while end > LONGEST - 4 and 0x80 <= entry[end] < 0xC0:
        end -= 1
    return end if not 0x80 <= entry[end] < 0xC0 else LONGEST


def encode(entry: bytes, stream: str, stamp: str) -> str:
    """One line of the file. Bytes that are no UTF-8 become the replacement character."""
    return f'{{"log":{quote(entry.decode("utf-8", "replace"))},"stream":"{stream}","time":"{stamp}"}}\n'


class Clock:
    """Time stamps of RFC 3339 with nanoseconds in UTC; the part up to seconds is kept for the next."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def stamp(self, nanoseconds: int) -> str:
        """`2024-05-01T12:00:00.123456789Z`."""
        second, fraction = divmod(nanoseconds, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{fraction:09d}Z"


class LogFile:
    """The files of one log.

    Args:
        path: of the newest file; older ones are path.1, path.2 …
        limit: bytes of one file, -1 for no limit.
        files: how many there may be.
    """

    __slots__ = ("_clock", "_descriptor", "_files", "_limit", "_lines", "_path", "_size")

    def __init__(self, path: str, limit: int, files: int) -> None:
        self._path = path
        self._limit = limit
        self._files = files
        self._clock = Clock()
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        self._descriptor = -1
        self._size = 0
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Log what arrived on a stream."""
        entries = self._lines[stream].feed(data)
        if entries:
            self._append(stream, entries)

    def end(self) -> None:
        """Log what has no newline at its end: the streams have ended."""
        for stream, lines in self._lines.items():
            if entries := lines.end():
                self._append(stream, entries)

    def close(self) -> None:
        """Close the file."""
        self.end()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, stream: str, entries: list[bytes]) -> None:
        stamp = self._clock.stamp(time.time_ns())
        lines: list[bytes] = []
        size = 0
        for entry in entries:
            if 0 < self._limit <= self._size + size:
                self._put(lines)
                self._rotate()
                lines, size = [], 0
            lines.append(encode(entry, stream, stamp).encode("utf-8", "replace"))
            size += len(lines[-1])
        self._put(lines)

    def _put(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        self._size += len(data)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            pass  # the disk is full: the container goes on, and so does the log when there is space again

    def _rotate(self) -> None:
        """Move every file one number up; the oldest falls off."""
        try:
            for number in range(self._files - 1, 0, -1):
                older = self._path if number == 1 else f"{self._path}.{number - 1}"
                try:
                    os.rename(older, f"{self._path}.{number}")
                except FileNotFoundError:
                    continue
            if self._files == 1:
                os.unlink(self._path)
            os.close(self._descriptor)
            self._open()
        except OSError:
            self._size = 0  # try again after as much as would have filled one more


def log_limits(options: Mapping[str, str]) -> tuple[int, int]:
    """Size of one file in bytes and number of files; 10 MB and 3 where nothing is said, so that no log fills a disk.

    Raises:
        InvalidOption: a value that is none.
    """
    size, files = options.get("max-size", "10m"), options.get("max-file", "3")
    count = int(files) if files.isascii() and files.isdigit() and len(files) < 6 else 0
    if count < 1:
        raise InvalidOption("--log-opt", f"max-file={files}", "it must be a number from 1")
    if size == "-1":
        return -1, count
    number, unit = size.lower().rstrip("bkmgi"), size.lower().lstrip("0123456789")
    factor = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(unit if unit == "b" else unit.rstrip("bi"))
    if not number.isdigit() or factor is None or int(number) == 0 or len(number) > 12:
        raise InvalidOption("--log-opt", f"max-size={size}", "it must be an amount such as 10m")
    return int(number) * factor, count


def files_of(path: str) -> list[str]:
    """The files that a log has now, the newest first."""
    found = [path] if os.path.exists(path) else []
    number = 1
    while os.path.exists(f"{path}.{number}"):
        found.append(f"{path}.{number}")
        number += 1
    return found
