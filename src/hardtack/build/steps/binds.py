"""The mounts of one RUN, made and taken back: files of the context or of stages, caches, memory, secrets, scripts.

Whatever a command may write to is a copy or a layer of its own: nothing it does reaches the context, a stage or an
image. Paths are resolved inside the tree that they belong to.
"""

from __future__ import annotations

import os
import stat

from hardtack.build.context.select import select
from hardtack.build.context.tree import Tree
from hardtack.build.errors import ContextError, DockerfileError
from hardtack.build.files.copier import Copier
from hardtack.build.files.target import Target
from hardtack.build.steps import secrets
from hardtack.build.steps.caches import CacheFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hardtack.build.dockerfile.mounts import Mount
    from hardtack.build.state import State
    from hardtack.build.steps.run import RunPlan

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Binds:
    """A with-block around a command.

    Attributes:
        mounts: for the OCI runtime; `variables`: secrets that come as variables.
    """

    def __init__(self, plan: RunPlan) -> None:
        self.plan = plan
        self.session = plan.session
        self.mounts: list[dict[str, Any]] = []
        self.variables: dict[str, str] = {}
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Binds:
        try:
            for number, (mount, origin) in enumerate(self.plan.mounts):
                self._add(number, mount, origin)
            if self.plan.script is not None:
                self._add_script(*self.plan.script)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()

    def _add(self, number: int, mount: Mount, origin: State | None) -> None:
        if mount.type == "tmpfs":
            options = ["nosuid", "nodev", "mode=1777", *([f"size={mount.size}"] if mount.size else [])]
            entry = {"destination": mount.target, "type": "tmpfs", "source": "tmpfs"}
            self.mounts.append({**entry, "options": [*options, "ro" if mount.readonly else "rw"]})
        elif mount.type == "secret":
            self._add_secret(number, mount)
        elif mount.type == "cache":
            self._add_cache(mount, origin)
        elif origin is not None:
            self._bind(self._from_stage(mount, origin), mount.target, mount.readonly)
        else:
            self._bind(self._from_context(mount), mount.target, mount.readonly)

    def _bind(self, source: str, target: str, readonly: bool) -> None:
        options = ["rbind", "rprivate", "ro" if readonly else "rw"]
        self.mounts.append({"destination": target, "type": "bind", "source": source, "options": options})

    def _add_secret(self, number: int, mount: Mount) -> None:
        value = secrets.value_of(self.session.options.secrets, mount)
        if value is None:
            return
        ident = secrets.secret_id(mount)
        if mount.env is not None:
            try:
                self.variables[mount.env or ident] = value.decode()
            except UnicodeDecodeError:
                raise DockerfileError(f"the secret {ident[:60]!r} is no text, so it cannot be a variable") from None
            if not mount.target:
                return
        root, build = self.session.root, self.session.workspace.id
        path = secrets.write_file(root, build, number, value, mount)
        self._undo.append(lambda: os.unlink(path))
        self._bind(path, mount.target or f"/run/secrets/{ident.rpartition('/')[2]}", True)

    def _add_cache(self, mount: Mount, origin: State | None) -> None:
        seed = (lambda folder: self._seed(folder, mount, origin)) if origin is not None else None
        cache = CacheFolder(self.session.root, mount.id or mount.target, mount, seed)
        cache.__enter__()
        self._undo.append(cache.__exit__)
        self._bind(cache.path, mount.target, mount.readonly)

    def _seed(self, folder: str, mount: Mount, origin: State) -> None:
        with self.session.view(origin.diff_ids, "the mount's source") as tree:
            self._copy(tree, mount.source or "/", folder)

    def _from_context(self, mount: Mount) -> str:
        """A copy of what the mount means in the context: with what is ignored left out, and owned by root."""
        place = self.session.workspace.folder("bind")
        self._undo.append(lambda: self.session.workspace.discard(place))
        with self.session.context.tree() as tree:
            return self._copy(tree, mount.source or ".", place)

    def _copy(self, tree: Tree, source: str, place: str) -> str:
        """Copy a file or a folder's content; returns the path of the copy."""
        selection = select(tree, [source], [])
        if not selection.items:
            raise ContextError(source, "nothing matches")
        with Target(os.open(place, _FOLDER)) as target:
            Copier(target).copy(tree, selection, "/")
        item = selection.items[0]
        return place if item.is_folder else f"{place}/{item.name}"

    def _from_stage(self, mount: Mount, origin: State) -> str:
        """The root file system of a stage or image, mounted for this command; changes are thrown away."""
        from hardtack.linux.mount import MNT_DETACH, umount

        workspace = self.session.workspace
        place = workspace.folder("stage")
        upper, work = (None, None) if mount.readonly else (workspace.folder("upper"), workspace.folder("work"))
        self.session.layers.mount(origin.diff_ids, place, upper, work, self.session.holder, volatile=upper is not None)

        def undo() -> None:
            umount(place, MNT_DETACH)
            for path in (place, upper, work):
                if path is not None:
                    workspace.discard(path)

        self._undo.append(undo)
        with Tree(os.open(place, _FOLDER), owned=True) as tree:
            try:
                inside = tree.resolve(mount.source)
                found = tree.stat(inside)
            except OSError:
                raise ContextError(mount.source, "there is no such file or folder", "", "the stage") from None
        if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
            raise ContextError(mount.source, "it is neither a file nor a folder", "", "the stage")
        return f"{place}/{inside}" if inside else place

    def _add_script(self, name: str, content: str) -> None:
        """A here-document that is a program of its own."""
        from hardtack.build.steps.run import SCRIPTS

        place = self.session.workspace.folder("script")
        self._undo.append(lambda: self.session.workspace.discard(place))
        with Target(os.open(place, _FOLDER)) as target:
            Copier(target, mode=lambda _: 0o755).write(name, content.encode(), "/")
        self._bind(place, SCRIPTS, True)
