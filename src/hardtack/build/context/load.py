"""The context of a build and its Dockerfile, from wherever the command line says: a folder, a tar, standard input.

Nothing is copied: a folder is read where it lies, with what its ignore file leaves out gone. A tar is unpacked into
the build's own scratch folder first.
"""

from __future__ import annotations

import os
import stat

from hardtack.build.context.ignore import Ignore, read_ignore
from hardtack.build.context.tree import Tree
from hardtack.build.errors import BuildError, ContextError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.build.workspace import Workspace

MAX_DOCKERFILE = 4 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_REMOTE = ("http://", "https://", "git://", "git@", "ssh://", "github.com/")


class Context:
    """A context that is open.

    Attributes:
        dockerfile: its bytes; `name`: how errors call it; `path`: where the context comes from, for people.
    """

    __slots__ = ("_folder", "dockerfile", "ignore", "name", "path")

    def __init__(self, path: str, folder: int, ignore: Ignore | None, dockerfile: bytes, name: str) -> None:
        self.path = path
        self._folder = folder
        self.ignore = ignore
        self.dockerfile = dockerfile
        self.name = name

    def tree(self) -> Tree:
        """The files, for one reader at a time; it closes the tree."""
        if self._folder < 0:
            raise ContextError(".", "there is no context, only a Dockerfile", "Give a folder instead of -")
        return Tree(os.open(".", _FOLDER, dir_fd=self._folder), self.ignore)

    def close(self) -> None:
        """Let go of the folder."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_context(path: str, file: str, stdin: int, workspace: Workspace) -> Context:
    """Open what a build was given.

    Args:
        path: a folder, or "-" for standard input: a tar, compressed or not, or a Dockerfile alone.
        file: the Dockerfile: "" for the one in the context, "-" for standard input, else a path, relative to the
            working directory for a folder and to the context for a tar.
        stdin: the descriptor of standard input.
        workspace: where a tar is unpacked.
    Raises:
        BuildError: there is none, it is no folder, or two things were to come from standard input.
        Unsupported: a context that has to be fetched first.
    """
    if path == "-":
        if file == "-":
            raise BuildError("cannot build: both the context and the Dockerfile were to come from standard input")
        return _from_stdin(file, stdin, workspace)
    if path.startswith(_REMOTE) and not os.path.isdir(path):
        raise Unsupported(
            f"cannot build from {path}: contexts are not fetched",
            "Fetch it yourself and give the folder, or a tar on -",
        )
    folder = _open_folder(path)
    try:
        if file == "-":
            dockerfile, name, ignore = _read_all(stdin), "Dockerfile", None
        else:
            dockerfile, name, ignore = _dockerfile(folder, path, file)
        patterns = ignore if ignore is not None else _ignore_file(folder, ".dockerignore")
        return Context(path, folder, Ignore(patterns) if patterns else None, dockerfile, name)
    except BaseException:
        os.close(folder)
        raise


def _open_folder(path: str) -> int:
    try:
        return os.open(path, _FOLDER)
    except FileNotFoundError:
        raise BuildError(f"cannot build: unable to prepare context: path {path!r} not found") from None
    except NotADirectoryError:
        raise BuildError(
            f"cannot build: the context {path!r} is no folder", "Give the folder, and the Dockerfile with -f"
        ) from None
    except OSError as error:
        raise BuildError(f"cannot build: the context {path!r} cannot be read: {_why(error)}") from None


def _dockerfile(folder: int, path: str, file: str) -> tuple[bytes, str, list[str] | None]:
    """The Dockerfile of a folder, how to call it, and the ignore patterns that belong to it alone."""
    if not file:
        with Tree(os.dup(folder)) as tree:
            for name in ("Dockerfile", "dockerfile"):
                data = _read_file(tree, name)
                if data is not None:
                    return data, name, _ignore_file(folder, f"{name}.dockerignore")
        raise BuildError(
            f"cannot build: failed to read dockerfile: there is no Dockerfile in {path!r}", "Name one with -f"
        )
    parent, _, last = file.rpartition("/")
    try:
        beside = os.open(parent or ("/" if file.startswith("/") else "."), _FOLDER)
    except OSError as error:
        raise BuildError(f"cannot build: failed to read dockerfile {file}: {_why(error)}") from None
    try:
        with Tree(os.dup(beside)) as tree:
            data = _read_file(tree, last)
        if data is None:
            raise BuildError(f"cannot build: failed to read dockerfile: there is no {file}")
        return data, file, _ignore_file(beside, f"{last}.dockerignore")
    finally:
        os.close(beside)


def _ignore_file(folder: int, name: str) -> list[str] | None:
    """The patterns of an ignore file, None when there is none."""
    with Tree(os.dup(folder)) as tree:
        data = _read_file(tree, name)
    return None if data is None else read_ignore(data, name)


def _read_file(tree: Tree, path: str) -> bytes | None:
    """A small file of a tree; links are followed inside it. None when it is not there."""
    try:
        descriptor = tree.open(tree.resolve(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuildError(f"cannot build: failed to read {path}: {_why(error)}") from None
    try:
        return _read_all(descriptor)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, 1 << 16):
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_DOCKERFILE:
            raise BuildError(f"cannot build: the Dockerfile has more than {MAX_DOCKERFILE >> 20} MiB")
    return b"".join(parts)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _from_stdin(file: str, stdin: int, workspace: Workspace) -> Context:
    """A tar or a Dockerfile on standard input, told apart by the first bytes."""
    spool = _spooled(stdin, workspace)
    try:
        from hardtack.build.files.unpack import is_archive

        if not is_archive(spool):
            if file:
                raise BuildError("cannot build: -f names a file, but standard input is no tar")
            return Context("-", -1, None, _read_all(spool), "Dockerfile")
        folder = _unpacked(spool, workspace)
    finally:
        os.close(spool)
    try:
        with Tree(os.dup(folder)) as tree:
            name = file or "Dockerfile"
            data = _read_file(tree, name.lstrip("/"))
        if data is None:
            raise BuildError(f"cannot build: failed to read dockerfile: there is no {name} in the tar")
        patterns = _ignore_file(folder, f"{name.lstrip('/')}.dockerignore")
        patterns = patterns if patterns is not None else _ignore_file(folder, ".dockerignore")
        return Context("-", folder, Ignore(patterns) if patterns else None, data, name)
    except BaseException:
        os.close(folder)
        raise


def _spooled(stdin: int, workspace: Workspace) -> int:
    """Standard input as a file that can be read twice, without a name."""
    if stat.S_ISREG(os.fstat(stdin).st_mode):
        spool = os.open(f"/proc/self/fd/{stdin}", os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(spool, os.lseek(stdin, 0, os.SEEK_CUR), os.SEEK_SET)
        if os.lseek(spool, 0, os.SEEK_CUR) == 0:
            return spool
        os.close(spool)
    from hardtack.build.files.copier import write_all

    spool = os.open(workspace.path, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    try:
        while chunk := os.read(stdin, 1 << 18):
            write_all(spool, chunk)
        os.lseek(spool, 0, os.SEEK_SET)
    except BaseException:
        os.close(spool)
        raise
    return spool


def _unpacked(spool: int, workspace: Workspace) -> int:
    from hardtack.build.files.target import Target
    from hardtack.build.files.unpack import unpack

    path = workspace.folder("context")
    with Target(os.open(path, _FOLDER)) as target:
        unpack(spool, "the context", target, "", None, plain=True)
    return os.open(path, _FOLDER)
