"""Files into containers and out of them: docker's rules of `cp`, and tar streams both ways.

What a path means is decided by `decide`, a pure table of docker's documented cases. Inside a container every link stays
inside; on the host paths mean what they mean to the person who typed them. A link as the last part of the source is
copied as a link unless it is to be followed; a link as the destination is followed to what it stands for.

Source: docker's reference of `container cp`, and what docker 20.10 and 28 do where that says something else.
"""

from __future__ import annotations

import errno
import os
import stat

from hardtack.container.copytree import Owner, TreeSink, copy_data, walk
from hardtack.container.reach import CopyFailed, Reach
from hardtack.store.layer.member import FILE, Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardtack.container.row import Container
    from hardtack.store.root import Root

    Opener = Callable[[str, int], int]
    """Opens a path with flags, links followed as whoever owns the path would."""

_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_LINKS = 40
_BLOCK = 1 << 18


class Copied:
    """What a copy did.

    Attributes:
        size: bytes of files.
        skipped: device nodes that were left out.
    """

    __slots__ = ("size", "skipped")

    def __init__(self, size: int, skipped: list[str]) -> None:
        self.size = size
        self.skipped = skipped


class Source:
    """What is to be copied: a name in an open directory.

    Attributes:
        name: in that directory; "." for the directory itself.
        base: what it is called at a destination that is a directory.
        contents: only what is in it counts, not the directory itself.
    """

    __slots__ = ("base", "contents", "is_directory", "name", "parent")

    def __init__(self, parent: int, name: str, base: str, contents: bool) -> None:
        self.parent = parent
        self.name = name
        self.base = base
        self.contents = contents
        self.is_directory = stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)

    def close(self) -> None:
        """Let go."""
        os.close(self.parent)


class Target:
    """Where it goes: an open directory and, unless the directory itself is meant, a name in it.

    Attributes:
        kind: directory, file or missing.
    """

    __slots__ = ("directory", "kind", "name")

    def __init__(self, directory: int, kind: str, name: str = "") -> None:
        self.directory = directory
        self.kind = kind
        self.name = name

    def close(self) -> None:
        """Let go."""
        os.close(self.directory)


def parse_place(text: str) -> tuple[str, str]:
    """Read an operand of cp.

    Returns:
        Container and path; the container is "" for a path of this host, the path "-" for a stream.
    """
    if text.startswith(("/", ".")) or ":" not in text:
        return "", text
    container, _, path = text.partition(":")
    return container, path


def decide(
    is_directory: bool, contents: bool, base: str, kind: str, name: str, slash: bool, shown: str = ""
) -> tuple[str, bool]:
    """docker's table: what the copy is called, and whether it is only what is in the source.

    Args:
        is_directory, contents, base: of the source.
        kind: what the destination is: directory, file or missing.
        name: of the destination in the directory above it.
        slash: whether the destination was written with a slash at its end.
        shown: the destination as it was written, for messages.
    Returns:
        The copy's name in the destination's directory, "" when contents go there directly; whether to leave the source
        directory itself out.
    Raises:
        CopyFailed: the two do not fit.
    """
    if kind == "directory":
        return ("", True) if contents else (base, False)
    if not is_directory:
        if slash:
            raise CopyFailed(
                f"cannot copy to {shown}: no such directory", "A destination that ends with a slash has to exist"
            )
        return name, False
    if kind == "file":
        raise CopyFailed(f"cannot copy directory to {shown}: it is a file")
    return name, False


def copy_out(
    root: Root, container: Container, path: str, host_path: str, follow: bool = False, archive: bool = False
) -> Copied:
    """Copy from a container to this host.

    Args:
        follow: copy what a link as the source stands for.
        archive: keep owners and set-id bits; otherwise everything belongs to the caller, without such powers.
    Raises:
        CopyFailed, WrongState: with the reason.
    """
    owner = Owner() if archive else Owner(os.geteuid(), os.getegid(), keep_powers=False)
    with Reach(root, container) as reach:
        source = _open_source(reach.open, path, follow, container.name)
        try:
            target = _open_target(_open_here, host_path, "")
            return _copy(source, target, host_path, owner)
        finally:
            source.close()


