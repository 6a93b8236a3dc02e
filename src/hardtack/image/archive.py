"""Archives of images as names and bytes: a tar, plain or compressed, from a file or a pipe; or a directory.

Names are relative and plain, links stay inside, nothing occurs twice; whatever the archive claims beyond that is for
its readers to verify. A tar in a regular file is read where it lies; a compressed one, or one out of a pipe, goes
through an unnamed file in the store first.
"""

from __future__ import annotations

import io
import mmap
import os
import stat
import tempfile

from hardtack.image.compressed import plain_stream
from hardtack.image.errors import ImageError
from hardtack.store.disk import is_full
from hardtack.store.errors import StoreFull
from hardtack.store.layer.errors import BadTar, LayerError, LayerTooLarge
from hardtack.store.layer.member import DIRECTORY, FILE, HARDLINK, SYMLINK, Limits
from hardtack.store.layer.tarscan import Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from hardtack.store.layer.member import Member
    from hardtack.store.root import Root

_CHUNK = 1 << 20
_STEP = 64 << 20
_LINKS = 16
_LIMITS = Limits(tar_bytes=1 << 43, members=500_000, depth=32)


class ArchiveError(ImageError):
    """An archive that cannot be read, or that is not what it says.

    Attributes:
        why: the reason alone.
    """

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(f"cannot read the archive: {why}", hint)
        self.why = why


class Archive:
    """What both kinds offer; a with-block closes it."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        raise NotImplementedError

    def open(self, name: str) -> BinaryIO:
        """The file's bytes.

        Raises:
            ArchiveError: there is none.
        """
        raise NotImplementedError

    def size(self, name: str) -> int:
        """The file's length."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what was opened."""
        raise NotImplementedError

    def read(self, name: str, limit: int) -> bytes:
        """All bytes of a small file.

        Raises:
            ArchiveError: there is none, or it is larger than `limit`.
        """
        if self.size(name) > limit:
            raise ArchiveError(f"{name} has {self.size(name):,} bytes where at most {limit:,} are accepted")
        with self.open(name) as file:
            return file.read()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_archive(root: Root, source: str | BinaryIO) -> Archive:
    """Open an archive.

    Args:
        source: a path of a file or a directory, or a stream of bytes.
    Raises:
        ArchiveError: it cannot be opened, is no tar, or is damaged.
        StoreFull: no space for the bytes of a pipe or of a compressed archive.
    """
    if isinstance(source, str):
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ArchiveError(f"{source}: {(error.strerror or str(error)).lower()}") from error
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            return FolderArchive(descriptor)
        source = open(descriptor, "rb", buffering=0)
    try:
        return TarArchive(_seekable(root, source))
    finally:
        source.close()


