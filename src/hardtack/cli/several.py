"""Commands that do the same to several things: one that fails does not keep the others from their turn."""

from __future__ import annotations

from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hardtack.cli.parse import Streams


def each(names: Iterable[str], act: Callable[[str], None], streams: Streams) -> list[TackError]:
    """Call `act` with each name; what it prints comes out before the failures. Returns the failures."""
    failures: list[TackError] = []
    for name in names:
        try:
            act(name)
        except TackError as failure:
            failures.append(failure)
    streams.out.flush()
    return failures


def finish(failures: list[TackError], streams: Streams) -> int:
    """Print all failures but the last, which is raised for `main` to print. Returns 0 when there are none."""
    if not failures:
        return 0
    show(failures[:-1], streams)
    raise failures[-1]


def show(failures: Iterable[TackError], streams: Streams) -> None:
    """Print failures as `main` would."""
    from hardtack.cli.failure import visible

    streams.err.write("".join(f"tack: {visible(str(failure))}\n" for failure in failures))
