"""The question before something is gone for good."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.cli.streams import Streams


def confirmed(warning: str, streams: Streams) -> bool:
    """Show a warning and ask whether to go on; no answer means no."""
    streams.out.write(f"{warning}\nAre you sure you want to continue? [y/N] ")
    streams.out.flush()
    return streams.stdin.readline().strip().lower() in ("y", "yes")
