"""Death at a chosen step: a forked child runs a story and is killed at the n-th call that changes the disk."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator

from hardtack.store.root import Transaction

CHANGING = ("open", "write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "rmdir", "ftruncate", "symlink")


class Fuse:
    """Counts steps and kills this very process, unannounced, at the chosen one."""

    def __init__(self, step: int) -> None:
        self.left = step

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def wire(self) -> None:
        """Let every changing system call and both ends of every transaction burn it, in this process for good."""
        for name in CHANGING:
            setattr(os, name, self._before(getattr(os, name)))
        Transaction.__enter__ = self._before(Transaction.__enter__)  # type: ignore[method-assign]
        commit = Transaction._commit

        def both(transaction: Transaction) -> None:
            self.burn()
            commit(transaction)
            self.burn()

        Transaction._commit = both  # type: ignore[method-assign]

    def _before(self, call: Callable[..., object]) -> Callable[..., object]:
        def burning(*args: object, **keywords: object) -> object:
            self.burn()
            return call(*args, **keywords)

        return burning


def in_child(story: Callable[[], None]) -> int:
    """Run a story in a forked child. Returns its exit code, negative the signal that ended it, 70 an exception."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            story()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def deaths(story: Callable[[], None], limit: int = 500) -> Iterator[int]:
    """Run a story once for each of its steps, dying there; yields the step after each death, ends after a whole run."""
    for step in range(1, limit):

        def dying(step: int = step) -> None:
            Fuse(step).wire()
            story()

        code = in_child(dying)
        if code == 0:
            return
        assert code == -signal.SIGKILL, f"at step {step} the story failed by itself, with {code}"
        yield step
    raise AssertionError(f"the story has more than {limit} steps")
