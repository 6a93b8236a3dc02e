"""One stage being built: its instructions in order, each looked up and, where nothing is known of it, carried out.

A stage first goes as far as it can without running anything, in the thread that plans; if something is left it is
continued by a worker. It waits where it needs a stage that is not finished.
"""

from __future__ import annotations

import os
import time

from hardtack.build import metadata
from hardtack.build.cache import Result
from hardtack.build.dockerfile import instructions as ins
from hardtack.build.errors import BuildError, DockerfileError, StepFailed
from hardtack.build.image import moment
from hardtack.build.report import CACHED, CANCELLED, DONE, FAILED
from hardtack.build.session import Cancelled
from hardtack.build.state import Layer, State
from hardtack.build.steps.stubs import Points
from hardtack.build.steps.work import Work, shown
from hardtack.errors import TackError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.build.graph import Origin, PlannedStage, Step
    from hardtack.build.session import Session, Vertex


class StepRefused(BuildError):
    """A step that cannot be carried out, with the place that asks for it; `cause` says what went wrong."""

    def __init__(self, cause: TackError, place: str, excerpt: str) -> None:
        super().__init__(f"{place}: {cause.message}", cause.hint)
        self.cause = cause
        self.place = place
        self.excerpt = excerpt


class StageRun:
    """The building of one stage.

    Args:
        begin: gives the state that its base leaves; may have to wait for it.
        origin_state: the finished state of another stage or image, None while it is not there.
    Attributes:
        finished: every instruction is done, `state` is the end.
    """

    def __init__(
        self,
        session: Session,
        plan: PlannedStage,
        begin: Callable[[PlannedStage], State | None],
        origin_state: Callable[[Origin], State | None],
    ) -> None:
        self.session = session
        self.plan = plan
        self.finished = False
        self.state: State | None = None
        self._begin = begin
        self._origin_state = origin_state
        self._position = 0
        self._shown = 0
        self._total = plan.layered()
        self._pending: Work | None = None
        self._points = Points()

    def advance(self, execute: bool) -> bool:
        """Go on.

        Args:
            execute: carry out what is not known; without it, stop there.
        Returns:
            Whether the stage is finished.
        Raises:
            DockerfileError, StepFailed, StepRefused: with the place.
        """
        if self.state is None:
            self.state = self._begin(self.plan)
            if self.state is None:
                return False
            self._show_base()
        while self._position < len(self.plan.steps):
            step = self.plan.steps[self._position]
            try:
                if not self._step(self.state, step, execute):
                    return False
            except DockerfileError as fault:
                raise self.session.graph.placed(fault, step.line) from None
            except (StepFailed, StepRefused, Cancelled):
                raise
            except TackError as error:
                raise StepRefused(error, *self.place(step)) from error
            self._position += 1
        self.finished = True
        return True

    def ready(self) -> bool:
        """Whether the stages that its next step needs are finished."""
        if self.state is None:
            needed: list[Origin] = [self.plan.base]
        else:
            needed = self.plan.steps[self._position].origins if self._position < len(self.plan.steps) else []
        return all(self._origin_state(origin) is not None for origin in needed if isinstance(origin, int))

    def place(self, step: Step) -> tuple[str, str]:
        """Where a step stands: "Dockerfile:3", and the lines around it."""
        dockerfile = self.session.graph.dockerfile
        end = step.line if step.trigger else step.instruction.end
        return f"{dockerfile.name}:{step.line}", dockerfile.excerpt(step.line, end)

    def _show_base(self) -> None:
        if isinstance(self.plan.base, str) and self.plan.base:
            vertex = self.session.begin(self._name(f"FROM {self.plan.base}", False))
            vertex.end(CACHED)

    def _name(self, text: str, trigger: bool) -> str:
        """A step's name: `[stage 2/4] RUN make`."""
        self._shown += 1
        stage = f"{self.plan.shown} " if self.plan.shown else ""
        count = f"{self._shown:>{len(str(self._total))}}/{self._total}"
        return f"[{stage}{count}] {'ONBUILD ' if trigger else ''}{text}"

    def _step(self, state: State, step: Step, execute: bool) -> bool:
        """Do one instruction; False when it has to wait for `execute` or for another stage."""
        instruction = step.instruction
        escape = self.session.graph.dockerfile.escape
        if not metadata.makes_layer(instruction):
            metadata.apply(state, instruction, self.session.arguments, escape)
            return True
        if self._pending is None:
            if isinstance(instruction, ins.Workdir):
                path = metadata.workdir(state, instruction, escape)
                state.config["WorkingDir"] = path
                if path == "/":
                    self._name("", False)
                    state.note("WORKDIR /")
                    return True
            self._pending = self._planned(state, step)
            if self._pending is None:
                return False
        result, keys = self._known(self._pending)
        if result is None and not execute:
            return False
        vertex = self.session.begin(self._name(shown(instruction, state, escape), step.trigger))
        known = result is not None
        if result is not None:
            vertex.end(CACHED)
        else:
            result = self._carried_out(self._pending, keys, step, vertex)
        if known or not isinstance(instruction, ins.Run):
            self._points.forget()
        state.note(self._pending.history, result.layer, result.created)
        self._pending = None
        return True

    def _planned(self, state: State, step: Step) -> Work | None:
        """Plan a step; None while it needs a stage that is not finished."""
        origins: list[State | None] = []
        for origin in step.origins:
            found = self._origin_state(origin) if origin != "" else None
            if origin != "" and found is None:
                return None
            origins.append(found)
        instruction = step.instruction
        if isinstance(instruction, ins.Workdir):
            from hardtack.build.steps.workdir import plan as plan_workdir

            return plan_workdir(self.session, state, state.workdir)
        if isinstance(instruction, ins.Copy):
            from hardtack.build.steps.copy import CopyPlan

            return CopyPlan(self.session, state, instruction, origins[0], self._called(step.origins[0])).work()
        assert isinstance(instruction, ins.Run)
        from hardtack.build.steps.run import RunPlan

        return RunPlan(self.session, state, instruction, origins, self.place(step), self._points).work()

    def _called(self, origin: Origin) -> str:
        """How errors call a stage or an image."""
        if isinstance(origin, int):
            return f"the stage {self.session.graph.stages[origin].shown}"
        return f"the image {origin}"

    def _known(self, work: Work) -> tuple[Result | None, list[str]]:
        """What the cache knows of a step, and the keys to store it under otherwise."""
        session = self.session
        result = session.cache.find(work.keys[0], session.lease)
        if result is None and work.second is not None and not session.options.no_cache:
            work.keys.append(work.second())
            work.second = None
        if result is None and len(work.keys) > 1:
            result = session.cache.find(work.keys[-1], session.lease)
            if result is not None:  # the same files came out of other layers: spare the reading next time
                session.cache.store(work.keys[:1], result, work.history)
        return result, work.keys

    def _carried_out(self, work: Work, keys: list[str], step: Step, vertex: Vertex) -> Result:
        session = self.session
        session.check()
        upper, overlay_work = session.workspace.folder("upper"), session.workspace.folder("work")
        outcome = FAILED
        try:
            work.fill(upper, overlay_work, vertex)
            session.check()
            result = self._adopted(upper, work.below)
            session.cache.store(keys, result, step.instruction.source)
            outcome = DONE
        except Cancelled:
            outcome = CANCELLED
            raise
        finally:
            session.workspace.discard(upper)
            session.workspace.discard(overlay_work)
            vertex.end(outcome)
        return result

    def _adopted(self, upper: str, below: list[str]) -> Result:
        """The upper directory as a layer, or nothing where nothing changed."""
        session = self.session
        epoch = session.options.epoch
        created = moment(time.time() if epoch is None else epoch)
        if not os.listdir(upper):
            return Result(None, created)
        blob, layer = session.layers.adopt_upper(upper, session.lease, epoch, below)
        return Result(Layer(str(layer.diff_id), blob), created)
