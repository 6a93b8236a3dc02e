"""What every process counts: a row of numbers each, in memory that all of them share.

A worker writes to its own row only, so nothing is locked and counting costs a fraction of a microsecond; whoever is
asked adds the rows up. A row outlives the process that had it and goes on with its successor, so sums never fall.
Everything that can be told apart is in the tables below: no name or address from outside ever makes a new number.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other")
KINDS = (
    *("base", "catalog", "tags", "manifest", "blob", "uploads", "upload", "referrers"),
    *("token", "api", "page", "probe", "none"),
)
"""What requests are about: the API's nouns (`api.path.Kind`), then the server's other addresses."""

STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308),
    *(400, 401, 403, 404, 405, 409, 411, 412, 413, 415, 416, 421, 422, 429, 499, 500, 501, 502, 503, 504, 507),
    0,
)
"""0 stands for all others."""

BUCKETS = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
"""Upper ends of the classes of the histogram of durations, in seconds."""


class Count(Enum):
    """Things that happen."""

    COLLECTIONS = "collections", "Rounds of the collector"
    COLLECTED_BLOBS = "collected_blobs", "Blobs that the collector removed"
    COLLECTED_BYTES = "collected_bytes", "Bytes of the blobs that the collector removed"
    SCRUBBED_BLOBS = "scrubbed_blobs", "Blobs that were read again and verified"
    SCRUBBED_BYTES = "scrubbed_bytes", "Bytes of blobs and manifests that were read again and verified"
    DAMAGED = "damaged", "Blobs and manifests that were found to be gone or wrong by verification"
    UPSTREAM_HITS = "upstream_hits", "Requests under an upstream's prefix that were answered from here"
    UPSTREAM_MISSES = "upstream_misses", "Requests under an upstream's prefix for which it was asked"
    UPSTREAM_STALE = "upstream_stale", "Requests answered from here since the upstream could not be asked"
    UPSTREAM_ERRORS = "upstream_errors", "Requests that failed since the upstream could not be asked"
    LOGINS_FAILED = "logins_failed", "Requests whose password or token was wrong or no longer good"
    WEBHOOKS_DELIVERED = "webhooks_delivered", "Webhooks that were delivered"
    WEBHOOKS_FAILED = "webhooks_failed", "Attempts to deliver a webhook that failed"
    CONNECTIONS = "connections", "Connections that were made"
    CONNECTIONS_REFUSED = "connections_refused", "Connections that were one too many"
    CONNECTIONS_CUT = "connections_cut", "Connections whose client was too slow"
    FAULTS = "faults", "Requests that failed by a fault of the registry"
    LINES_LOST = "access_log_lines_lost", "Lines of the access log that could not be written"


class Level(Enum):
    """Things that are so many at a moment."""

    CONNECTIONS = "connections_open", "Connections that are open"
    REQUESTS = "requests_in_progress", "Requests that are being answered"


_COUNTS = {count: place for place, count in enumerate(Count)}
_LEVELS = {level: place for place, level in enumerate(Level, len(_COUNTS))}
_BEAT = len(_COUNTS) + len(_LEVELS)
_KIND = {kind: place for place, kind in enumerate(KINDS)}
_METHOD = {method: place for place, method in enumerate(METHODS)}
_STATUS = {status: place for place, status in enumerate(STATUSES)}
_REQUESTS = _BEAT + 1
_PER_METHOD = len(STATUSES)
_PER_KIND = len(METHODS) * _PER_METHOD
_TIMES = _REQUESTS + len(KINDS) * _PER_KIND
_CLASSES = len(BUCKETS) + 1
_PER_TIME = _CLASSES + 3  # and the sum of microseconds, bytes received, bytes sent
_CELLS = _TIMES + len(KINDS) * _PER_TIME
_CELL = 8


@lru_cache(maxsize=4096)
def _places(method: str, kind: str, status: int) -> tuple[int, int]:
    """Where a request is counted, and where its times begin."""
    place = _KIND.get(kind, len(KINDS) - 1)
    of_method = _METHOD.get(method, len(METHODS) - 1) * _PER_METHOD
    of_status = _STATUS.get(status, _PER_METHOD - 1)
    return _REQUESTS + place * _PER_KIND + of_method + of_status, _TIMES + place * _PER_TIME


class Metrics:
    """One process's row.

    Args:
        cells: numbers to count in; without any, this process counts for itself.
        board: all rows, to be summed up.
    """

    def __init__(self, cells: memoryview | None = None, board: Board | None = None) -> None:
        self._cells = memoryview(bytearray(_CELLS * _CELL)).cast("q") if cells is None else cells
        self._board = board

    def add(self, count: Count, amount: int = 1) -> None:
        """Something has happened."""
        self._cells[_COUNTS[count]] += amount

    def note(self, level: Level, number: int) -> None:
        """There are so many of something in this process now."""
        self._cells[_LEVELS[level]] = number

    def request(self, method: str, kind: str, status: int, seconds: float, received: int, sent: int) -> None:
        """A request was answered."""
        cells = self._cells
        request, times = _places(method, kind, status)
        cells[request] += 1
        cells[times + bisect_left(BUCKETS, seconds)] += 1
        times += _CLASSES
        cells[times] += int(seconds * 1e6)
        if received:
            cells[times + 1] += received
        cells[times + 2] += sent

    def beat(self, moment: float) -> None:
        """Say that this process is alive."""
        self._cells[_BEAT] = int(moment)

    def beaten(self) -> int:
        """When it last said so."""
        return self._cells[_BEAT]

    def calm(self) -> None:
        """Forget what was so many at a moment: the process that had the row has ended."""
        for place in _LEVELS.values():
            self._cells[place] = 0

    def totals(self) -> Totals:
        """The sums over all processes, now."""
        rows = self._board.used() if self._board is not None else [self._cells]
        return Totals([sum(column) for column in zip(*rows, strict=True)])


class Board:
    """Rows in shared memory; made by the parent before it forks.

    Args:
        rows: at most so many processes at a time.
    """

    def __init__(self, rows: int = 1024) -> None:
        self._memory = mmap.mmap(-1, rows * _CELLS * _CELL)
        self._cells = memoryview(self._memory).cast("q")
        self._rows = rows
        self._taken: set[int] = set()

    def take(self) -> int | None:
        """The number of a row that nobody has; None when there is no more."""
        number = next((number for number in range(self._rows) if number not in self._taken), None)
        if number is not None:
            self._taken.add(number)
            self.row(number).beat(1)  # marks it as used, for ever
        return number

    def give_back(self, number: int) -> None:
        """Its process has ended; what it counted stays."""
        self.row(number).calm()
        self._taken.discard(number)

    def row(self, number: int) -> Metrics:
        """What a process counts in."""
        return Metrics(self._slice(number), self)

    def used(self) -> list[memoryview]:
        """Every row that was ever taken."""
        rows = []
        for number in range(self._rows):
            row = self._slice(number)
            if not row[_BEAT]:
                break  # rows are taken from the first on
            rows.append(row)
        return rows

    def _slice(self, number: int) -> memoryview:
        return self._cells[number * _CELLS : (number + 1) * _CELLS]


class Totals:
    """Sums, by what they are of."""

    def __init__(self, cells: list[int]) -> None:
        self._cells = cells

    def count(self, count: Count) -> int:
        """How often something has happened."""
        return self._cells[_COUNTS[count]]

    def level(self, level: Level) -> int:
        """How many there are of something."""
        return self._cells[_LEVELS[level]]

    def requests(self) -> Iterator[tuple[str, str, int, int]]:
        """Method, kind, status and number of requests, where there were any."""
        place = _REQUESTS
        for kind in KINDS:
            for method in METHODS:
                for status in STATUSES:
                    if self._cells[place]:
                        yield method, kind, status, self._cells[place]
                    place += 1

    def durations(self) -> Iterator[tuple[str, list[int], float]]:
        """Kind, requests per class, and the sum of their seconds, where there were any."""
        for kind, cells in self._times():
            if any(cells):
                yield kind, cells[:_CLASSES], cells[_CLASSES] / 1e6

    def traffic(self) -> Iterator[tuple[str, int, int]]:
        """Kind, bytes of bodies received and sent, where there were any."""
        for kind, cells in self._times():
            if any(cells):
                yield kind, cells[_CLASSES + 1], cells[_CLASSES + 2]

    def _times(self) -> Iterator[tuple[str, list[int]]]:
        for place, kind in enumerate(KINDS):
            start = _TIMES + place * _PER_TIME
            yield kind, self._cells[start : start + _PER_TIME]
