"""Reading a container's log: the last lines, a span of time, and on as it grows until the container ends.

Entries come in the order in which they were written. A line that was cut by a death or a full disk is passed over. The
form of the files is said in `jsonlog`, which writes them.
"""

from __future__ import annotations

import os
import select
import time

from hardtack import jsontext
from hardtack.container import states
from hardtack.container.errors import Unsupported
from hardtack.container.row import Paths, get
from hardtack.oci.moment import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Iterator
    from typing import Any

    from hardtack.container.row import Container
    from hardtack.linux.inotify import Inotify
    from hardtack.store.root import Root

_BLOCK = 1 << 16
_LONGEST_LINE = 1 << 20
_NO_LINE = b"\0"
"""Stands for a beginning that is longer than any line of ours; whatever follows, it is passed over."""
_GLANCE = 1.0
"""Seconds between looks at the row where nobody tells that the container has ended."""
_LAST_WORDS = 2.0


class Entry:
    """One entry of a log.

    Attributes:
        data: what was written, usually a line with its newline.
        stream: stdout or stderr.
        stamp: when, RFC 3339 with nine digits of the second.
        details: attributes by name, as --log-opt labels and env give them.
    """

    __slots__ = ("data", "details", "stamp", "stream")

    def __init__(self, value: dict[str, Any]) -> None:
        self.data = value["log"].encode("utf-8", "surrogatepass")
        self.stream: str = value["stream"]
        self.stamp: str = value["time"]
        self.details: dict[str, str] = value.get("attrs") or {}


class Span:
    """Which entries are wanted; moments in seconds since 1970, 0 for no bound."""

    __slots__ = ("since", "until")

    def __init__(self, since: float = 0.0, until: float = 0.0) -> None:
        self.since = since
        self.until = until

    def place(self, entry: Entry) -> int:
        """-1 before the span, 0 in it, 1 after it."""
        if not self.since and not self.until:
            return 0
        try:
            moment = parse_time(entry.stamp)
        except ValueError:
            return 0
        if self.since and moment < self.since:
            return -1
        return 1 if self.until and moment > self.until else 0


def read(root: Root, container: Container, span: Span, tail: int = -1, follow: bool = False) -> Iterator[list[Entry]]:
    """Read a container's log.

    Args:
        tail: how many entries from the end to begin with, -1 for all.
        follow: go on until the container has ended; otherwise stop at what there is now.
    Returns:
        Entries, as many at once as were there together.
    Raises:
        Unsupported: the container keeps no log.
    """
    if (container.host_config.get("LogConfig") or {}).get("Type") == "none":
        raise Unsupported("logs", f"container {container.name or container.id[:12]} runs with --log-driver none")
    path = Paths(root, container.id).log
    reader = _Reader(path)
    try:
        reader.begin(tail)
        if not follow:
            yield from reader.entries(span)
        else:
            yield from _follow(root, container, reader, span)
    finally:
        reader.close()


def parse_moment(text: str, now: float | None = None) -> float:
    """Read a value of --since or --until: a time, seconds since 1970, or how long ago.

    Args:
        text: "2024-05-01T12:00:00Z", also without seconds, offset or time of day (then on this host's clock),
            "1714564800.5", "10m".
    Raises:
        ValueError: none of these.
    Source: docker's `logs` reference; moby, api/types/time.
    """
    stripped = text.strip()
    if stripped and not stripped.strip("0123456789.") and stripped.count(".") < 2:
        return float(stripped)
    if "-" in stripped[1:] and stripped[:4].isdigit():
        return _calendar(stripped)
    span = _duration(stripped)
    return max(0.001, (time.time() if now is None else now) - span)


