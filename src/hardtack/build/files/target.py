"""A root file system being written to, addressed from its top and never left.

Links in it lead inside, and start over at its top; missing folders are made on the way. Every operation names a
folder by descriptor and one plain name, so that no link can come between.
"""

from __future__ import annotations

import errno
import os
import stat

from hardtack.build.context.tree import follow, open_folder
from hardtack.build.errors import BuildError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.files.permissions import Owner


class TargetError(BuildError):
    """The destination cannot be what the instruction wants."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot write /{path}: {reason}")
        self.path = path
        self.reason = reason


class Target:
    """The root file system of a step.

    Args:
        root: a descriptor of its folder; the target closes it in the end.
    """

    __slots__ = ("_at", "root")

    def __init__(self, root: int) -> None:
        self.root = root
        self._at: tuple[str, int] | None = None

    def close(self) -> None:
        """Let go of it, so that it can be unmounted."""
        self._leave()
        if self.root >= 0:
            os.close(self.root)
            self.root = -1

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resolve(self, path: str) -> str:
        """Where a path leads to, without links; what is not there is taken as written.

        Raises:
            TargetError: it leads in circles, or through a file.
        """
        try:
            return follow(path, self.stat, self._read_link, missing_ok=True)
        except OSError as error:
            raise TargetError(path.lstrip("/"), (error.strerror or str(error)).lower()) from None

    def stat(self, path: str) -> os.stat_result:
        """What is at a path without links, a link itself. Raises FileNotFoundError."""
        folder, name = self.enter(path)
        return os.stat(name or ".", dir_fd=folder, follow_symlinks=False)

    def find(self, path: str) -> os.stat_result | None:
        """The same, None when nothing is there."""
        try:
            return self.stat(path)
        except FileNotFoundError:
            return None

    def _read_link(self, path: str) -> str:
        folder, name = self.enter(path)
        return os.readlink(name, dir_fd=folder)

    def enter(self, path: str) -> tuple[int, str]:
        """The folder that holds a path without links, and the last name ("" for the top itself)."""
        parent, _, name = path.rpartition("/")
        if not parent:
            return self.root, name
        if self._at is None or self._at[0] != parent:
            opened = open_folder(self.root, parent)
            self._leave()
            self._at = (parent, opened)
        return self._at[1], name

    def _leave(self) -> None:
        if self._at is not None:
            os.close(self._at[1])
            self._at = None

    def make_folders(self, path: str, mode: int, owner: Owner) -> list[str]:
        """Make a folder and those above it where they are missing.

        Args:
            path: without links.
            mode, owner: of those that are made.
        Returns:
            The paths that were made, outermost first.
        Raises:
            TargetError: a file is in the way.
        """
        made: list[str] = []
        parts = path.split("/") if path else []
        for end in range(1, len(parts) + 1):
            here = "/".join(parts[:end])
            found = self.find(here)
            if found is None:
                self.make_folder(here, mode, owner)
                made.append(here)
            elif not stat.S_ISDIR(found.st_mode):
                raise TargetError(here, "a file is where a folder should be")
        return made

    def make_folder(self, path: str, mode: int, owner: Owner) -> None:
        """Make one folder with exactly these permissions."""
        folder, name = self.enter(path)
        os.mkdir(name, 0o700, dir_fd=folder)
        self.set_owner(path, owner)
        self.set_mode(path, mode)

    def set_owner(self, path: str, owner: Owner) -> None:
        """Change the owner of what is at a path, a link itself."""
        folder, name = self.enter(path)
        os.chown(name or ".", *owner, dir_fd=folder, follow_symlinks=False)

    def set_mode(self, path: str, mode: int) -> None:
        """Change permissions; after the owner, which takes set-id bits away. Never of a link."""
        folder, name = self.enter(path)
        os.chmod(name or ".", mode, dir_fd=folder)  # the name was made here, or seen to be no link

    def set_times(self, path: str, found: os.stat_result) -> None:
        """Give a name the times of another file."""
        folder, name = self.enter(path)
        times = (found.st_atime_ns, found.st_mtime_ns)
        os.utime(name or ".", ns=times, dir_fd=folder, follow_symlinks=False)

    def make_room(self, path: str) -> None:
        """Take away what is where a file is going to be.

        Raises:
            TargetError: a folder is there.
        """
        folder, name = self.enter(path)
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            raise TargetError(path, "a folder is where a file should be") from None
        except OSError as error:
            if error.errno == errno.EPERM:
                raise TargetError(path, "a folder is where a file should be") from None
            raise

    def remove_folder(self, path: str) -> None:
        """Remove a folder with everything in it."""
        parent, _, name = path.rpartition("/")
        self._leave()  # it may be what is removed
        folder = open_folder(self.root, parent)
        try:
            _remove_tree(name, folder)
        finally:
            os.close(folder)


def _remove_tree(name: str, folder: int) -> None:
    """Remove a folder and all it holds, following no link and renaming nothing: overlayfs moves no lower folder.

    Args:
        name: one component.
        folder: a descriptor of the folder that holds it.
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(descriptor) as listing:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
        for below, is_folder in entries:
            if is_folder:
                _remove_tree(below, descriptor)
            else:
                os.unlink(below, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)
