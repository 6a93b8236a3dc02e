"""The access log: a line of JSON per request, written from a thread so that a slow disk or reader stops no request.

Lines wait for a moment and go out together. Every process has the file open for appending, so that lines of several
workers do not mix; what cannot be written is lost and counted, since serving matters more.
"""

from __future__ import annotations

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import msgspec

from hardtack.registry.errors import CannotServe
from hardtack.registry.metrics import Count

if TYPE_CHECKING:
    from hardtack.registry.metrics import Metrics

_MOMENT = 0.1
_WAITING_LIMIT = 4 << 20
_AT_ONCE = 4096  # PIPE_BUF: so much is written to a pipe without another process's bytes in between
_PATH, _AGENT = 512, 200
# What may be seen of a query; anything else may be a secret.
_SHOWN = frozenset(
    (
        "n",
        "last",
        "digest",
        "mount",
        "from",
        "tag",
        "ns",
        "artifactType",
        "digest-algorithm",
        "service",
        "scope",
        "page",
    )
)


class Line(msgspec.Struct):
    """What is said of a request.

    Attributes:
        who: the caller's name; "" for nobody in particular.
        path: of the request and what may be seen of its query.
        received: bytes of the body.
        sent: bytes of the answer.
        ms: from the head of the request to the last byte of the answer.
    """

    time: str
    address: str
    who: str
    method: str
    path: str
    status: int
    received: int
    sent: int
    ms: float
    agent: str
    id: str


def line(
    moment: float,
    address: str,
    who: str,
    request: tuple[str, str],
    status: int,
    traffic: tuple[int, int],
    seconds: float,
    agent: str,
    number: str,
) -> bytes:
    """One line, with its end.

    Args:
        moment: seconds since 1970.
        request: method and target, as they were sent.
        traffic: bytes received and sent.
    """
    stamp = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    method, target = request
    said = Line(
        stamp,
        address,
        clean(who, _AGENT),
        clean(method, 20),
        shown(target),
        status,
        *traffic,
        round(seconds * 1000, 3),
        clean(agent, _AGENT),
        number,
    )
    return msgspec.json.encode(said) + b"\n"


def shown(target: str) -> str:
    """The target of a request without what may be a secret."""
    path, mark, query = target.partition("?")
    if mark:
        pairs = parse_qsl(query[: 2 * _PATH], keep_blank_values=True)
        path += "?" + urlencode([(key, value if key in _SHOWN else "***") for key, value in pairs], safe="*:/,@+")
    return clean(path, _PATH)


def clean(text: str, limit: int) -> str:
    """Text without anything that could move a cursor or begin a line."""
    text = text[:limit]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[: 2 * limit]


class AccessLog:
    """A file or a pipe for lines; belongs to one event loop.

    Args:
        target: "stderr" or a path.
    Raises:
        CannotServe: it cannot be opened.
    """

    def __init__(self, target: str, metrics: Metrics) -> None:
        self._metrics = metrics
        self._descriptor = 2 if target == "stderr" else _open(target)
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._lines: list[bytes] = []
        self._size = 0
        self._thread = ThreadPoolExecutor(1, "access-log")
        self._writing: asyncio.Future[int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def write(self, text: bytes) -> None:
        """Have a line written soon."""
        if self._size > _WAITING_LIMIT:
            self._metrics.add(Count.LINES_LOST)
            return
        self._lines.append(text)
        self._size += len(text)
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(_MOMENT, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if not self._lines:
            return
        lines, self._lines, self._size = self._lines, [], 0
        self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._put, lines)
        self._writing.add_done_callback(self._written)

    def _written(self, future: asyncio.Future[int]) -> None:
        self._writing = None
        if lost := future.result():
            self._metrics.add(Count.LINES_LOST, lost)
        if self._lines:
            self._flush()

    def _put(self, lines: list[bytes]) -> int:
        """Write lines; returns how many could not be."""
        done = 0
        try:
            for together in _portions(lines, 1 << 20 if self._is_file else _AT_ONCE):
                rest = memoryview(b"".join(together))
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                done += len(together)
        except OSError:
            return len(lines) - done
        return 0

    async def close(self) -> None:
        """Write what waits, for a second at most, and let go."""
        end = asyncio.get_running_loop().time() + 1.0
        while (self._lines or self._writing) and asyncio.get_running_loop().time() < end:
            if self._writing is None:
                self._flush()
            await asyncio.sleep(0.01)
        if self._timer is not None:
            self._timer.cancel()
        stuck = self._writing is not None
        self._thread.shutdown(wait=not stuck, cancel_futures=True)
        if self._descriptor != 2 and not stuck:
            os.close(self._descriptor)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotServe(f"cannot write the access log to {path}: {why}") from error


def _portions(lines: list[bytes], limit: int) -> list[list[bytes]]:
    portions: list[list[bytes]] = []
    size = limit
    for text in lines:
        if size + len(text) > limit:
            portions.append([])
            size = 0
        portions[-1].append(text)
        size += len(text)
    return portions
