"""The stages of a Dockerfile and what each of them needs: which are built for a target, in which order they may go.

Pure. Stages point backwards only, so their order in the file is an order in which they can be built; stages that do
not need each other may go at once. ONBUILD triggers of a base image are added when its config is known, and may make
more stages necessary.
"""

from __future__ import annotations

from hardtack.build.dockerfile import expand, parse_trigger
from hardtack.build.dockerfile import instructions as ins
from hardtack.build.dockerfile.text import nearest
from hardtack.build.errors import BuildError, DockerfileError
from hardtack.build.metadata import makes_layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardtack.build.arguments import Arguments

    Origin = int | str  # a stage by its index, or an image by its name

MAX_TRIGGERS = 1000


class Step:
    """An instruction in its stage.

    Attributes:
        origins: where its files come from, one per `--from` or `from=`; "" is the context.
        trigger: it came from an ONBUILD; its line is that of the FROM.
    """

    __slots__ = ("instruction", "line", "origins", "trigger")

    def __init__(self, instruction: ins.Instruction, origins: list[Origin], line: int, trigger: bool = False) -> None:
        self.instruction = instruction
        self.origins = origins
        self.line = line
        self.trigger = trigger


class PlannedStage:
    """A stage with its names resolved.

    Attributes:
        index, stage; `shown`: its name in the progress, "" when it is the only one.
        base: the index of the stage it begins from, or the image's name, or "" for nothing (scratch).
        platform: as asked for in FROM, "" when it was not.
    """

    __slots__ = ("base", "index", "platform", "shown", "stage", "steps")

    def __init__(self, index: int, stage: ins.Stage, base: Origin, platform: str, shown: str) -> None:
        self.index = index
        self.stage = stage
        self.base = base
        self.platform = platform
        self.shown = shown
        self.steps: list[Step] = []

    def needs(self) -> set[int]:
        """The stages it needs directly."""
        found = {origin for step in self.steps for origin in step.origins if isinstance(origin, int)}
        return found | {self.base} if isinstance(self.base, int) else found

    def images(self) -> set[str]:
        """The images it needs directly, its base among them."""
        found = {origin for step in self.steps for origin in step.origins if isinstance(origin, str) and origin}
        return found | {self.base} if isinstance(self.base, str) and self.base else found

    def layered(self) -> int:
        """How many numbered steps the progress shows: the base image, and what may make a layer."""
        return sum(makes_layer(step.instruction) for step in self.steps) + (
            isinstance(self.base, str) and self.base != ""
        )


class Graph:
    """All stages of a Dockerfile.

    Raises:
        DockerfileError: a FROM that expands to nothing, a `--from` that names what is not before it; with the line.
    """

    __slots__ = ("_all_names", "_names", "dockerfile", "stages")

    def __init__(self, dockerfile: ins.Dockerfile, arguments: Arguments) -> None:
        self.dockerfile = dockerfile
        self.stages: list[PlannedStage] = []
        self._names: dict[str, int] = {}  # of the stages before the one that is being planned
        self._all_names = {stage.name for stage in dockerfile.stages}
        several = len(dockerfile.stages) > 1
        for index, stage in enumerate(dockerfile.stages):
            try:
                planned = self._plan(index, stage, arguments, several)
            except DockerfileError as fault:
                raise self.placed(fault, stage.line) from None
            self.stages.append(planned)
            for step in stage.steps:
                try:
                    planned.steps.append(Step(step, self._origins(planned, step), step.line))
                except DockerfileError as fault:
                    raise self.placed(fault, step.line) from None
            if stage.name:
                self._names[stage.name] = index

    def placed(self, fault: DockerfileError, line: int) -> DockerfileError:
        """A fault with this file's name, the line and its text, unless it has a place."""
        return fault if fault.line else fault.placed(line, self.dockerfile.text(line), self.dockerfile.name)

    def _plan(self, index: int, stage: ins.Stage, arguments: Arguments, several: bool) -> PlannedStage:
        base = expand(stage.base, arguments.globals, self.dockerfile.escape).text
        if not base:
            raise DockerfileError(f"FROM {stage.base[:60]} names nothing", hint="Give its argument a value")
        platform = expand(stage.platform, arguments.globals, self.dockerfile.escape).text
        if stage.platform and not platform:
            raise DockerfileError(f"--platform={stage.platform[:60]} is empty")
        earlier = self._names.get(base.lower())
        shown = (stage.name or f"stage-{index}") if several else ""
        return PlannedStage(
            index, stage, "" if base == "scratch" else base if earlier is None else earlier, platform, shown
        )

    def _origins(self, stage: PlannedStage, step: ins.Instruction) -> list[Origin]:
        if isinstance(step, ins.Copy):
            return [self._origin(stage, step.origin)]
        if isinstance(step, ins.Run):
            return [self._origin(stage, name) for name in step.origins]
        return []

    def _origin(self, stage: PlannedStage, name: str) -> Origin:
        if not name:
            return ""
        if name.isascii() and name.isdigit():
            if len(name) > 6 or int(name) >= stage.index:
                raise DockerfileError(f"there is no stage {name[:20]} before this one", hint="Stages count from 0")
            return int(name)
        found = self._names.get(name.lower())
        if found is not None and found < stage.index:
            return found
        if name.lower() in self._all_names:
            raise DockerfileError(f"the stage {name[:60]!r} comes later", hint="Move it before this stage")
        return name

    def target(self, name: str) -> int:
        """The index of the stage to build.

        Args:
            name: a stage's name or number; "" for the last one.
        Raises:
            BuildError: there is none.
        """
        if not name:
            return len(self.stages) - 1
        found = self._names.get(name.lower())
        if found is None and name.isascii() and name.isdigit() and int(name[:9]) < len(self.stages):
            found = int(name)
        if found is None:
            guess = nearest(name, [stage.stage.name for stage in self.stages if stage.stage.name])
            raise BuildError(
                f"cannot build the target {name[:60]!r}: the Dockerfile has no such stage",
                f"Did you mean {guess}" if guess else "Name one with FROM … AS",
            )
        return found

    def needed(self, target: int) -> list[int]:
        """The stages to build for a target, in an order that works; the target comes last."""
        found: set[int] = set()
        open_ = [target]
        while open_:
            index = open_.pop()
            if index not in found:
                found.add(index)
                open_ += self.stages[index].needs()
        return sorted(found)

    def add_triggers(self, index: int, texts: Iterable[str]) -> None:
        """Put the ONBUILD triggers of a stage's base before its own steps.

        Raises:
            DockerfileError: at the stage's FROM, a trigger that cannot be read.
        """
        stage = self.stages[index]
        line = stage.stage.line
        steps = []
        for text in texts:
            try:
                instruction = parse_trigger(text)
                steps.append(Step(instruction, self._origins(stage, instruction), line, trigger=True))
            except DockerfileError as fault:
                reason = f"an ONBUILD of its base cannot be run: {fault.reason}"
                raise self.placed(DockerfileError(reason, hint=fault.advice), line) from None
            if len(steps) > MAX_TRIGGERS:
                raise self.placed(DockerfileError(f"its base has more than {MAX_TRIGGERS:,} ONBUILD triggers"), line)
        stage.steps[:0] = steps

    def own_triggers(self, index: int) -> list[str]:
        """The ONBUILDs that a stage itself says, for a stage that begins from it."""
        return [step.instruction.text for step in self.stages[index].steps if isinstance(step.instruction, ins.Onbuild)]
