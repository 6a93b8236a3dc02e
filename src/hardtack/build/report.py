"""What a build tells while it runs: steps begin, speak and end. This listener hears nothing; the command line draws.

Calls may come from several threads at once. A step is named by its number, which counts up in the order of beginning.
"""

from __future__ import annotations

DONE, CACHED, FAILED, CANCELLED = "DONE", "CACHED", "ERROR", "CANCELED"


class Watcher:
    """Receives what a build does; this one ignores it."""

    def begin(self, number: int, name: str) -> None:
        """A step begins; `name` is as docker shows it: `[build 2/4] RUN make`."""

    def say(self, number: int, line: str) -> None:
        """A line about a step, by the builder itself."""

    def output(self, number: int, data: bytes) -> None:
        """What a step's command printed, in pieces as they come."""

    def end(self, number: int, outcome: str, seconds: float) -> None:
        """A step ended: DONE, CACHED, FAILED or CANCELLED."""

    def warn(self, line: str) -> None:
        """Something that may not be meant."""


SILENT = Watcher()
