"""What COPY does with a selection: which name gets which destination, and files, links and folders made there.

Source: the rules are those of BuildKit's file operations: a folder's content is copied, a file goes into a folder that
exists or is named with a slash at its end, folders that are made on the way belong to --chown and have mode 0755.
"""

from __future__ import annotations

import os
import stat

from hardtack.build.context.hashing import check_unchanged, open_unchanged
from hardtack.build.context.select import Found, Item, Selection
from hardtack.build.context.tree import open_folder
from hardtack.build.errors import ContextError
from hardtack.build.files.target import Target, TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hardtack.build.context.tree import Tree
    from hardtack.build.files.permissions import Owner

_PIECE = 1 << 30
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Copier:
    """One COPY or ADD being carried out.

    Args:
        target: where to.
        owner: of everything made; None keeps owners of a stage, and is 0:0 for a context.
        mode: of everything made, from its st_mode; None keeps it.
        unpack: tried on every file of the selection itself; True when it took it.
    """

    def __init__(
        self,
        target: Target,
        owner: Owner | None = None,
        mode: Callable[[int], int] | None = None,
        unpack: Callable[[Tree, Found, str], bool] | None = None,
    ) -> None:
        self.target = target
        self.owner = owner
        self.mode = mode
        self.unpack = unpack
        self.links: dict[tuple[int, int], str] = {}

    def copy(self, tree: Tree, selection: Selection, destination: str) -> None:
        """Copy everything selected.

        Args:
            destination: absolute; a slash (or `/.`) at its end makes it a folder.
        Raises:
            TargetError: a file in the way of a folder or the other way round.
            ContextError: a source that changed since it was selected.
        """
        for item in selection.items:
            self.links.clear()  # hard links are kept within one source
            self._item(tree, item, self._prepared(destination))

    def write(self, name: str, content: bytes, destination: str) -> None:
        """Write a here-document as a file of that name, or of the destination's where that is no folder."""
        path = self._file_path(self._prepared(destination), name)
        self._parents(path)
        self._make_room(path)
        folder, last = self.target.enter(path)
        descriptor = os.open(last, _NEW_FILE, 0o600, dir_fd=folder)
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)
        self.target.set_owner(path, self.owner or (0, 0))
        self.target.set_mode(path, self.mode(stat.S_IFREG | 0o644) if self.mode else 0o644)

    def _prepared(self, destination: str) -> str:
        """Make the folder that a destination names or lies in; returns where the destination leads to."""
        parent = destination if destination.endswith(("/", "/.")) else destination.rpartition("/")[0]
        self._make(self.target.resolve(parent))
        return self.target.resolve(destination)

    def _make(self, path: str) -> None:
        mode = self.mode(stat.S_IFDIR | 0o755) if self.mode else 0o755
        self.target.make_folders(path, mode, self.owner or (0, 0))

    def _parents(self, path: str) -> None:
        self._make(path.rpartition("/")[0])

    def _file_path(self, destination: str, name: str) -> str:
        """Where a file goes: into a folder that is there, else it takes the destination's name."""
        found = self.target.find(destination)
        if found is None or not stat.S_ISDIR(found.st_mode):
            return destination
        return f"{destination}/{name}" if destination else name

    def _item(self, tree: Tree, item: Item, destination: str) -> None:
        if item.parents is not None:
            destination = self._with_parents(tree, item, item.parents, destination)
            if not item.is_folder:
                self._file(tree, item.top, destination)
                return
        elif not item.is_folder:
            if self.unpack is not None and self.unpack(tree, item.top, destination):
                return
            path = self._file_path(destination, item.name)
            self._parents(path)
            self._file(tree, item.top, path)
            return
        self._make(destination)
        for found in item.below:
            path = _below(destination, found.inside)
            if stat.S_ISDIR(found.stat.st_mode):
                self._folder(tree, found, path)
            else:
                self._file(tree, found, path)
        # Filling a folder changed its time: give back those of the source, the innermost first.
        for found in reversed(item.below):
            if stat.S_ISDIR(found.stat.st_mode):
                self.target.set_times(_below(destination, found.inside), found.stat)
        self.target.set_times(destination, item.top.stat)

    def _with_parents(self, tree: Tree, item: Item, parents: list[Found], destination: str) -> str:
        """Make the folders that --parents keeps; returns where the item itself goes."""
        self._make(destination)
        for parent in parents:
            self._folder(tree, parent, _below(destination, parent.inside), fresh_only=True)
        path = _below(_below(destination, parents[-1].inside if parents else ""), item.name)
        if item.is_folder:
            self._folder(tree, item.top, path, fresh_only=True)
        return path

    def _folder(self, tree: Tree, found: Found, path: str, fresh_only: bool = False) -> None:
        there = self.target.find(path)
        if there is not None and not stat.S_ISDIR(there.st_mode):
            raise TargetError(path, "a file is where a folder should be")
        if there is not None and fresh_only:
            return
        if there is None:
            _check_name(path)
            folder, name = self.target.enter(path)
            os.mkdir(name, 0o700, dir_fd=folder)
        self._finish(tree, found, path)

    def _file(self, tree: Tree, found: Found, path: str) -> None:
        kind = stat.S_IFMT(found.stat.st_mode)
        if kind == stat.S_IFSOCK:
            return  # a socket without the process behind it means nothing
        if kind in (stat.S_IFCHR, stat.S_IFBLK) and not tree.owned:
            raise ContextError(found.path, "it is a device", "Name it in the .dockerignore")
        self._make_room(path)
        if kind == stat.S_IFREG:
            self._regular(tree, found, path)
            return
        folder, name = self.target.enter(path)
        if kind == stat.S_IFLNK:
            os.symlink(tree.read_link(found.path), name, dir_fd=folder)
        else:
            os.mknod(name, kind | 0o600, found.stat.st_rdev, dir_fd=folder)
        self._finish(tree, found, path)

    def _regular(self, tree: Tree, found: Found, path: str) -> None:
        identity = (found.stat.st_dev, found.stat.st_ino)
        folder, name = self.target.enter(path)
        if found.stat.st_nlink > 1 and (first := self.links.get(identity)) is not None:
            other, first_name = self._other(first)
            try:
                os.link(first_name, name, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)
            finally:
                os.close(other)
            return
        source = open_unchanged(tree, found)
        try:
            made = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
            try:
                copy_bytes(source, made, found.stat.st_size)
                check_unchanged(tree, found, os.fstat(source))
                self._finish(tree, found, path)
                if tree.owned:  # after the owner, whose change takes capabilities away
                    _copy_attributes(tree, found, made)
            finally:
                os.close(made)
        finally:
            os.close(source)
        if found.stat.st_nlink > 1:
            self.links[identity] = path

    def _make_room(self, path: str) -> None:
        _check_name(path)
        self.target.make_room(path)

    def _other(self, path: str) -> tuple[int, str]:
        parent, _, name = path.rpartition("/")
        return open_folder(self.target.root, parent), name

    def _finish(self, tree: Tree, found: Found, path: str) -> None:
        """Owner, permissions and times of something just made."""
        kept = (found.stat.st_uid, found.stat.st_gid) if tree.owned else (0, 0)
        self.target.set_owner(path, self.owner or kept)
        mode = found.stat.st_mode
        if not stat.S_ISLNK(mode):
            self.target.set_mode(path, self.mode(mode) if self.mode else stat.S_IMODE(mode))
        self.target.set_times(path, found.stat)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _check_name(path: str) -> None:
    """In a layer such a name means that a file is gone. Source: OCI image-spec 1.1, layer.md, "Whiteouts"."""
    if path.rpartition("/")[2].startswith(".wh."):
        raise TargetError(path, "layers have another use for names that begin with .wh.")


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write every byte."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def copy_bytes(source: int, made: int, size: int) -> None:
    """Copy a file's bytes in the kernel where it can, by reading and writing where it cannot."""
    left = size
    try:
        while left > 0:
            done = os.copy_file_range(source, made, min(left, _PIECE))
            if not done:
                return
            left -= done
    except OSError:
        if left != size:
            raise
        while chunk := os.read(source, 1 << 20):
            write_all(made, chunk)


def _copy_attributes(tree: Tree, found: Found, made: int) -> None:
    for name, value in tree.attributes(found.path).items():
        os.setxattr(made, name, value)