def copy_in(root: Root, container: Container, host_path: str, path: str, follow: bool = False) -> Copied:
    """Copy from this host into a container. Numbers of owners and modes stay, as docker has it.

    Raises:
        CopyFailed, WrongState: with the reason.
    """
    source = _open_source(_open_here, host_path, follow, "")
    try:
        with Reach(root, container) as reach:
            target = _open_target(reach.open, path, container.name)
            return _copy(source, target, path, Owner())
    finally:
        source.close()


def tar_out(
    root: Root, container: Container, path: str, write: Callable[[bytes], object], follow: bool = False
) -> None:
    """Write what is at a path as a tar stream.

    Raises:
        CopyFailed, WrongState: with the reason.
    """
    from hardtack.store.layer.tarwrite import END, header, padding

    with Reach(root, container) as reach:
        source = _open_source(reach.open, path, follow, container.name)
        try:
            base = b"" if source.contents or source.base == "/" else os.fsencode(source.base)
            for member, descriptor in walk(source.parent, source.name, base):
                write(header(member))
                for piece in _content(descriptor, member.size) if member.kind == FILE else ():
                    write(piece)
                write(padding(member.size))
            write(END)
        finally:
            source.close()


def tar_in(root: Root, container: Container, path: str, read: Callable[[int], bytes]) -> Copied:
    """Unpack a tar stream, plain or compressed, into a directory of a container.

    Args:
        read: gives at most so many bytes, none at the end.
    Raises:
        CopyFailed, WrongState: no directory, or the stream is no good archive; what came before that stays.
    """
    from hardtack.store.layer.decompress import Bound, ByContent
    from hardtack.store.layer.errors import BadCompression, BadTar, LayerTooLarge
    from hardtack.store.layer.tarscan import Scanner

    with Reach(root, container) as reach:
        try:
            top = reach.open(path or "/", _PLACE)
        except (FileNotFoundError, NotADirectoryError):
            raise CopyFailed(f'destination "{container.name}:{path}" must be a directory') from None
        try:
            unpacking = _Unpacking(TreeSink(top, Owner()))
            try:
                scanner, plain = Scanner(unpacking, whiteouts=False), ByContent(Bound())
                while chunk := read(_BLOCK):
                    for piece in plain.feed(chunk):
                        scanner.feed(piece)
                plain.finish()
                scanner.finish()
            except (BadTar, BadCompression, LayerTooLarge) as error:
                raise CopyFailed(f"cannot unpack the archive: {getattr(error, 'why', error)}") from error
            finally:
                unpacking.close()
            return Copied(unpacking.size, unpacking.sink.skipped)
        finally:
            os.close(top)


class _Unpacking:
    """Takes the members of a tar as they come."""

    def __init__(self, sink: TreeSink) -> None:
        self.sink = sink
        self.size = 0
        self._member: Member | None = None
        self._descriptor = -1
        self._segments: list[tuple[int, int]] = []

    def member(self, member: Member) -> bool:
        """The next member; its bytes are wanted when it is a file."""
        self._end_file()
        self._descriptor = self.sink.open(member)
        self._member = member
        if self._descriptor < 0:
            return False
        segments = [(0, member.size)] if member.sparse is None else member.sparse
        self._segments = [segment for segment in segments if segment[1]][::-1]
        return bool(self._segments)

    def payload(self, chunk: memoryview) -> None:
        """The next bytes of the file, each run to its place."""
        while chunk and self._segments:
            offset, length = self._segments.pop()
            done = os.pwrite(self._descriptor, chunk[:length], offset)
            if done < length:
                self._segments.append((offset + done, length - done))
            chunk = chunk[done:]
            self.size += done

    def close(self) -> None:
        """The archive has ended."""
        self._end_file()
        self.sink.close()

    def _end_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0 and self._member is not None:
            self.sink.close_file(self._member, descriptor)


