"""The first use of an empty volume: what the image has at that path is copied into it, as the image's author meant it.

Owner, mode, times, extended attributes, links between names and holes in files stay as they are. Nothing is followed on
either side: every step opens one name below an open directory. Device nodes and sockets are left out. A copy that died
is finished by the next start.
"""

from __future__ import annotations

import errno
import os
import stat

from hardtack.linux import xattr
from hardtack.linux.openat2 import open_beneath, open_in_root
from hardtack.linux.process import Lock
from hardtack.volume.errors import CopyUpFailed

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 30
_DEPTH = 1000
_UNFINISHED = "filling"
"""A file beside the data while a copy is under way."""


def fill(volume_path: str, name: str, rootfs: str, target: str) -> bool:
    """Copy what is at `target` inside `rootfs` into a volume, if that is empty.

    Args:
        volume_path: the directory that holds `_data`.
        name: the volume's, for messages.
    Returns:
        Whether something was copied.
    Raises:
        CopyUpFailed: with the reason; what was copied stays and the next start goes on.
    """
    marker, data = f"{volume_path}/{_UNFINISHED}", f"{volume_path}/_data"
    if not _is_empty(data) and not os.path.lexists(marker):
        return False
    source = _open_source(rootfs, target, name)
    if source < 0:
        return False
    try:
        with Lock(f"{volume_path}/lock"):
            if not _is_empty(data) and not os.path.lexists(marker):  # somebody else was first
                return False
            os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            destination = os.open(data, _DIRECTORY)
            try:
                _Copy(destination).directory(source, destination)
            finally:
                os.close(destination)
            os.unlink(marker)
    except OSError as error:
        raise CopyUpFailed(name, target, (error.strerror or str(error)).lower()) from error
    finally:
        os.close(source)
    return True


def _is_empty(path: str) -> bool:
    with os.scandir(path) as entries:
        return next(entries, None) is None


def _open_source(rootfs: str, target: str, name: str) -> int:
    """The image's directory, -1 when it has none there."""
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_in_root(root, target, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return -1
        why = "the image has a file there" if error.errno == errno.ENOTDIR else (error.strerror or "").lower()
        raise CopyUpFailed(name, target, why) from error
    finally:
        os.close(root)


class _Copy:
    """One copy: the volume's directory, and where the first name of an inode with several names has gone."""

    __slots__ = ("first", "top")

    def __init__(self, top: int) -> None:
        self.top = top
        self.first: dict[tuple[int, int], tuple[str, str]] = {}

    def directory(self, source: int, destination: int, path: str = ".", depth: int = 0) -> None:
        """Copy a directory's entries, then what the directory itself says of its owner and times."""
        if depth > _DEPTH:
            raise OSError(errno.ENAMETOOLONG, "too many directories inside each other")
        for name in os.listdir(source):
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                self._subdirectory(source, destination, name, path, depth)
            elif not self._link(destination, name, status, path):
                _entry(source, destination, name, status)
        _meta(source, destination)

    def _subdirectory(self, source: int, destination: int, name: str, path: str, depth: int) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=destination)
        except FileExistsError:  # of a copy that died; or a container that shares the volume was faster
            pass
        below_source = os.open(name, _DIRECTORY, dir_fd=source)
        try:
            below = os.open(name, _DIRECTORY, dir_fd=destination)
            try:
                self.directory(below_source, below, f"{path}/{name}", depth + 1)
            finally:
                os.close(below)
        finally:
            os.close(below_source)

    def _link(self, destination: int, name: str, status: os.stat_result, path: str) -> bool:
        """Give a file that was copied already its further name."""
        if status.st_nlink < 2:
            return False
        key = (status.st_dev, status.st_ino)
        if key not in self.first:
            self.first[key] = (path, name)
            return False
        first_path, first_name = self.first[key]
        parent = open_beneath(self.top, first_path, os.O_PATH | os.O_DIRECTORY)
        try:
            _remove(destination, name)
            os.link(first_name, name, src_dir_fd=parent, dst_dir_fd=destination, follow_symlinks=False)
        except FileNotFoundError:  # its first name is of a kind that is left out
            pass
        finally:
            os.close(parent)
        return True


def _entry(source: int, destination: int, name: str, status: os.stat_result) -> None:
    """Copy one thing that is no directory."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        _remove(destination, name)
        _file(source, destination, name)
    elif kind == stat.S_IFLNK:
        _remove(destination, name)
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=destination)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=destination, follow_symlinks=False)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=destination, follow_symlinks=False)
    elif kind == stat.S_IFIFO:
        _remove(destination, name)
        os.mkfifo(name, stat.S_IMODE(status.st_mode), dir_fd=destination)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=destination, follow_symlinks=False)


def _file(source: int, destination: int, name: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writer = os.open(name, flags, 0o600, dir_fd=destination)
        try:
            size = os.fstat(reader).st_size
            os.ftruncate(writer, size)
            _data(reader, writer, size)
            _meta(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _data(reader: int, writer: int, size: int) -> None:
    """Copy what is written in a file, and leave its holes."""
    position = 0
    while position < size:
        try:
            position = os.lseek(reader, position, os.SEEK_DATA)
            end = os.lseek(reader, position, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            end = size
        os.lseek(reader, position, os.SEEK_SET)
        os.lseek(writer, position, os.SEEK_SET)
        while position < end:
            done = os.sendfile(writer, reader, None, min(end - position, _CHUNK))
            if not done:
                return
            position += done


def _meta(source: int, destination: int) -> None:
    """Owner first, since a change of owner takes the set-id bits and capabilities away."""
    status = os.fstat(source)
    os.fchown(destination, status.st_uid, status.st_gid)
    os.fchmod(destination, stat.S_IMODE(status.st_mode))
    for name, value in xattr.read_all(source).items():
        if name.startswith((b"trusted.overlay.", b"user.overlay.", b"security.selinux")):
            continue
        try:
            os.setxattr(destination, name, value)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
    os.utime(destination, ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
