"""Trees of files in motion: walked on one side, made on the other, by descriptors and single names only.

Nothing is followed: a link is copied as a link, a directory is entered only where it is one. Sockets have no copy, and
device nodes are made by layers alone. Names never come together to a path that the kernel could resolve elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat

from hardtack.container.reach import CopyFailed
from hardtack.linux import xattr
from hardtack.linux.openat2 import open_beneath
from hardtack.store.layer.member import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: FIFO,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK,
}
_CHUNK = 1 << 30
_SETID = 0o6000


class Owner:
    """Whose copies become.

    Attributes:
        uid, gid: the new owner of everything; -1 to keep the owners.
        keep_powers: whether set-id bits and capabilities survive.
    """

    __slots__ = ("gid", "keep_powers", "uid")

    def __init__(self, uid: int = -1, gid: int = -1, keep_powers: bool = True) -> None:
        self.uid = uid
        self.gid = gid
        self.keep_powers = keep_powers


def walk(parent: int, name: str, path: bytes, contents: bool = False) -> Iterator[tuple[Member, int]]:
    """Describe a thing and all below it, parents first.

    Args:
        parent: descriptor of the directory that holds it.
        name: its name there.
        path: what the copies' paths begin with, b"" for none.
        contents: leave the directory itself out.
    Returns:
        Members in the form of a tar's; a file's come with a descriptor to read from, valid until the next one.
    """
    seen: dict[tuple[int, int], bytes] = {}
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        yield from _one(parent, name, path, status, seen)
        return
    top = os.open(name, _READ_DIRECTORY, dir_fd=parent)
    try:
        if not contents:
            yield _member(DIRECTORY, path, status, top), -1
        pending = [b""]
        while pending:
            below = pending.pop()
            yield from _directory(top, below, path, pending, seen)
    finally:
        os.close(top)


def _directory(
    top: int, below: bytes, path: bytes, pending: list[bytes], seen: dict[tuple[int, int], bytes]
) -> Iterator[tuple[Member, int]]:
    directory = open_beneath(top, below or b".", _READ_DIRECTORY)
    try:
        inside = []
        for name in sorted(os.listdir(directory)):
            raw = os.fsencode(name)
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                yield from _one(directory, name, _join(path, _join(below, raw)), status, seen)
                continue
            descriptor = os.open(name, _READ_DIRECTORY, dir_fd=directory)
            try:
                yield _member(DIRECTORY, _join(path, _join(below, raw)), status, descriptor), -1
            finally:
                os.close(descriptor)
            inside.append(_join(below, raw))
        pending += reversed(inside)
    finally:
        os.close(directory)


def _one(
    parent: int, name: str, path: bytes, status: os.stat_result, seen: dict[tuple[int, int], bytes]
) -> Iterator[tuple[Member, int]]:
    """One thing that is no directory."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:  # a socket
        return
    inode = (status.st_dev, status.st_ino)
    if kind == FILE and status.st_nlink > 1:
        if inode in seen:
            yield Member(HARDLINK, path, link=seen[inode]), -1
            return
        seen[inode] = path
    if kind == SYMLINK:
        member = _member(kind, path, status, -1)
        member.link = os.fsencode(os.readlink(name, dir_fd=parent))
        yield member, -1
    elif kind == FILE:
        descriptor = os.open(name, _READ_FILE, dir_fd=parent)
        try:
            now = os.fstat(descriptor)
            if stat.S_ISREG(now.st_mode):
                yield _member(kind, path, now, descriptor), descriptor
        finally:
            os.close(descriptor)
    else:
        member = _member(kind, path, status, -1)
        if kind != FIFO:
            member.major, member.minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        yield member, -1


def _member(kind: str, path: bytes, status: os.stat_result, descriptor: int) -> Member:
    seconds, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    size = status.st_size if kind == FILE else 0
    member = Member(kind, path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, size, seconds, nanoseconds)
    if descriptor >= 0:
        member.xattrs = {key: value for key, value in xattr.read_all(descriptor).items() if _travels(key)} or None
    return member


