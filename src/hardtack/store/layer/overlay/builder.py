"""Making a layer of the overlay driver: the tar is unpacked as it arrives, whiteouts in overlayfs' own form.

Promises that nothing outside the layer's directory is touched, whatever the names: where a member goes is decided in
the tree, which follows links in memory, and the kernel is only given paths without any link (openat2, or a single name
in a directory that is held open). Owners, modes, times and attributes are those of the tar. Depends on no umask, no
working directory and no thread.
"""

from __future__ import annotations

import errno
import os

from hardtack.linux import libc, openat2
from hardtack.store.layer.member import (
    DEFAULT_LIMITS,
    DIRECTORY,
    FILE,
    FORMATS,
    HARDLINK,
    SYMLINK,
    WHITEOUT,
    Limits,
    Member,
)
from hardtack.store.layer.remove import remove_tree
from hardtack.store.layer.tarscan import Scanner
from hardtack.store.layer.tree import Directory, Node, Tree

TREE = "fs"
_TRASH = "trash"
_OPEN_DIRECTORIES = 32
_UNSUPPORTED = (errno.ENOTSUP, errno.EPERM)  # no such attributes on this file system, or not for this user


class OverlayBuilder:
    """Builds one layer in an empty directory.

    Args:
        path: the directory; whoever made it removes it when the layer fails.
        opaque: the attribute that makes a directory opaque; another one inside a user namespace.
    """

    driver = "overlay"

    def __init__(self, path: str, limits: Limits = DEFAULT_LIMITS, opaque: str = "trusted.overlay.opaque") -> None:
        self._path = path
        self._opaque = opaque
        os.mkdir(f"{path}/{TREE}", 0o755)
        os.mkdir(f"{path}/{_TRASH}", 0o700)
        self._root = os.open(f"{path}/{TREE}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._directories: dict[bytes, int] = {}  # open ones by path, the one used longest ago first
        self._tree = Tree(self)
        self._scanner = Scanner(self, limits)
        self._owner = (os.geteuid(), os.getegid())
        self._file: _File | None = None
        self._dropped = 0

    @property
    def content(self) -> int:
        """Bytes of the files so far."""
        return self._scanner.content

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the tar."""
        self._scanner.feed(chunk)

    def seal(self, tag: str) -> int:  # noqa: ARG002 - the other driver's index carries it
        """Finish: directories get their metadata, everything is on disk. Returns how many members there are."""
        self._scanner.finish()
        self._finish_file()
        self._finish_directories()
        remove_tree(f"{self._path}/{_TRASH}")
        libc.call("syncfs", self._root, path=self._path)
        self.close()
        return self._scanner.count

    def close(self) -> None:
        """Give back all descriptors; the files stay."""
        if self._file is not None:
            os.close(self._file.fd)
            self._file = None
        self._forget_directories()
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    # What the scanner gives

    def member(self, member: Member) -> bool:
        """Make a member; True when its bytes are wanted."""
        self._finish_file()
        place = self._tree.add(member)
        if place.node is None or not place.fresh:
            return False
        kind, parent = member.kind, self._open(place.parent)
        if kind == FILE:
            self._file = _File(self._create(parent, place.name), member)
            return True
        if kind == DIRECTORY:
            os.mkdir(place.name, 0o700, dir_fd=parent)
        elif kind == HARDLINK:
            assert place.source is not None
            os.link(
                place.source[1],
                place.name,
                src_dir_fd=self._open(place.source[0]),
                dst_dir_fd=self._open(place.parent),  # again: opening the source may have closed it, not the reverse
                follow_symlinks=False,
            )
        else:
            self._special(parent, place.name, member)
        return False

    def payload(self, chunk: memoryview) -> None:
        """Write the next bytes of the file that is open."""
        assert self._file is not None
        self._file.write(chunk)

    # What the tree tells

    def imply(self, node: Directory) -> None:
        """Make a directory that has no member of its own."""
        os.mkdir(node.path.rpartition(b"/")[2], 0o700, dir_fd=self._open(node.parent))

    def remove(self, parent: Directory, name: bytes, node: Node) -> None:
        """Make place at a name."""
        descriptor = self._open(parent)
        if isinstance(node, Directory):
            self._forget_directories()
            descriptor = self._open(parent)
            self._dropped += 1
            os.rename(name, f"{self._path}/{_TRASH}/{self._dropped}", src_dir_fd=descriptor)
        else:
            os.unlink(name, dir_fd=descriptor)

    def hide(self, node: Directory) -> None:
        """Opacity is metadata of the directory; it is set with the rest at the end."""

    # Making things

    def _open(self, directory: Directory) -> int:
        """A descriptor of a directory of the tree, kept for a while."""
        if not directory.path:
            return self._root
        found = self._directories.pop(directory.path, None)
        if found is None:
            if len(self._directories) >= _OPEN_DIRECTORIES:
                os.close(self._directories.pop(next(iter(self._directories))))
            found = openat2.open_beneath(self._root, directory.path, os.O_RDONLY | os.O_DIRECTORY)
        self._directories[directory.path] = found  # now the youngest
        return found

    def _forget_directories(self) -> None:
        while self._directories:
            os.close(self._directories.popitem()[1])

    @staticmethod
    def _create(parent: int, name: bytes) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=parent)

    def _special(self, parent: int, name: bytes, member: Member) -> None:
        if member.kind == SYMLINK:
            os.symlink(member.link, name, dir_fd=parent)
        else:
            device = os.makedev(member.major, member.minor)
            os.mknod(name, FORMATS[member.kind] | member.mode & 0o700, device, dir_fd=parent)
        if member.kind == WHITEOUT:
            return
        self._chown(member, name, parent)
        if member.kind != SYMLINK:
            os.chmod(name, member.mode, dir_fd=parent)
        self._set_xattrs(b"/proc/self/fd/%d/%s" % (parent, name), member.xattrs)
        when = member.mtime * 1_000_000_000 + member.nsec
        os.utime(name, ns=(when, when), dir_fd=parent, follow_symlinks=False)

    def _finish_file(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.finish()
            self._dress(file.fd, file.member)
        finally:
            os.close(file.fd)

    def _finish_directories(self) -> None:
        """Metadata of directories comes last: making what is in them changed their times."""
        pending: list[Directory] = [self._tree.root]
        while pending:
            node = pending.pop()
            descriptor = self._open(node)
            if node.opaque:
                os.setxattr(descriptor, self._opaque, b"y")
            self._dress(descriptor, node.member)
            pending += [child for child in node.children.values() if isinstance(child, Directory)]

    def _dress(self, descriptor: int, member: Member) -> None:
        """Owner first: changing it takes away set-id bits and capabilities."""
        self._chown(member, descriptor)
        os.fchmod(descriptor, member.mode)
        self._set_xattrs(descriptor, member.xattrs)
        when = member.mtime * 1_000_000_000 + member.nsec
        os.utime(descriptor, ns=(when, when))

    def _chown(self, member: Member, target: bytes | int, parent: int | None = None) -> None:
        if (member.uid, member.gid) == self._owner:
            return
        if isinstance(target, int):
            os.fchown(target, member.uid, member.gid)
        else:
            os.chown(target, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)

    @staticmethod
    def _set_xattrs(target: bytes | int, attributes: dict[bytes, bytes] | None) -> None:
        for name, value in (attributes or {}).items():
            try:
                os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise


class _File:
    """A file being written."""

    __slots__ = ("_segment", "_segments", "_within", "fd", "member")

    def __init__(self, fd: int, member: Member) -> None:
        self.fd = fd
        self.member = member
        self._segments = member.sparse
        self._segment = self._within = 0

    def write(self, chunk: memoryview) -> None:
        if self._segments is None:
            while chunk:
                chunk = chunk[os.write(self.fd, chunk) :]
            return
        while chunk:
            offset, length = self._segments[self._segment]
            step = min(len(chunk), length - self._within)
            step = os.pwrite(self.fd, chunk[:step], offset + self._within)
            chunk = chunk[step:]
            self._within += step
            if self._within == length:
                self._segment, self._within = self._segment + 1, 0

    def finish(self) -> None:
        if self._segments is not None:
            os.ftruncate(self.fd, self.member.size)