class _Reader:
    """The files of one log as one stream of lines, from a place on. One file is open at a time.

    Attributes:
        over: the wanted span of time lies behind.
    """

    __slots__ = ("_descriptor", "_path", "_pending", "_rest", "over")

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._rest = b""
        self._pending: list[_Place] = []  # files that are still to be read, the next one last
        self.over = False

    def begin(self, tail: int) -> None:
        """Go to the entry that is `tail` from the end, or to the first."""
        start, wanted = 0, tail
        for place in _places(self._path, None):
            self._pending.append(place)
            if tail >= 0:
                descriptor = place.open(self._path)
                if descriptor >= 0:
                    start, found = _from_end(descriptor, wanted)
                    wanted -= found
                    os.close(descriptor)
                if wanted <= 0:
                    break
        if self._next() and tail >= 0:
            os.lseek(self._descriptor, start, os.SEEK_SET)

    def entries(self, span: Span) -> Iterator[list[Entry]]:
        """Everything up to the present end."""
        while self._descriptor >= 0:
            data = os.read(self._descriptor, _BLOCK)
            if not data:
                if not self._next():
                    return
                continue
            found, self.over = _select(self._lines(data), span)
            if found:
                yield found
            if self.over:
                return

    def caught_up(self) -> bool:
        """Whether no other file has taken the place of ours. Otherwise `entries` goes on: with what was still written
        to ours, then with those that came after it.
        """
        ours = None if self._descriptor < 0 else os.fstat(self._descriptor)
        self._pending = _places(self._path, ours)
        if self._descriptor < 0:
            return not self._next()
        return not self._pending

    def close(self) -> None:
        """Close what is open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _next(self) -> bool:
        """Turn to the next file; at the newest stay."""
        while self._pending:
            descriptor = self._pending.pop().open(self._path)
            if descriptor >= 0:
                self.close()
                self._descriptor = descriptor
                self._rest = b""
                return True
        return False

    def _lines(self, data: bytes) -> list[bytes]:
        lines = (self._rest + data).split(b"\n")
        rest = lines.pop()
        self._rest = rest if len(rest) <= _LONGEST_LINE else _NO_LINE
        return lines


class _Place:
    """Where a file of a log was seen: as which inode, under which number. Rotation only makes the number larger."""

    __slots__ = ("_inode", "_number")

    def __init__(self, inode: tuple[int, int], number: int) -> None:
        self._inode = inode
        self._number = number

    def open(self, path: str) -> int:
        """A descriptor of that very file, -1 when it was rotated away."""
        number = self._number
        while True:
            try:
                descriptor = os.open(_numbered(path, number), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                if number > self._number:
                    return -1
            else:
                status = os.fstat(descriptor)
                if (status.st_dev, status.st_ino) == self._inode:
                    return descriptor
                os.close(descriptor)
            number += 1


def _places(path: str, known: os.stat_result | None) -> list[_Place]:
    """The files of a log, the newest first, up to a known one. Files may be rotated while we look."""
    found: list[_Place] = []
    seen: set[tuple[int, int]] = set()
    number = 0
    while True:
        try:
            status = os.stat(_numbered(path, number))
        except FileNotFoundError:
            if number > 0:
                return found
        else:
            inode = (status.st_dev, status.st_ino)
            if known is not None and inode == (known.st_dev, known.st_ino):
                return found
            if inode not in seen:
                seen.add(inode)
                found.append(_Place(inode, number))
        number += 1


def _numbered(path: str, number: int) -> str:
    return f"{path}.{number}" if number else path


def _select(lines: list[bytes], span: Span) -> tuple[list[Entry], bool]:
    """The entries of a span, and whether the span is over."""
    found: list[Entry] = []
    for line in lines:
        try:
            entry = Entry(jsontext.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):  # cut by a death or a full disk
            continue
        place = span.place(entry)
        if place > 0:
            return found, True
        if place == 0:
            found.append(entry)
    return found, False


def _from_end(descriptor: int, wanted: int) -> tuple[int, int]:
    """Where the last `wanted` lines of a file begin, and how many there are. What has no newline yet is no line."""
    position = end = os.fstat(descriptor).st_size
    lines = -1  # the first newline from the end closes the last line, it does not begin one
    while position > 0 and wanted > 0:
        size = min(_BLOCK, position)
        position -= size
        block = os.pread(descriptor, size, position)
        cut = len(block)
        while (cut := block.rfind(b"\n", 0, cut)) >= 0:
            lines += 1
            if lines == wanted:
                return position + cut + 1, lines
    return (0, lines + 1) if wanted > 0 else (end, 0)


def _follow(root: Root, container: Container, reader: _Reader, span: Span) -> Iterator[list[Entry]]:
    """Entries as they come. Whoever writes the log tells that the container has ended; else its row does."""
    from hardtack.linux.inotify import CREATE, MODIFY, MOVED_TO, Inotify

    watch = Inotify()
    end = _End(root, container)
    try:
        directory = Paths(root, container.id).durable
        os.makedirs(directory, mode=0o711, exist_ok=True)
        watch.watch(directory, MODIFY | MOVED_TO | CREATE)
        while True:
            over = end.reached()
            watch.clear()
            yield from reader.entries(span)
            if not reader.over and not reader.caught_up():
                continue
            if over or reader.over or (span.until and time.time() > span.until):
                return
            end.wait(watch, span.until)
    finally:
        end.close()
        watch.close()


class _End:
    """Knows whether a container can still write: its monitor closes the connection when the log is complete."""

    __slots__ = ("_connection", "_deadline", "_id", "_root")

    def __init__(self, root: Root, container: Container) -> None:
        self._root = root
        self._id = container.id
        self._connection: socket | None = None
        self._deadline = 0.0
        if container.state in states.ALIVE and container.claimed():
            from hardtack.container.client import attach
            from hardtack.container.errors import MonitorLost

            try:
                self._connection = attach(Paths(root, container.id).run, container.id, frozenset())[0]
            except MonitorLost:
                return
            self._connection.setblocking(False)

    def reached(self) -> bool:
        """Whether nothing more will be written."""
        if self._connection is not None:
            try:
                while self._connection.recv(_BLOCK):
                    self._deadline = self._deadline or time.monotonic() + _LAST_WORDS
            except BlockingIOError:
                return bool(self._deadline) and time.monotonic() > self._deadline
            except OSError:
                pass
            self._connection.close()
            self._connection = None
        found = get(self._root.db, self._id)
        return found is None or found.state not in states.ALIVE

    def wait(self, watch: Inotify, until: float) -> None:
        """Sleep until something happens, or it is time for a look."""
        poll = select.poll()
        poll.register(watch.fileno(), select.POLLIN)
        timeout = None if self._connection is not None and not self._deadline else _GLANCE
        if self._connection is not None:
            poll.register(self._connection, select.POLLIN)
        if until:
            timeout = min(timeout or _GLANCE, max(0.0, until - time.time()) + 0.001)
        poll.poll(None if timeout is None else timeout * 1000)

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()


def _calendar(text: str) -> float:
    """A time of day, a day, with an offset or on this host's clock."""
    date, separator, clock = text.replace(" ", "T").partition("T")
    offset = ""
    for sign in ("Z", "z", "+", "-"):
        if sign in clock:
            cut = clock.index(sign)
            clock, offset = clock[:cut], clock[cut:]
            break
    if separator and clock.count(":") == 1:
        clock += ":00"
    if separator and ":" not in clock:
        clock += ":00:00"
    whole = f"{date}T{clock if separator else '00:00:00'}"
    moment = parse_time(whole + (offset or "Z"))
    if offset:
        return moment
    parts = time.gmtime(int(moment))
    return time.mktime((*parts[:6], 0, 0, -1)) + moment % 1


def _duration(text: str) -> float:
    """A span of Go's form: 1h30m, 90s, 500ms."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
    total, rest = 0.0, text
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("".join(units)))]
        rest = rest[len(unit) :]
        if not number.replace(".", "", 1).isdigit() or unit not in units or len(text) > 60:
            raise ValueError("neither a time nor a duration such as 10m")
        total += float(number) * units[unit]
    if not text:
        raise ValueError("nothing is given")
    return total
