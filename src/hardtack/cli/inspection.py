"""What all `inspect` commands do: documents as one JSON array, or each through a template, and what was not found."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from hardtack.cli.streams import Streams


def show(names: Iterable[str], find: Callable[[str], Any], chosen: str, streams: Streams) -> int:
    """Print the documents of all names.

    Args:
        find: the document of a name; raises `TackError` when there is none.
        chosen: what --format said.
    Returns:
        The exit code: 1 when any was not found. The others are printed all the same, as docker does.
    """
    from hardtack.cli.several import each, finish

    found: list[Any] = []
    failures = each(names, lambda name: found.append(find(name)), streams)
    if chosen:
        from hardtack.cli.template import print_each

        print_each(chosen, found, streams)
    else:
        from hardtack.jsontext import dumps

        streams.out.write(dumps(found, indent=4) + "\n")
    streams.out.flush()
    return finish(failures, streams)
