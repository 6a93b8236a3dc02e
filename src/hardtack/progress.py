"""How the library tells what it is doing, without knowing who listens.

`Progress` is the listener that hears nothing; the command line draws bars or plain lines by overriding it.
Calls may come from several threads at once. An item is named by a stable key, usually a digest.
"""

from __future__ import annotations


class Progress:
    """Receives what a long operation does; this one ignores it."""

    def begin(self, item: str, label: str, total: int | None = None) -> None:
        """An item enters a phase (`label`: "Pulling", "Extracting" …); `total` in bytes, None when unknown."""

    def advance(self, item: str, amount: int) -> None:
        """`amount` more bytes of the item's present phase are done."""

    def finish(self, item: str, label: str) -> None:
        """The item has reached its last word ("Pull complete", "Already exists")."""

    def say(self, line: str) -> None:
        """A line that belongs to the whole operation."""


SILENT = Progress()