class TreeSink:
    """Makes members below a directory.

    Args:
        top: descriptor of the directory, the caller's.
        owner: whose they become.
    Attributes:
        skipped: paths of device nodes that were left out.
    """

    def __init__(self, top: int, owner: Owner) -> None:
        self._top = top
        self._owner = owner
        self._directories: list[Member] = []
        self._parent = (b"", os.dup(top))
        self.skipped: list[str] = []

    def open(self, member: Member) -> int:
        """Make a member. Of a file what comes back is a descriptor to write to, for `close_file`; else -1.

        Raises:
            CopyFailed: something of another kind is in the way.
        """
        if not member.path:
            return -1
        directory, _, name = member.path.rpartition(b"/")
        parent = self._open_parent(directory)
        if member.kind == DIRECTORY:
            self._make_directory(parent, name, member)
            return -1
        if member.kind in (CHARACTER, BLOCK):
            self.skipped.append(os.fsdecode(member.path))
            return -1
        in_place = self._make_room(parent, name, member)
        if member.kind == FILE:
            flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            flags |= os.O_TRUNC if in_place else os.O_CREAT | os.O_EXCL
            return os.open(name, flags, 0o600, dir_fd=parent)
        if member.kind == SYMLINK:
            os.symlink(member.link, name, dir_fd=parent)
            self._finish_name(parent, name, member)
        elif member.kind == FIFO:
            os.mkfifo(name, 0o600, dir_fd=parent)
            os.chmod(name, member.mode, dir_fd=parent)
            self._finish_name(parent, name, member)
        elif member.kind == HARDLINK:
            self._link(parent, name, member)
        return -1

    def close_file(self, member: Member, descriptor: int) -> None:
        """Say what a file is besides its bytes, and close it."""
        try:
            os.ftruncate(descriptor, member.size)
            self._finish(descriptor, member)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Give the directories their times, the innermost first, and let go."""
        for member in reversed(self._directories):
            try:
                descriptor = open_beneath(self._top, member.path, _READ_DIRECTORY)
            except OSError:
                continue
            moment = member.mtime * 1_000_000_000 + member.nsec
            os.utime(descriptor, ns=(moment, moment))
            os.close(descriptor)
        self._directories.clear()
        self.drop()

    def drop(self) -> None:
        """Let go without finishing."""
        if self._parent[1] >= 0:
            os.close(self._parent[1])
        self._parent = (b"", -1)

    def _open_parent(self, path: bytes) -> int:
        if self._parent[0] != path or self._parent[1] < 0:
            try:
                descriptor = open_beneath(self._top, path or b".", os.O_PATH | os.O_DIRECTORY)
            except FileNotFoundError:
                descriptor = self._make_parents(path)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise CopyFailed(f"cannot copy into {os.fsdecode(path)}: it is no directory") from None
                raise
            os.close(self._parent[1])
            self._parent = (path, descriptor)
        return self._parent[1]

    def _make_parents(self, path: bytes) -> int:
        """Directories that an archive takes for granted."""
        parts = path.split(b"/")
        for end in range(1, len(parts) + 1):
            above = open_beneath(self._top, b"/".join(parts[: end - 1]) or b".", os.O_PATH | os.O_DIRECTORY)
            try:
                os.mkdir(parts[end - 1], 0o755, dir_fd=above)
                os.chown(parts[end - 1], max(0, self._owner.uid), max(0, self._owner.gid), dir_fd=above)
            except FileExistsError:
                pass
            finally:
                os.close(above)
        return open_beneath(self._top, path, os.O_PATH | os.O_DIRECTORY)

    def _make_directory(self, parent: int, name: bytes, member: Member) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                shown = os.fsdecode(member.path)
                raise CopyFailed(f"cannot overwrite non-directory {shown} with a directory") from None
        descriptor = os.open(name, _READ_DIRECTORY, dir_fd=parent)
        try:
            self._finish(descriptor, member)
        finally:
            os.close(descriptor)
        self._directories.append(member)

    def _make_room(self, parent: int, name: bytes, member: Member) -> bool:
        """Take away what is in the way. Returns whether a file has to be written in place, being a mount point."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(status.st_mode):
            raise CopyFailed(f"cannot overwrite directory {os.fsdecode(member.path)} with non-directory")
        try:
            os.unlink(name, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.EBUSY and member.kind == FILE and stat.S_ISREG(status.st_mode):
                return True
            raise
        return False

    def _link(self, parent: int, name: bytes, member: Member) -> None:
        directory, _, first = member.link.rpartition(b"/")
        holder = open_beneath(self._top, directory or b".", os.O_PATH | os.O_DIRECTORY)
        try:
            os.link(first, name, src_dir_fd=holder, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(holder)

    def _finish(self, descriptor: int, member: Member) -> None:
        """Owner first: a change of owner takes set-id bits and capabilities away."""
        os.fchown(descriptor, *self._owner_of(member))
        powers = self._owner.keep_powers
        os.fchmod(descriptor, member.mode if powers or member.kind == DIRECTORY else member.mode & ~_SETID)
        for key, value in (member.xattrs or {}).items():
            if not _travels(key) or (key.startswith(b"security.") and not powers):
                continue
            try:
                os.setxattr(descriptor, key, value)
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM):
                    raise
        moment = member.mtime * 1_000_000_000 + member.nsec
        os.utime(descriptor, ns=(moment, moment))

    def _finish_name(self, parent: int, name: bytes, member: Member) -> None:
        os.chown(name, *self._owner_of(member), dir_fd=parent, follow_symlinks=False)
        moment = member.mtime * 1_000_000_000 + member.nsec
        os.utime(name, ns=(moment, moment), dir_fd=parent, follow_symlinks=False)

    def _owner_of(self, member: Member) -> tuple[int, int]:
        return (member.uid, member.gid) if self._owner.uid < 0 else (self._owner.uid, self._owner.gid)


def copy_data(reader: int, writer: int, size: int) -> int:
    """Copy a file's bytes, leaving its holes. Returns how many were written."""
    position = written = 0
    while position < size:
        try:
            position = os.lseek(reader, position, os.SEEK_DATA)
            end = min(size, os.lseek(reader, position, os.SEEK_HOLE))
        except OSError as error:
            if error.errno == errno.ENXIO:
                return written
            end = size
        os.lseek(reader, position, os.SEEK_SET)
        os.lseek(writer, position, os.SEEK_SET)
        while position < end:
            done = os.sendfile(writer, reader, None, min(end - position, _CHUNK))
            if not done:  # it has become shorter meanwhile
                return written
            position += done
            written += done
    return written


def _travels(key: bytes) -> bool:
    """Whether an extended attribute means the same elsewhere."""
    return key.startswith(b"user.") or key == b"security.capability"


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path and name else path or name
