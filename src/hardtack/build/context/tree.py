"""A folder read as if it were "/": the context, or the root file system of a stage.

Nothing read here lies outside the folder: links are followed by our own hand and start over at its top, and every
component is opened without following one. What a .dockerignore leaves out is not there. Paths are relative and
clean, "" is the folder itself.
"""

from __future__ import annotations

import errno
import os
import stat

from hardtack.build.errors import ContextError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardtack.build.context.ignore import Ignore, Place

    Enter = Callable[["Entry"], bool]

MAX_LINKS = 255
MAX_DEPTH = 500
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Entry:
    """A name found while walking.

    Attributes:
        path: in the tree; `stat`: of the name itself, a link's own.
    """

    __slots__ = ("path", "stat")

    def __init__(self, path: str, found: os.stat_result) -> None:
        self.path = path
        self.stat = found

    @property
    def is_folder(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.stat.st_mode)


class Tree:
    """A folder and what may be seen of it.

    Args:
        folder: a descriptor of it; the tree closes it in the end.
        ignore: patterns of what is left out.
        owned: owners of files mean something (a stage), or are all 0 (the context).
        name: how errors call it.
    """

    __slots__ = ("_at", "_folder", "ignore", "name", "owned")

    def __init__(
        self, folder: int, ignore: Ignore | None = None, owned: bool = False, name: str = "the build context"
    ) -> None:
        self._folder = folder
        self._at: tuple[str, int] | None = None  # the folder opened last, for files that follow one another
        self.ignore = ignore
        self.owned = owned
        self.name = name

    def close(self) -> None:
        """Let go of the folder."""
        self._leave()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stat(self, path: str) -> os.stat_result:
        """What a path is, a link itself.

        Raises:
            FileNotFoundError, NotADirectoryError: it is not there, or left out.
        """
        folder, name = self._enter(path)
        found = os.stat(name or ".", dir_fd=folder, follow_symlinks=False)
        if self.ignore and path:
            place = self.ignore.at(path)
            if place.ignored and not (place.reopens and stat.S_ISDIR(found.st_mode) and self._anything(path)):
                raise FileNotFoundError(errno.ENOENT, "left out by the ignore file", path)
        return found

    def read_link(self, path: str) -> str:
        """The target of a link."""
        folder, name = self._enter(path)
        return os.readlink(name, dir_fd=folder)

    def open(self, path: str) -> int:
        """Open a regular file for reading; the caller closes it.

        Raises:
            OSError: ELOOP for a link, EINVAL for what is no regular file.
        """
        folder, name = self._enter(path)
        descriptor = os.open(name, _FILE, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return descriptor

    def attributes(self, path: str) -> dict[str, bytes]:
        """The extended attributes of a file that travel with it: capabilities, and those of users."""
        descriptor = self.open(path)
        try:
            names = [name for name in os.listxattr(descriptor) if _travels(name)]
            return {name: os.getxattr(descriptor, name) for name in names}
        except OSError:  # a file system without any
            return {}
        finally:
            os.close(descriptor)

    def resolve(self, path: str) -> str:
        """The path without links, where it leads to.

        Raises:
            FileNotFoundError, NotADirectoryError: it leads to nothing that is there.
            OSError: ELOOP.
        """
        return follow(path, self.stat, self.read_link)

    def walk(self, path: str, enter: Enter | None = None) -> Iterator[Entry]:
        """Everything below a folder, each folder before what it holds, names sorted by their bytes.

        Args:
            path: a folder, without links in it.
            enter: told each folder, says whether to go in.
        """
        folder = self._open_folder(path)
        place = (self.ignore.at(path) if path else self.ignore.top) if self.ignore else None
        yield from self._walk(folder, path, place, enter, 0)

    def _walk(self, folder: int, path: str, place: Place | None, enter: Enter | None, depth: int) -> Iterator[Entry]:
        try:
            if depth > MAX_DEPTH:
                raise ContextError(path[:200], f"it is nested more than {MAX_DEPTH} folders deep")
            with os.scandir(folder) as listing:
                names = sorted((os.fsencode(item.name), item.name) for item in listing)
            for _, name in names:
                full = f"{path}/{name}" if path else name
                below = None
                if place is not None and self.ignore is not None:
                    below = self.ignore.below(place, name, not path)
                    if below.ignored and not below.reopens:
                        continue
                try:
                    entry = Entry(full, os.stat(name, dir_fd=folder, follow_symlinks=False))
                except FileNotFoundError:
                    continue  # gone since the listing
                yield from self._entry(entry, folder, name, below, enter, depth)
        finally:
            os.close(folder)

    def _entry(
        self,
        entry: Entry,
        folder: int,
        name: str,
        place: Place | None,
        enter: Callable[[Entry], bool] | None,
        depth: int,
    ) -> Iterator[Entry]:
        hidden = place is not None and place.ignored
        if not entry.is_folder:
            if not hidden:
                yield entry
            return
        if not hidden:
            yield entry
        if enter is not None and not enter(entry):
            return
        for below in self._walk(os.open(name, _FOLDER, dir_fd=folder), entry.path, place, enter, depth + 1):
            if hidden:  # something in it was taken back, so the folder is there after all
                hidden = False
                yield entry
            yield below

    def _anything(self, path: str) -> bool:
        return next(iter(self.walk(path)), None) is not None

    def _enter(self, path: str) -> tuple[int, str]:
        """The folder that holds a path, and the last name."""
        parent, _, name = path.rpartition("/")
        if not parent:
            return self._folder, name
        if self._at is None or self._at[0] != parent:
            opened = self._open_folder(parent)
            self._leave()
            self._at = (parent, opened)
        return self._at[1], name

    def _leave(self) -> None:
        if self._at is not None:
            os.close(self._at[1])
            self._at = None

    def _open_folder(self, path: str) -> int:
        return open_folder(self._folder, path)


def open_folder(top: int, path: str) -> int:
    """Open a folder below another, component by component, following no link.

    Raises:
        OSError: ENOENT, ENOTDIR, or ELOOP for a link.
    """
    current = os.open(".", _FOLDER, dir_fd=top)
    for name in path.split("/") if path else ():
        try:
            following = os.open(name, _FOLDER, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current


def follow(
    path: str,
    look: Callable[[str], os.stat_result],
    read_link: Callable[[str], str],
    missing_ok: bool = False,
    last: bool = True,
) -> str:
    """Resolve a path the way a process does whose root is the tree: links start over at the top, `..` stays inside.

    Args:
        path: as written.
        look, read_link: how the tree is read.
        missing_ok: what is not there is taken as it is written.
        last: follow the last name too.
    Raises:
        OSError: ELOOP after MAX_LINKS; what `look` raises.
    """
    done: list[str] = []
    rest = path.split("/")[::-1]
    links = 0
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        here = "/".join([*done, part])
        try:
            found = look(here)
        except FileNotFoundError:
            if not missing_ok:
                raise
            done.append(part)
            continue
        if stat.S_ISLNK(found.st_mode) and (last or any(rest)):
            links += 1
            target = read_link(here)
            if links > MAX_LINKS or len(rest) > 4096:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            done = [] if target.startswith("/") else done
            rest += target.split("/")[::-1]
            continue
        if any(rest) and not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), here)
        done.append(part)
    return "/".join(done)


def _travels(name: str) -> bool:
    return name == "security.capability" or name.startswith("user.")
