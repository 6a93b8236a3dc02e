"""A build from its options to an image: context, Dockerfile, graph, stages in parallel, the image in the store.

First everything that the cache knows is looked up by one thread, in the order of the file; when that reaches the end
nothing else is loaded or written. What is left is carried out by a few workers, each on a stage of its own. A build
that dies leaves whole layers that the next one finds, and nothing that can be seen.
"""

from __future__ import annotations

from hardtack.build import image as images
from hardtack.build.arguments import Arguments
from hardtack.build.cache import StepCache
from hardtack.build.context.load import open_context
from hardtack.build.dockerfile import instructions as ins
from hardtack.build.dockerfile import parse
from hardtack.build.errors import BuildError, DockerfileError
from hardtack.build.graph import Graph
from hardtack.build.report import SILENT
from hardtack.build.session import Session, holder_of
from hardtack.build.stage import StageRun
from hardtack.build.state import State
from hardtack.build.workspace import Workspace, sweep
from hardtack.oci.platform import Platform, host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.graph import Origin, PlannedStage
    from hardtack.build.options import Options
    from hardtack.build.report import Watcher
    from hardtack.oci.digest import Digest
    from hardtack.store.root import Root


class Built:
    """A finished build: the digests of the image's manifest and of its config, which is the image's id."""

    __slots__ = ("digest", "image_id")

    def __init__(self, digest: Digest, image_id: Digest) -> None:
        self.digest = digest
        self.image_id = image_id


def build(root: Root, options: Options, stdin: int = 0, watcher: Watcher = SILENT) -> Built:
    """Build an image.

    Args:
        stdin: a descriptor of standard input, read where the options say "-".
        watcher: is told what happens.
    Raises:
        DockerfileError: the Dockerfile cannot be understood, or asks for what is not there.
        StepFailed: a command of it failed.
        BuildError: anything else; the image and its names are then as they were.
    """
    _ = root.db  # a store that cannot be used is no fault of a line of the Dockerfile
    _take_back_dead(root)
    with Workspace(root) as workspace:
        session = Session(root, options, workspace, watcher, StepCache(root, read=not options.no_cache))
        try:
            return _Build(session, stdin).run()
        finally:
            session.close()


def _take_back_dead(root: Root) -> None:
    """Remove what killed builds have left: scratch folders, containers of commands, mounts, the hold on layers."""
    dead = sweep(root)
    if dead:
        from hardtack.build.steps.secrets import forget
        from hardtack.container.reconcile import sweep as sweep_containers
        from hardtack.store.layer.layers import LayerStore

        sweep_containers(root)
        for ident in dead:
            LayerStore(root).release(holder_of(ident))
            forget(root, ident)


