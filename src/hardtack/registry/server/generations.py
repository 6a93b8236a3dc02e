"""Which workers there are and which there should be: the rules of replacing them, apart from processes and signals.

A generation has one worker per place and one configuration. While the next one is coming, the present one serves; once
all of the next are ready it becomes the present one, and the others are outdated. If one of them fails before that,
the attempt is abandoned as a whole.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_YOUNG = 2.0
_DEATHS_IN_A_ROW = 5
_PAUSE = 0.1


@dataclass(slots=True)
class Child:
    """One worker.

    Attributes:
        place: its number among those of its generation.
        row: where it counts.
        began: when it was started.
    """

    pid: int
    generation: int
    place: int
    row: int
    began: float
    ready: bool = False


@dataclass(slots=True)
class Generations:
    """All workers.

    Attributes:
        workers: how many the present generation has.
        present, coming: numbers of generations; equal when none is coming.
        failed: they cannot live.
    """

    workers: int
    present: int = 0
    coming: int = 0
    stopping: bool = False
    failed: bool = False
    children: dict[int, Child] = field(default_factory=dict)
    _coming_workers: int = 0
    _deaths: int = 0

    def missing(self) -> list[tuple[int, int]]:
        """Generation and place of every worker that has to be started."""
        if self.stopping:
            return []
        wanted = [(self.present, place) for place in range(self.workers)]
        if self.coming != self.present:
            wanted += [(self.coming, place) for place in range(self._coming_workers)]
        there = {(child.generation, child.place) for child in self.children.values()}
        return [one for one in wanted if one not in there]

    def add(self, child: Child) -> None:
        """A worker was started."""
        self.children[child.pid] = child

    def remove(self, pid: int) -> Child | None:
        """A worker has ended. None when it was none of ours."""
        return self.children.pop(pid, None)

    def is_needed(self, child: Child) -> bool:
        """Whether it should not have ended."""
        return child.generation in (self.present, self.coming)

    def begin(self, workers: int) -> list[Child]:
        """Let a new generation come. Returns those of one that was coming and is given up for it."""
        given_up = self.abandon()
        self.coming = max((child.generation for child in self.children.values()), default=self.present) + 1
        self.coming = max(self.coming, self.present + 1)
        self._coming_workers = workers
        return given_up

    def abandon(self) -> list[Child]:
        """Give up the generation that is coming. Returns those of it who are there."""
        if self.coming == self.present:
            return []
        given_up = [child for child in self.children.values() if child.generation == self.coming]
        self.coming = self.present
        return given_up

    def is_ready(self, pid: int) -> bool:
        """A worker serves. Returns whether a whole generation does now that did not before."""
        child = self.children.get(pid)
        if child is None or child.ready:
            return False
        child.ready = True
        coming = self.coming != self.present
        wanted = self._coming_workers if coming else self.workers
        ready = sum(other.ready for other in self.children.values() if other.generation == self.coming)
        if child.generation != self.coming or ready < wanted:
            return False
        if coming:
            self.present, self.workers = self.coming, wanted
        return True

    def outdated(self) -> list[Child]:
        """Those whose place others have taken."""
        return [child for child in self.children.values() if child.generation not in (self.present, self.coming)]

    def pause_after(self, child: Child) -> float | None:
        """How long to wait before the successor of one that died is started; None to give up."""
        self._deaths = self._deaths + 1 if time.monotonic() - child.began < _YOUNG else 0
        if self._deaths >= _DEATHS_IN_A_ROW:
            self.stopping = self.failed = True
            return None
        return _PAUSE * self._deaths
