"""Stages carried out at once, by a few threads. The first failure ends the build; the others stop at their next step.

Stages are taken in the order of the file and need only earlier ones, so whoever waits waits for somebody who is at
work.
"""

from __future__ import annotations

import os
import threading

from hardtack.build.errors import BuildError
from hardtack.build.session import Cancelled
from hardtack.linux.signals import TERM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.session import Session
    from hardtack.build.stage import StageRun

MAX_WORKERS = 8
_LOOK = 0.25  # seconds


def carry_out(session: Session, stages: list[StageRun]) -> None:
    """Finish all stages.

    Raises:
        BuildError: the first failure of any.
        KeyboardInterrupt: after the steps at work have ended.
    """
    left = [stage for stage in stages if not stage.finished]
    if len(left) == 1:
        _alone(session, left[0])
        return
    _load(session)
    pool = _Pool(session, left)
    pool.run(min(len(left), MAX_WORKERS, max(2, len(os.sched_getaffinity(0)))))


def _load(session: Session) -> None:
    """Import what steps will need before there are threads: a step forks, and a module being imported stays locked."""
    from hardtack.container.runtime import choose

    choose(session.root)
    for name in (
        "hardtack.build.steps.execute", "hardtack.build.steps.copy", "hardtack.build.steps.workdir",
        "hardtack.build.steps.run", "hardtack.build.files.copier", "hardtack.build.files.unpack",
        "hardtack.store.layer.pack", "hardtack.container.enclosure", "hardtack.container.placing",
        "hardtack.container.reconcile", "hardtack.container.spec", "hardtack.container.users",
        "hardtack.container.host", "hardtack.network.attach", "hardtack.linux.netns",
    ):  # fmt: skip
        __import__(name)


def _alone(session: Session, stage: StageRun) -> None:
    try:
        if not stage.advance(execute=True):
            raise AssertionError("the only stage that is left waits for another")
    except BaseException:
        session.stopping = True
        raise


class _Pool:
    def __init__(self, session: Session, stages: list[StageRun]) -> None:
        self.session = session
        self.waiting = stages
        self.changed = threading.Condition()
        self.at_work = 0
        self.failure: BaseException | None = None
        self.threads: list[threading.Thread] = []

    def run(self, count: int) -> None:
        self.threads = [threading.Thread(target=self._work, name=f"build-{number}") for number in range(count)]
        for thread in self.threads:
            thread.start()
        try:
            self._wait()
        except BaseException:
            self._stop(None)
            self._wait()
            raise
        if self.failure is not None:
            raise self.failure

    def _wait(self) -> None:
        """Wait for all threads; in a build that is to end, see to it that commands which were just begun end too."""
        for thread in self.threads:
            while thread.is_alive():
                thread.join(_LOOK)
                if self.session.stopping:
                    self._end_commands()

    def _end_commands(self) -> None:
        for thread in self.threads:
            _end_children(thread.native_id)

    def _stop(self, failure: BaseException | None) -> None:
        with self.changed:
            self.session.stopping = True
            if failure is not None and (self.failure is None or isinstance(self.failure, Cancelled)):
                self.failure = failure
            self.changed.notify_all()
        self._end_commands()

    def _work(self) -> None:
        while (stage := self._next()) is not None:
            try:
                finished = stage.advance(execute=True)
            except BaseException as error:  # noqa: BLE001  handed to the thread that waits
                self._stop(error)
                return
            with self.changed:
                self.at_work -= 1
                if not finished:
                    self.waiting.append(stage)
                self.changed.notify_all()

    def _next(self) -> StageRun | None:
        """A stage that can go on; waits while all of them wait for those at work."""
        with self.changed:
            while True:
                if self.session.stopping or not (self.waiting or self.at_work):
                    return None
                for stage in self.waiting:
                    if stage.ready():
                        self.waiting.remove(stage)
                        self.at_work += 1
                        return stage
                if not self.at_work and self.waiting:
                    self.failure = self.failure or BuildError("cannot build: its stages wait for each other")
                    return None
                self.changed.wait()


def _end_children(thread: int | None) -> None:
    """Ask the processes that a thread of ours has forked to end: they watch a command each, and clean up after it."""
    try:
        with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
            children = [int(text) for text in file.read().split()]
    except OSError:
        return
    for child in children:
        try:
            os.kill(child, TERM)
        except ProcessLookupError:
            continue