class _Build:
    def __init__(self, session: Session, stdin: int) -> None:
        self.session = session
        self.options = session.options
        self.stdin = stdin
        self.stages: dict[int, StageRun] = {}
        self.target = 0

    def run(self) -> Built:
        session = self.session
        vertex = session.begin(f"[internal] load build definition from {self.options.file or 'Dockerfile'}")
        with open_context(self.options.context, self.options.file, self.stdin, session.workspace) as context:
            session.context = context
            dockerfile = parse(context.dockerfile, context.name)
            vertex.say(f"transferring dockerfile: {len(context.dockerfile)}B done")
            vertex.end()
            self._plan(dockerfile)
            needed = self._resolve()
            if not self._advance_all(needed):
                self._carry_out(needed)
            session.remember()
            session.cache.touch()
            self._warn_unused()
            return self._write()

    def _plan(self, dockerfile: ins.Dockerfile) -> None:
        session, options = self.session, self.options
        here = host()
        stage = options.target or dockerfile.stages[-1].name
        session.arguments = Arguments(options.arguments, here, options.platform or here, stage)
        session.arguments.declare_globals(dockerfile)
        session.graph = Graph(dockerfile, session.arguments)
        self.target = session.graph.target(options.target)
        for line in dockerfile.warnings:
            session.watcher.warn(line)

    def _resolve(self) -> list[int]:
        """The stages to build, with the triggers of their bases, which may need more stages."""
        graph = self.session.graph
        resolved: set[int] = set()
        while True:
            needed = graph.needed(self.target)
            fresh = [index for index in needed if index not in resolved]
            if not fresh:
                break
            for index in fresh:
                resolved.add(index)
                stage = graph.stages[index]
                if isinstance(stage.base, int):
                    graph.add_triggers(index, graph.own_triggers(stage.base))
                elif stage.base:
                    triggers = self._image(stage.base, stage).config.get("OnBuild") or ()
                    graph.add_triggers(index, triggers)
        for index in needed:
            self._refuse(graph.stages[index])
        return needed

    def _refuse(self, stage: PlannedStage) -> None:
        """Say what cannot be carried out before anything is."""
        from hardtack.build.steps import copy, run

        for step in stage.steps:
            reason = ""
            if isinstance(step.instruction, ins.Copy):
                reason = copy.refusal(step.instruction)
            elif isinstance(step.instruction, ins.Run):
                reason = run.refusal(step.instruction)
            if reason:
                fault = DockerfileError(f"{step.instruction.keyword}: {reason}")
                raise self.session.graph.placed(fault, step.line)

    def _image(self, name: str, stage: PlannedStage | None = None) -> State:
        """The state that an image gives, found here or pulled.

        Args:
            stage: whose FROM names it; None for `--from`.
        """
        wanted = self._platform(stage)
        key = f"{name} {wanted}"
        known = self.session.images.get(key)
        if known is None:
            from hardtack.build.base import resolve

            known = self.session.images[key] = resolve(self.session, name, wanted)
        return known

    def _platform(self, stage: PlannedStage | None) -> Platform:
        if stage is not None and stage.platform:
            return Platform.parse(stage.platform)
        return self.options.platform or host()

    def _begin(self, stage: PlannedStage) -> State | None:
        """The state a stage begins with, None while its base is not finished."""
        if isinstance(stage.base, int):
            base = self._finished(stage.base)
            if base is None:
                return None
            state = base.copy()
            state.config.pop("OnBuild", None)
            return state
        if not stage.base:
            return State(self._platform(stage))
        state = self._image(stage.base, stage).copy()
        state.config.pop("OnBuild", None)
        return state

    def _finished(self, index: int) -> State | None:
        run = self.stages[index]
        return run.state if run.finished else None

    def _origin(self, origin: Origin) -> State | None:
        return self._finished(origin) if isinstance(origin, int) else self._image(origin)

    def _advance_all(self, needed: list[int]) -> bool:
        """Go through every stage as far as the cache knows it. Returns whether that was to the end."""
        finished = True
        for index in needed:
            run = StageRun(self.session, self.session.graph.stages[index], self._begin, self._origin)
            self.stages[index] = run
            finished = run.advance(execute=False) and finished
        return finished

    def _carry_out(self, needed: list[int]) -> None:
        """Run what is left, holding what was found."""
        from hardtack.build.workers import carry_out
        from hardtack.store.lease import Lease

        session = self.session
        with Lease(session.root, f"build of {session.context.path}") as lease:
            if not session.cache.confirm(lease):
                raise BuildError("cannot build: layers of its cache were pruned at this very moment", "Build again")
            session.lease = lease
            carry_out(session, [self.stages[index] for index in needed])
            self._write_leased()

    def _warn_unused(self) -> None:
        unused = self.session.arguments.unused()
        if unused:
            self.session.watcher.warn(f"[Warning] One or more build-args {unused} were not consumed")

    def _documents(self) -> images.Written:
        state = self.stages[self.target].state
        assert state is not None
        return images.write(state, self.options.labels, self.options.epoch)

    def _write_leased(self) -> None:
        lease = self.session.lease
        assert lease is not None
        images.store(self.session.root, self._documents(), self.options.tags, lease)

    def _write(self) -> Built:
        """Make sure that the image is in the store under its names, and tell so."""
        session = self.session
        vertex = session.begin("exporting to image")
        written = self._documents()
        if not images.is_stored(session.root, written, self.options.tags):
            from hardtack.store.lease import Lease

            with Lease(session.root, f"build of {session.context.path}") as lease:
                if not session.cache.confirm(lease):
                    raise BuildError("cannot build: layers of its cache were pruned at this very moment", "Build again")
                images.store(session.root, written, self.options.tags, lease)
        vertex.say(f"writing image {written.config_digest} done")
        for name in self.options.tags:
            vertex.say(f"naming to {name} done")
        vertex.end()
        return Built(written.manifest_digest, written.config_digest)
