"""RUN carried out: mounts made, the command run in a throwaway container, its output passed on, its failure told.

What the runtime had to make so that it could mount something is taken away again, unless the command put something
there. A build that is cancelled ends its commands.
"""

from __future__ import annotations

import os
import select
import threading

from hardtack.build.errors import StepFailed
from hardtack.build.steps import stubs
from hardtack.build.steps.binds import Binds
from hardtack.container.errors import ContainerError
from hardtack.container.once import run_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hardtack.build.session import Vertex
    from hardtack.build.steps.run import RunPlan

_TAIL_LINES = 30
_TAIL_BYTES = 64 << 10
_PIECE = 1 << 16


class Execution:
    """One RUN being carried out."""

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan
        self.session = plan.session

    def run(self, upper: str, work: str, vertex: Vertex) -> None:
        """Run the command; its changes are in `upper` afterwards.

        Raises:
            StepFailed: it ended with another code than 0.
            Cancelled: the build is to end.
            ContainerError: it could not be started.
        """
        plan = self.plan
        self.session.ran = True
        with Binds(plan) as binds:
            with _Output(vertex) as output:
                code = self._call(upper, work, binds, output)
            targets = [mount["destination"] for mount in binds.mounts]
            stubs.remove(self.session, plan.diff_ids, upper, targets, plan.points)
        if code:
            place, excerpt = plan.place
            raise StepFailed(plan.step.source, " ".join(plan.args), code, place, output.lines(), excerpt)

    def _call(self, upper: str, work: str, binds: Binds, output: _Output) -> int:
        plan = self.plan
        variables = {**plan.session.arguments.proxies(), **plan.variables, **binds.variables}
        body: dict[str, Any] = {
            "Entrypoint": plan.args[:1],
            "Cmd": plan.args[1:],
            "Env": [f"{name}={value}" for name, value in variables.items()],
            "WorkingDir": plan.workdir,
            "User": plan.user,
            "HostConfig": {},
        }
        mode = {"default": "bridge"}.get(plan.network, plan.network)
        try:
            return run_once(
                self.session.root,
                plan.diff_ids,
                upper,
                work,
                body,
                binds.mounts,
                -1,
                output.writer,
                output.writer,
                mode,
                self.session.holder,
            )
        except ContainerError:
            self.session.check()
            raise


class _Output:
    """What a command prints, passed on as it comes and its end kept. A with-block around the command.

    When the command has ended everything it printed is in the pipe; nobody waits for its other ends to be closed.
    """

    def __init__(self, vertex: Vertex) -> None:
        self._vertex = vertex
        self._tail = bytearray()
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._ended = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="build-output", daemon=True)

    def __enter__(self) -> _Output:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.writer)
        os.eventfd_write(self._ended, 1)
        self._thread.join()
        os.close(self._reader)
        os.close(self._ended)

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        poll.register(self._ended, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._drain() or self._ended in ready:
                self._drain()
                return

    def _drain(self) -> bool:
        """Pass on what there is; whether the pipe has ended."""
        while True:
            try:
                piece = os.read(self._reader, _PIECE)
            except BlockingIOError:
                return False
            if not piece:
                return True
            self._vertex.output(piece)
            self._tail += piece
            del self._tail[:-_TAIL_BYTES]

    def lines(self) -> list[str]:
        """The last lines, as text."""
        return self._tail.decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
