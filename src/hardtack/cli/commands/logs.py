"""`tack logs`: what a container has written, and what it goes on to write."""

from __future__ import annotations

from hardtack.cli.parse import STRING, Command, Flag, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.parse import Args, Streams
    from hardtack.container.logs import Entry

COMMAND = Command(
    "[OPTIONS] CONTAINER",
    "Fetch the logs of a container",
    (
        Flag("details", "", help="Show extra details provided to logs"),
        Flag("follow", "f", help="Follow log output"),
        Flag(
            "since",
            "",
            STRING,
            "string",
            'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
        ),
        Flag("tail", "n", STRING, "string", "Number of lines to show from the end of the logs", default="all"),
        Flag("timestamps", "t", help="Show timestamps"),
        Flag(
            "until",
            "",
            STRING,
            "string",
            'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
        ),
    ),
    least=1,
    most=1,
    operands="container",
)


def run(args: Args, streams: Streams) -> int:
    """Write each stream of the container to ours of the same name."""
    from hardtack.container.current import current
    from hardtack.container.logs import Span, read
    from hardtack.store.root import Root

    span = Span(_moment("since", args.since), _moment("until", args.until))
    tail = _tail(args.tail)
    root = Root.open(args.root)
    writer = _Writer(streams, args.timestamps, args.details)
    for entries in read(root, current(root, args.args[0]), span, tail, args.follow):
        writer.write(entries)
    return 0


def _moment(name: str, text: str) -> float:
    from hardtack.container.logs import parse_moment

    if not text:
        return 0.0
    try:
        return parse_moment(text)
    except ValueError as error:
        raise UsageError(f'invalid argument "{text}" for "--{name}" flag: {error}') from None


def _tail(text: str) -> int:
    if text == "all":
        return -1
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise UsageError(f'invalid argument "{text}" for "-n, --tail" flag: neither a number nor "all"')
    return max(-1, int(text))


class _Writer:
    """Writes entries; those of one stream that follow each other go out together."""

    __slots__ = ("_begun", "_details", "_streams", "_timestamps")

    def __init__(self, streams: Streams, timestamps: bool, details: bool) -> None:
        self._streams = streams
        self._timestamps = timestamps
        self._details = details
        self._begun = {"stdout": False, "stderr": False}

    def write(self, entries: list[Entry]) -> None:
        pieces: list[bytes] = []
        stream = ""
        for entry in entries:
            if entry.stream != stream:
                self._put(stream, pieces)
                stream, pieces = entry.stream, []
            pieces.append(self._shown(entry))
        self._put(stream, pieces)

    def _shown(self, entry: Entry) -> bytes:
        data: bytes = entry.data
        if not self._timestamps and not self._details:
            return data
        begun = self._begun.get(entry.stream, False)
        self._begun[entry.stream] = not data.endswith(b"\n")
        if begun:  # the rest of a line that was too long for one entry
            return data
        front = f"{entry.stamp} " if self._timestamps else ""
        if self._details:
            front += ",".join(f"{key}={value}" for key, value in sorted(entry.details.items())) + " "
        return front.encode() + data

    def _put(self, stream: str, pieces: list[bytes]) -> None:
        if pieces:
            target = self._streams.err if stream == "stderr" else self._streams.out
            target.flush()
            target.buffer.write(b"".join(pieces))
            target.buffer.flush()
