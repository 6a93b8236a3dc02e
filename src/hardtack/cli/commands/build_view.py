"""A build as people watch it: lines like docker's in a pipe, a moving picture on a terminal, the failure in full.

Calls come from several threads. What a command prints is cut into lines here and shown without control characters
that could move the cursor.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from hardtack.build.report import CACHED, FAILED, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.streams import Streams

_EVERY = 0.08
_LOG_LINES = 5  # of a running step, on a terminal
_MAX_LINE = 8192


class View(Watcher):
    """A watcher with a `with` block; this one shows nothing."""

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Show what is left; nothing moves afterwards."""


def watcher_for(kind: str, streams: Streams) -> View:
    """The view that fits.

    Args:
        kind: auto, plain, tty or quiet.
    """
    if kind == "quiet":
        return View()
    if kind == "tty" or (kind == "auto" and streams.err_is_terminal):
        return Picture(streams)
    return Plain(streams)


class _Lines:
    """Cuts pieces of output into lines; a carriage return begins a line again."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> list[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [clean_line(line) for line in lines]

    def end(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [clean_line(rest)] if rest else []


def clean_line(line: bytes) -> str:
    """A line of somebody's output: what a carriage return overwrote is gone, control characters too."""
    text = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c for c in text.expandtabs() if c.isprintable())


class Plain(View):
    """One line per event, each with its step's number, as docker's plain progress."""

    def __init__(self, streams: Streams) -> None:
        self._file = streams.err
        self._lock = allocate_lock()
        self._lines: dict[int, _Lines] = {}
        self._begun: dict[int, float] = {}
        self._last = 0

    def begin(self, number: int, name: str) -> None:
        with self._lock:
            self._lines[number] = _Lines()
            self._begun[number] = time.monotonic()
            self._write(number, name)

    def say(self, number: int, line: str) -> None:
        with self._lock:
            self._write(number, line)

    def output(self, number: int, data: bytes) -> None:
        with self._lock:
            self._print(number, self._lines[number].cut(data))

    def end(self, number: int, outcome: str, seconds: float) -> None:
        with self._lock:
            self._print(number, self._lines[number].end())
            self._write(number, outcome if outcome == CACHED else f"{outcome} {seconds:.1f}s")

    def warn(self, line: str) -> None:
        with self._lock:
            self._file.write(f"{line}\n")
            self._file.flush()

    def _print(self, number: int, lines: list[str]) -> None:
        since = time.monotonic() - self._begun[number]
        for line in lines:
            self._write(number, f"{since:.3f} {line}")

    def _write(self, number: int, line: str) -> None:
        gap = "\n" if self._last not in (0, number) else ""
        self._last = number
        self._file.write(f"{gap}#{number} {line}\n")
        self._file.flush()


class _Step:
    __slots__ = ("begun", "lines", "log", "name", "outcome", "said", "seconds")

    def __init__(self, name: str) -> None:
        self.name = name
        self.begun = time.monotonic()
        self.lines = _Lines()
        self.log: list[str] = []
        self.said: list[str] = []
        self.outcome = ""
        self.seconds = 0.0


class Picture(View):
    """Finished steps stand, with what the builder said of them (the image's id, its names) and without their output;
    those at work move below them with the last lines of both."""

    def __init__(self, streams: Streams) -> None:
        self._file = streams.err
        self._lock = allocate_lock()
        self._steps: dict[int, _Step] = {}
        self._height = 0
        self._next = 0.0

    def begin(self, number: int, name: str) -> None:
        with self._lock:
            self._steps[number] = _Step(name)
            self._draw()

    def output(self, number: int, data: bytes) -> None:
        with self._lock:
            step = self._steps[number]
            step.log = [*step.log, *step.lines.cut(data)][-_LOG_LINES:]
            self._draw()

    def say(self, number: int, line: str) -> None:
        with self._lock:
            step = self._steps[number]
            step.log = [*step.log, line][-_LOG_LINES:]
            step.said.append(line)
            self._draw()

    def end(self, number: int, outcome: str, seconds: float) -> None:
        with self._lock:
            step = self._steps[number]
            step.outcome, step.seconds = outcome, seconds
            self._draw(force=True)

    def warn(self, line: str) -> None:
        with self._lock:
            self._draw(force=True, above=line)

    def close(self) -> None:
        with self._lock:
            for step in self._steps.values():
                step.outcome = step.outcome or "CANCELED"
            self._draw(force=True)
            self._steps.clear()
            self._height = 0

    def _draw(self, force: bool = False, above: str = "") -> None:
        now = time.monotonic()
        if not force and now < self._next:
            return
        self._next = now + _EVERY
        columns, rows = self._size()
        standing = [step for step in self._steps.values() if step.outcome]
        self._steps = {number: step for number, step in self._steps.items() if not step.outcome}
        still = [above[: columns - 1]] if above else []
        for step in standing:
            still.append(step_line(step.name, step.outcome, step.seconds, columns))
            still += [f" => => {line}" for line in step.said]  # whole: nothing goes back over a line that stands
        moving: list[str] = []
        for step in self._steps.values():
            moving.append(step_line(step.name, "", now - step.begun, columns))
            moving += [f" => => {line}"[: columns - 1] for line in step.log if line.strip()]
        moving = moving[-max(1, rows - 2) :]
        back = f"\x1b[{self._height}A\r" if self._height else ""
        body = "".join(f"\x1b[2K{line}\n" for line in (*still, *moving))
        self._file.write(f"{back}{body}\x1b[J")
        self._file.flush()
        self._height = len(moving)

    def _size(self) -> tuple[int, int]:
        try:
            found = os.get_terminal_size(self._file.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(20, found.columns or 80), max(4, found.lines or 24)


def step_line(name: str, outcome: str, seconds: float, columns: int) -> str:
    """A step on one line of a terminal: ` => CACHED [2/4] RUN make        1.2s`, cut where it does not fit."""
    mark = f"{outcome} " if outcome in (CACHED, FAILED, "CANCELED") else ""
    tail = f" {seconds:.1f}s"
    head = f" => {mark}{name}"
    room = columns - 1 - len(tail)
    return (head if len(head) <= room else head[: room - 1] + "…").ljust(room) + tail


def explain(error: BaseException, streams: Streams) -> None:
    """Show where a build failed: what the step printed last, and its lines in the Dockerfile."""
    excerpt = getattr(error, "excerpt", "")
    if not excerpt:
        return
    text = "------\n"
    output = getattr(error, "output", None)
    if output is not None:
        lines = "".join(clean_line(line.encode("utf-8", "replace")) + "\n" for line in output)
        text += f" > {getattr(error, 'name', '')}:\n{lines}------\n"
    text += f"{getattr(error, 'place', '')}\n{excerpt}\n"
    streams.err.write(text)
    streams.err.flush()