class TarArchive(Archive):
    """A tar in a regular file or in an unnamed one.

    Args:
        descriptor: of a plain tar; closed with the archive.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        self._directories: set[str] = set()
        try:
            self._scan()
        except BaseException:
            os.close(descriptor)
            raise

    def has(self, name: str) -> bool:
        return self._target(name) is not None

    def size(self, name: str) -> int:
        return self._place(name)[1]

    def open(self, name: str) -> BinaryIO:
        offset, size = self._place(name)
        return io.BufferedReader(_Slice(self._descriptor, offset, size), _CHUNK)

    def close(self) -> None:
        os.close(self._descriptor)

    def member(self, member: Member) -> bool:
        """Take a member from the scanner."""
        name = member.path.decode("utf-8", "surrogateescape")
        if member.kind == DIRECTORY:
            self._directories.add(name)
            return False
        if name in self._files or name in self._links:
            raise ArchiveError(f"{name} occurs in it twice")
        if member.kind == FILE and member.sparse is None:
            self._files[name] = (member.offset, member.size)
        elif member.kind == HARDLINK:
            self._links[name] = member.link.decode("utf-8", "surrogateescape")
        elif member.kind == SYMLINK:
            self._links[name] = _resolve(name, member.link.decode("utf-8", "surrogateescape"))
        else:
            raise ArchiveError(f"{name} is neither a file nor a directory nor a link")
        return False

    def payload(self, chunk: memoryview) -> None:
        """Never asked for."""

    def _scan(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if not size:
            raise ArchiveError("it is empty")
        scanner = Scanner(self, _LIMITS, whiteouts=False)
        try:
            # Mapped, so that of large files in it only the headers are read. Not closed here: while an error is on
            # its way up, its frames still hold pieces of the view.
            view = memoryview(mmap.mmap(self._descriptor, size, prot=mmap.PROT_READ))
            for start in range(0, size, _STEP):
                scanner.feed(view[start : start + _STEP])
            scanner.finish()
        except BadTar as error:
            if not error.offset and "checksum" in error.why:
                raise ArchiveError("it is no tar") from error
            raise ArchiveError(f"its tar cannot be read at byte {max(error.offset, 0):,}: {error.why}") from error
        except LayerTooLarge as error:
            raise ArchiveError(f"it has more than {error.limit:,} {error.what}") from error

    def _target(self, name: str) -> str | None:
        for _ in range(_LINKS):
            if name not in self._links:
                return name if name in self._files else None
            name = self._links[name]
        raise ArchiveError(f"the links of {name} go in circles")

    def _place(self, name: str) -> tuple[int, int]:
        target = self._target(name)
        if target is None:
            raise ArchiveError(f"it does not hold {name}")
        return self._files[target]


class FolderArchive(Archive):
    """A directory, such as an unpacked OCI layout; symbolic links in it are not followed.

    Args:
        descriptor: of the directory; closed with the archive.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def has(self, name: str) -> bool:
        try:
            self.open(name).close()
        except ArchiveError:
            return False
        return True

    def size(self, name: str) -> int:
        with self.open(name) as file:
            return os.fstat(file.fileno()).st_size

    def open(self, name: str) -> BinaryIO:
        from hardtack.linux.openat2 import open_beneath

        try:
            descriptor = open_beneath(self._descriptor, name, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ArchiveError(f"it does not hold {name} ({(error.strerror or str(error)).lower()})") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ArchiveError(f"{name} is no regular file")
        return open(descriptor, "rb")

    def close(self) -> None:
        os.close(self._descriptor)


class _Slice(io.RawIOBase):
    """Some bytes of a file as a file."""

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._position = offset
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = os.pread(self._descriptor, min(len(buffer), self._left), self._position)
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        self._left -= len(chunk)
        return len(chunk)


def chunks(file: BinaryIO, size: int = _CHUNK) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    while chunk := file.read(size):
        yield chunk


def _resolve(name: str, target: str) -> str:
    """Where a symbolic link in the archive leads, as a name of the archive.

    Raises:
        ArchiveError: outside.
    """
    parts = name.split("/")[:-1]
    if target.startswith("/"):
        raise ArchiveError(f"{name} is a link to {target}, outside of it")
    for part in target.split("/"):
        if part == "..":
            if not parts:
                raise ArchiveError(f"{name} is a link to {target}, outside of it")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _seekable(root: Root, source: BinaryIO) -> int:
    """A descriptor of the plain tar in a regular file: the source itself where it is one."""
    try:
        regular = stat.S_ISREG(os.fstat(source.fileno()).st_mode) and source.tell() == 0
    except (OSError, AttributeError, io.UnsupportedOperation):
        regular = False
    stream, compressed = plain_stream(source)
    if regular and not compressed:
        return os.dup(source.fileno())
    try:
        with tempfile.TemporaryFile(dir=root.tmp, buffering=0) as spool:
            for chunk in chunks(stream):
                rest = memoryview(chunk)
                while rest:
                    rest = rest[spool.write(rest) :]
            return os.dup(spool.fileno())
    except LayerError as error:
        raise ArchiveError(error.message.partition(": ")[2] or error.message) from error
    except OSError as error:
        if is_full(error):
            raise StoreFull("unpack the archive") from error
        raise
