"""What the steps of one build share: the root, the context, the cache, mounts, the lease, the numbers of steps.

Everything a build makes outside its scratch folder is held by one lease and mounted in one holder's name, so that the
end of the build, or the beginning of the next one after a death, takes it all back.
"""

from __future__ import annotations

import _thread
import os
import time

from hardtack.build.context.hashing import FileHashes
from hardtack.build.context.tree import Tree
from hardtack.build.errors import BuildError
from hardtack.build.report import DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.arguments import Arguments
    from hardtack.build.cache import StepCache
    from hardtack.build.context.load import Context
    from hardtack.build.files.target import Target
    from hardtack.build.graph import Graph
    from hardtack.build.options import Options
    from hardtack.build.report import Watcher
    from hardtack.build.state import State
    from hardtack.build.workspace import Workspace
    from hardtack.store.layer.layers import LayerStore
    from hardtack.store.lease import Lease
    from hardtack.store.root import Root

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Cancelled(BuildError):
    """Another step failed, or somebody interrupted the build; said once, by whoever was first."""

    def __init__(self) -> None:
        super().__init__("cannot build: it was cancelled")


class Vertex:
    """One numbered step in the progress."""

    __slots__ = ("_begun", "_watcher", "number")

    def __init__(self, watcher: Watcher, number: int) -> None:
        self._watcher = watcher
        self._begun = time.monotonic()
        self.number = number

    def say(self, line: str) -> None:
        """Tell something about it."""
        self._watcher.say(self.number, line)

    def output(self, data: bytes) -> None:
        """Pass on what its command printed."""
        self._watcher.output(self.number, data)

    def end(self, outcome: str = DONE) -> None:
        """It is over."""
        self._watcher.end(self.number, outcome, time.monotonic() - self._begun)


class Session:
    """One build while it runs.

    Attributes:
        stopping: set when the build is to end; steps look at it between two of their pieces.
        images: states of images that were resolved, by name and platform.
        ran: a command was run, which mounts layers and leaves things to wait for.
    """

    def __init__(self, root: Root, options: Options, workspace: Workspace, watcher: Watcher, cache: StepCache) -> None:
        self.root = root
        self.options = options
        self.workspace = workspace
        self.watcher = watcher
        self.cache = cache
        self.context: Context
        self.graph: Graph
        self.arguments: Arguments
        self.lease: Lease | None = None
        self.stopping = False
        self.images: dict[str, State] = {}
        self._layers: LayerStore | None = None
        self._hashes: dict[int, FileHashes] = {}
        self._numbers = 0
        self._lock = _thread.allocate_lock()
        self._mounted = False
        self.ran = False

    @property
    def layers(self) -> LayerStore:
        """The layers of the root."""
        if self._layers is None:
            from hardtack.store.layer.layers import LayerStore

            self._layers = LayerStore(self.root)
        return self._layers

    @property
    def hashes(self) -> FileHashes:
        """Hashes of files, one memory per thread."""
        return self._hashes.setdefault(_thread.get_ident(), FileHashes(self.root))

    @property
    def holder(self) -> str:
        """In whose name layers are mounted."""
        return holder_of(self.workspace.id)

    def begin(self, name: str) -> Vertex:
        """Give a step its number and tell that it begins."""
        with self._lock:
            self._numbers += 1
            vertex = Vertex(self.watcher, self._numbers)
            self.watcher.begin(vertex.number, name)
        return vertex

    def check(self) -> None:
        """Stop here if the build is to end. Raises Cancelled."""
        if self.stopping:
            raise Cancelled

    def view(self, diff_ids: list[str], name: str) -> Tree:
        """The root file system of these layers, to be read; the caller closes it.

        Args:
            name: how errors call it: "the stage build".
        """
        return Tree(self._mount(diff_ids, None, None), owned=True, name=name)

    def target(self, diff_ids: list[str], upper: str, work: str) -> Target:
        """The same to be written: changes land in `upper`. The caller closes it before `upper` is adopted.

        With nothing below, `upper` is written to directly: overlayfs would mark its folders as hiding what is below.
        """
        from hardtack.build.files.target import Target

        return Target(self._mount(diff_ids, upper, work) if diff_ids else os.open(upper, _FOLDER))

    def _mount(self, diff_ids: list[str], upper: str | None, work: str | None) -> int:
        """A descriptor of a mount that hangs nowhere any more: it goes when the descriptor does, however we end."""
        from hardtack.linux.mount import MNT_DETACH, umount

        place = self.workspace.folder("mount")
        self._mounted = True
        self.layers.mount(diff_ids, place, upper, work, holder=self.holder, volatile=upper is not None)
        try:
            return os.open(place, _FOLDER)
        finally:
            umount(place, MNT_DETACH)
            os.rmdir(place)

    def remember(self) -> None:
        """Write what was learnt of files."""
        for hashes in list(self._hashes.values()):
            hashes.remember()

    def close(self) -> None:
        """Let go of layers that were mounted for this build, and of what its commands have left."""
        if self.ran:
            from hardtack.build.steps.secrets import forget
            from hardtack.container.once import wait_clean

            wait_clean()
            forget(self.root, self.workspace.id)
        if self._mounted or self.ran:
            self.layers.release(self.holder)


def holder_of(ident: str) -> str:
    """The holder of the mounts of the build with this scratch folder."""
    return f"build-{ident}"
