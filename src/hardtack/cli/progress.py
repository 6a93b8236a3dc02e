"""What a long operation does, drawn: a line per item that is rewritten on a terminal, plain lines elsewhere.

Calls come from several threads. Drawing is throttled, never wider than the terminal and never higher: when there are
more items than lines, finished ones leave the picture first. The library knows only `hardtack.progress.Progress`.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from hardtack.cli.units import size
from hardtack.progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.streams import Streams

_EVERY = 0.08  # seconds between two pictures: smooth to the eye, nothing to the processor
_BAR = 30
_UP = "\x1b[{}A"
_CLEAR_LINE = "\x1b[2K"
_CLEAR_BELOW = "\x1b[J"


class Drawing(Progress):
    """A listener with a `with` block, which leaves the last picture standing; this one draws nothing."""

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Draw the last picture and forget it, so that what is printed next comes below."""


def for_streams(streams: Streams, quiet: bool = False, to_errors: bool = False) -> Drawing:
    """The drawing that fits: bars on a terminal, lines in a pipe, nothing when quiet.

        with for_streams(streams, quiet=args.quiet) as progress:
            pull(root, reference, progress=progress)

    Args:
        streams: the command's.
        quiet: whether the user wants to see only the result.
        to_errors: draw on standard error, where the output is data.
    """
    if quiet:
        return Drawing()
    if streams.err_is_terminal if to_errors else streams.out_is_terminal:
        return Bars(streams, to_errors)
    return Lines(streams, to_errors)


class Lines(Drawing):
    """Plain lines, one when an item reaches its last word: for pipes, logs and CI."""

    def __init__(self, streams: Streams, to_errors: bool = False) -> None:
        self._file = streams.err if to_errors else streams.out
        self._lock = allocate_lock()
        self._phases: dict[str, str] = {}

    def begin(self, item: str, label: str, total: int | None = None) -> None:  # noqa: ARG002
        with self._lock:
            if self._phases.get(item) != label:
                self._phases[item] = label
                self._write(f"{short(item)}: {label}")

    def finish(self, item: str, label: str) -> None:
        with self._lock:
            self._phases.pop(item, None)
            self._write(f"{short(item)}: {label}")

    def say(self, line: str) -> None:
        with self._lock:
            self._write(line)

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()


class _Item:
    __slots__ = ("done", "finished", "label", "total")

    def __init__(self, label: str, total: int | None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.finished = False


class Bars(Drawing):
    """A picture that moves; the lines said stay above it."""

    def __init__(self, streams: Streams, to_errors: bool = False) -> None:
        self._file = streams.err if to_errors else streams.out
        self._lock = allocate_lock()
        self._items: dict[str, _Item] = {}
        self._drawn: list[int] = []  # lengths of the lines that stand on the screen
        self._next = 0.0

    def begin(self, item: str, label: str, total: int | None = None) -> None:
        with self._lock:
            self._items[item] = _Item(label, total)
            self._draw()

    def advance(self, item: str, amount: int) -> None:
        with self._lock:
            known = self._items.get(item)
            if known is not None:
                known.done += amount
                self._draw()

    def finish(self, item: str, label: str) -> None:
        with self._lock:
            known = self._items.setdefault(item, _Item(label, None))
            known.label, known.finished = label, True
            self._draw(force=True)

    def say(self, line: str) -> None:
        with self._lock:
            self._draw(force=True, above=line)

    def close(self) -> None:
        with self._lock:
            if self._items:
                self._draw(force=True)
            self._items.clear()
            self._drawn = []

    def _draw(self, force: bool = False, above: str = "") -> None:
        now = time.monotonic()
        if not force and now < self._next:
            return
        self._next = now + _EVERY
        columns, rows = self._terminal()
        lines = picture(self._items, columns, rows)
        out = self._back(columns)
        if above:
            out += above + _CLEAR_BELOW + "\n"
        out += "".join(f"{_CLEAR_LINE}{line}\n" for line in lines) + _CLEAR_BELOW
        self._file.write(out)
        self._file.flush()
        self._drawn = [len(line) for line in lines]

    def _back(self, columns: int) -> str:
        if not self._drawn:
            return ""
        # A terminal that became narrower has wrapped what stood there: a line may fill several rows now.
        height = sum(max(1, -(-length // columns)) for length in self._drawn)
        return _UP.format(height) + "\r"

    def _terminal(self) -> tuple[int, int]:
        try:
            found = os.get_terminal_size(self._file.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(20, found.columns or 80), max(4, found.lines or 24)


def picture(items: dict[str, _Item], columns: int, rows: int) -> list[str]:
    """The lines to show: at most `rows - 2` of them, each shorter than the terminal is wide."""
    room = max(1, rows - 2)
    shown = list(items.items())
    if len(shown) > room:
        active = [pair for pair in shown if not pair[1].finished]
        finished = [pair for pair in shown if pair[1].finished]
        active = active[:room]
        spare = room - len(active)
        kept = {id(item) for _, item in active + (finished[-spare:] if spare else [])}
        shown = [pair for pair in shown if id(pair[1]) in kept]
    return [line_of(name, item, columns - 1) for name, item in shown]


def line_of(name: str, item: _Item, columns: int) -> str:
    """One item's line: `ab12cd34ef56: Pulling [=====>     ]  12.3MB/80MB`, what does not fit left out."""
    head = f"{short(name)}: {item.label}"
    if item.finished or (item.total is None and not item.done):
        return head[:columns]
    if not item.total:
        return f"{head}  {size(item.done)}"[:columns]
    share = min(1.0, item.done / item.total)
    amount = f"{size(min(item.done, item.total))}/{size(item.total)}"
    room = min(_BAR, columns - len(head) - len(amount) - 5)
    if room < 5:
        return f"{head}  {share:.0%}"[:columns]
    filled = int(share * room)
    bar = "=" * filled + (">" if filled < room else "")
    return f"{head} [{bar:<{room}}] {amount}"[:columns]


def short(item: str) -> str:
    """A digest's first twelve digits, anything else as it is."""
    algorithm, colon, encoded = item.partition(":")
    return encoded[:12] if colon and algorithm in ("sha256", "sha512") else item