def _copy(source: Source, target: Target, shown: str, owner: Owner) -> Copied:
    size = 0
    try:
        slash = shown.endswith(("/", "/."))
        name, contents = decide(
            source.is_directory, source.contents, source.base, target.kind, target.name, slash, shown
        )
        if name == "/":
            name, contents = "", True
        sink = TreeSink(target.directory, owner)
        try:
            for member, descriptor in walk(source.parent, source.name, os.fsencode(name), contents):
                made = sink.open(member)
                if made >= 0:
                    try:
                        size += copy_data(descriptor, made, member.size)
                    except BaseException:
                        os.close(made)
                        raise
                    sink.close_file(member, made)
            sink.close()
        finally:
            sink.drop()
    finally:
        target.close()
    return Copied(size, sink.skipped)


def _open_here(path: str, flags: int) -> int:
    return os.open(path or ".", flags | os.O_CLOEXEC)


def _open_source(opener: Opener, path: str, follow: bool, container: str) -> Source:
    """Find the source; a slash at its end, or `/.`, means a directory and follows a link."""
    if not path:
        raise CopyFailed("the source is empty")
    head, _, base = path.rstrip("/").rpartition("/")
    whole = path.endswith("/") or base in ("", ".", "..") or not path.strip("/")
    try:
        if whole:
            cleaned = os.path.normpath(path)
            contents = base == "." or cleaned == "/"
            return Source(opener(path, _PLACE), ".", os.path.basename(cleaned) or "/", contents)
        parent = opener(head or ("/" if path.startswith("/") else "."), _PLACE)
        try:
            status = os.stat(base, dir_fd=parent, follow_symlinks=False)
            if not (follow and stat.S_ISLNK(status.st_mode)):
                return Source(parent, base, base, False)
        except BaseException:
            os.close(parent)
            raise
        os.close(parent)
        real = _follow(opener, path)
        if real.kind == "missing":
            real.close()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return Source(real.directory, real.name or ".", base, False)
    except (FileNotFoundError, NotADirectoryError):
        where = f" in container {container}" if container else ""
        raise CopyFailed(f"Could not find the file {path}{where}") from None


def _open_target(opener: Opener, path: str, container: str) -> Target:
    """Find the destination; the directory above it has to exist."""
    try:
        return _follow(opener, path or "/")
    except (FileNotFoundError, NotADirectoryError):
        parent = path.rstrip("/").rpartition("/")[0] or "/"
        where = f" in container {container}" if container else ""
        raise CopyFailed(f"Could not find the directory {parent}{where}") from None


def _follow(opener: Opener, path: str) -> Target:
    """What a path stands for when the links at its end are followed, also where they lead to nothing yet.

    Raises:
        OSError: the directory above is missing; ELOOP for links without end.
    """
    for _ in range(_LINKS):
        trimmed = path.rstrip("/")
        head, _, base = trimmed.rpartition("/")
        if base in ("", ".", ".."):
            return Target(opener(path or "/", _PLACE), "directory")
        above = head or ("/" if trimmed.startswith("/") else ".")
        parent = opener(above, _PLACE)
        try:
            status = os.stat(base, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return Target(parent, "missing", base)
        except BaseException:
            os.close(parent)
            raise
        if stat.S_ISDIR(status.st_mode):
            os.close(parent)
            return Target(opener(trimmed, _PLACE), "directory")
        if not stat.S_ISLNK(status.st_mode):
            return Target(parent, "file", base)
        link = os.readlink(base, dir_fd=parent)
        os.close(parent)
        path = link if link.startswith("/") else f"{above}/{link}"
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _content(descriptor: int, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes of a file, whatever happens to it meanwhile."""
    left = size
    while left:
        piece = os.read(descriptor, min(left, _BLOCK))
        if not piece:
            piece = bytes(min(left, _BLOCK))
        left -= len(piece)
        yield piece
