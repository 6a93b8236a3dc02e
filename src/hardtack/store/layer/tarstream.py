"""The changes that overlayfs collected in an upper directory, as a layer's tar.

Promises the same bytes for the same tree on every machine: sorted names, numeric owners, whole seconds. Whiteouts and
opaque directories take their tar form, hard links point at the first of their names, overlayfs' own attributes and
those of this host's security module stay here. Nobody may be writing to the tree meanwhile.
"""

from __future__ import annotations

import os
import stat

from hardtack.linux import openat2, xattr
from hardtack.store.layer.errors import LayerError
from hardtack.store.layer.member import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    OPAQUE,
    SYMLINK,
    WHITEOUT,
    Member,
)
from hardtack.store.layer.tarfields import wanted_xattr
from hardtack.store.layer.tarwrite import END, header, padding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_STEP = 1 << 20
_GATHER = 256 << 10
_OPAQUE_XATTRS = ("trusted.overlay.opaque", "user.overlay.opaque")
_HOST_XATTRS = (b"security.selinux", b"security.ima", b"security.evm", b"security.apparmor", b"security.SMACK64")
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK,
    stat.S_IFIFO: FIFO,
}


def tarstream(
    upper: str, out: BinaryIO, clamp: int | None = None, below: Callable[[bytes], bool] | None = None
) -> None:
    """Write the tar of an upper directory to a file; the arguments are those of `tar_chunks`."""
    for chunk in tar_chunks(upper, clamp, below):
        out.write(chunk)


def tar_chunks(upper: str, clamp: int | None = None, below: Callable[[bytes], bool] | None = None) -> Iterator[bytes]:
    """The tar of an upper directory, in chunks of up to about a megabyte.

    Args:
        upper: the directory.
        clamp: no time is later than this many seconds since 1970 (SOURCE_DATE_EPOCH).
        below: whether the layers below have a directory at a path. overlayfs marks every new directory opaque; with
            this the mark is written only where it hides something.
    Raises:
        LayerError: a name is too long for a tar.
    """
    held: list[bytes] = []
    size = 0
    for piece in _pieces(upper, clamp, below):
        held.append(piece)
        size += len(piece)
        if size >= _GATHER:
            yield b"".join(held)
            held, size = [], 0
    held.append(END)
    yield b"".join(held)


def members(upper: str, clamp: int | None = None, below: Callable[[bytes], bool] | None = None) -> Iterator[Member]:
    """The members of that tar without their bytes."""
    for member, _, _ in _walk(upper, clamp, below):
        yield member


def _pieces(upper: str, clamp: int | None, below: Callable[[bytes], bool] | None) -> Iterator[bytes]:
    for member, directory, name in _walk(upper, clamp, below):
        if member.path or member.kind != DIRECTORY or not _is_ordinary(member):
            yield header(member)
        if member.kind == FILE and member.size:
            yield from _content(directory, name, member.size)


def _walk(upper: str, clamp: int | None, below: Callable[[bytes], bool] | None) -> Iterator[tuple[Member, int, bytes]]:
    """Each member with the descriptor of its directory and its name there, valid until the next one is asked for."""
    root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        links: dict[tuple[int, int], bytes] = {}
        yield _describe(root, b"", os.fstat(root), clamp), root, b"."
        pending = [b""]
        while pending:
            path = pending.pop()
            directory = _open(root, path)
            try:
                if _is_opaque(directory) and (below is None or below(path)):
                    yield Member(OPAQUE, path, 0), directory, b""
                children = []
                for name in sorted(map(os.fsencode, os.listdir(directory))):
                    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                    member = _member(directory, path, name, status, links, clamp)
                    if member is not None:
                        yield member, directory, name
                        if member.kind == DIRECTORY:
                            children.append(member.path)
                pending += reversed(children)
            finally:
                os.close(directory)
    finally:
        os.close(root)


def _is_ordinary(member: Member) -> bool:
    """A root as every layer has it by default; naming it would only make layers differ by its time."""
    return (member.mode, member.uid, member.gid, member.xattrs) == (0o755, 0, 0, None)


def _member(
    directory: int,
    path: bytes,
    name: bytes,
    status: os.stat_result,
    links: dict[tuple[int, int], bytes],
    clamp: int | None,
) -> Member | None:
    """A directory entry as a member; None for a socket, which a tar cannot hold."""
    full = path + b"/" + name if path else name
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return Member(WHITEOUT, full, 0)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    if status.st_nlink > 1 and kind != DIRECTORY:
        first = links.setdefault((status.st_dev, status.st_ino), full)
        if first != full:
            return _describe(None, full, status, clamp, HARDLINK, first)
    where = b"/proc/self/fd/%d/%s" % (directory, name)
    link = os.readlink(name, dir_fd=directory) if kind == SYMLINK else b""
    return _describe(where, full, status, clamp, kind, link)


def _describe(
    where: bytes | int | None,
    path: bytes,
    status: os.stat_result,
    clamp: int | None,
    kind: str = DIRECTORY,
    link: bytes = b"",
) -> Member:
    mtime = int(status.st_mtime_ns // 1_000_000_000)
    if clamp is not None and mtime > clamp:
        mtime = clamp
    size = status.st_size if kind == FILE else 0
    member = Member(kind, path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, size, mtime, 0, link)
    if kind in (CHARACTER, BLOCK):
        member.major, member.minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if where is not None:
        found = xattr.read_all(where)
        kept = {name: value for name, value in found.items() if wanted_xattr(name) and name not in _HOST_XATTRS}
        member.xattrs = kept or None
    return member


def _content(directory: int, name: bytes, size: int) -> Iterator[bytes]:
    """A file's bytes, exactly as many as its header says, and the padding."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        left = size
        while left:
            chunk = os.read(descriptor, min(_STEP, left))
            if not chunk:
                raise LayerError(f"cannot pack {os.fsdecode(name)}: it became shorter meanwhile", "Stop what writes it")
            left -= len(chunk)
            yield chunk
    finally:
        os.close(descriptor)
    if size % 512:
        yield padding(size)


def _open(root: int, path: bytes) -> int:
    try:
        return openat2.open_beneath(root, path or b".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LayerError(f"cannot pack {os.fsdecode(path)[:80]}: {(error.strerror or '').lower()}") from error


def _is_opaque(directory: int) -> bool:
    return any(xattr.get(directory, name) is not None for name in _OPAQUE_XATTRS)
