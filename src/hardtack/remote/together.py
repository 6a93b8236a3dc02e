"""Several jobs on a few threads: the first failure stops the others and is the one that is told."""

from __future__ import annotations

import threading

from hardtack.remote.errors import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run_together(
    jobs: Sequence[Callable[[], None]], threads: int, cancelled: threading.Event, wake: Callable[[], None]
) -> None:
    """Run jobs in order on a few threads; the first failure sets `cancelled` and is raised once all have stopped.

    Args:
        cancelled: jobs look at it and raise `Cancelled`. An interrupt of the caller sets it too.
        wake: called once it is set, so that jobs that wait for the network look at it at once.
    """
    waiting = list(reversed(jobs))
    failures: list[BaseException] = []
    lock = threading.Lock()

    def work() -> None:
        while not cancelled.is_set():
            with lock:
                if not waiting:
                    return
                job = waiting.pop()
            try:
                job()
            except BaseException as error:  # noqa: BLE001  carried to the caller
                with lock:
                    failures.append(error)
                    first = not cancelled.is_set()
                    cancelled.set()
                if first:
                    wake()

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(jobs)))]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:
        cancelled.set()
        raise
    for error in failures:
        if not isinstance(error, Cancelled):
            raise error
    if failures:
        raise failures[0]
