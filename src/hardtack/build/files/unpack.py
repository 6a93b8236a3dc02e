"""ADD of an archive: told by its bytes, whatever its name, and unpacked into the destination.

Headers are read by the same bounded reader as layers'. Names stay below the destination, links among the parents are
followed inside the root file system only, `..` is refused. Compression is undone in-process.
"""

from __future__ import annotations

import os
import stat

from hardtack.build.context.hashing import check_unchanged, open_unchanged
from hardtack.build.errors import BuildError, printable
from hardtack.build.files.copier import write_all
from hardtack.build.files.target import Target, TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hardtack.build.context.select import Found
    from hardtack.build.context.tree import Tree
    from hardtack.build.files.permissions import Owner
    from hardtack.store.layer.member import Member

_CHUNK = 1 << 18
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_BYTES = 1 << 40
XZ_MEMORY = 512 << 20  # xz -9 asks for 65 MiB; a header can ask for 4 GiB
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


class BadArchive(BuildError):
    """An archive that begins well and goes on badly.

    Attributes:
        path: of the archive; `member`: the name in it that is at fault, "" for none.
    """

    def __init__(self, path: str, reason: str, member: str = "") -> None:
        super().__init__(f"cannot unpack {path!r}: {f'its member {printable(member)!r}: ' if member else ''}{reason}")
        self.path = path
        self.reason = reason
        self.member = member


class _Refused(Exception):
    """A member that is not made; says which and why."""

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(reason)
        self.member = member


def compression_of(head: bytes) -> str:
    """How a file is compressed by its first bytes: gzip, bzip2, xz, zstd or ""."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def decompressed(source: int, kind: str, piece: int = _CHUNK) -> Iterator[bytes]:
    """The bytes of a file with its compression undone, in pieces of a bounded size and with bounded memory.

    Raises:
        ValueError: damaged, or cut short.
    """
    if not kind:
        while chunk := os.read(source, piece):
            yield chunk
        return
    pieces = _gunzipped(source, piece) if kind == "gzip" else _decoded(source, _decoder(kind), piece, kind == "xz")
    try:
        yield from pieces
    except (OSError, EOFError) as error:
        raise ValueError(f"its {kind} stream is damaged ({error})") from None
    except Exception as error:
        if type(error).__name__ not in ("LZMAError", "ZstdError", "IsalError", "error"):
            raise
        raise ValueError(f"its {kind} stream is damaged ({error})") from None


def _gunzipped(source: int, piece: int) -> Iterator[bytes]:
    from isal import igzip

    opened: Any = igzip.IGzipFile
    with os.fdopen(os.dup(source), "rb") as file, opened(fileobj=file, mode="rb") as reader:
        while chunk := reader.read(piece):
            yield chunk


def _decoder(kind: str) -> Callable[[], Any]:
    if kind == "bzip2":
        import bz2

        return bz2.BZ2Decompressor
    if kind == "xz":
        import lzma

        return lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY)
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # Python 3.14
    except ImportError:
        from backports import zstd

    return zstd.ZstdDecompressor  # type: ignore[no-any-return,unused-ignore]


def _decoded(source: int, make: Callable[[], Any], piece: int, padded: bool) -> Iterator[bytes]:
    """Streams that follow one another; xz may have zeros between them."""
    decoder, data = make(), os.read(source, _CHUNK)
    while True:
        found = decoder.decompress(data, piece)
        if found:
            yield found
        data = b""
        if decoder.eof:
            data = decoder.unused_data or os.read(source, _CHUNK)
            while padded and data and not data.strip(b"\0"):
                data = os.read(source, _CHUNK)
            if not data:
                return
            decoder, data = make(), data.lstrip(b"\0") if padded else data
        elif decoder.needs_input:
            data = os.read(source, _CHUNK)
            if not data:
                raise EOFError("it ends too early")


def is_archive(source: int) -> bool:
    """Whether a file is a tar, compressed or not: its first header has a right checksum."""
    kind = compression_of(os.pread(source, 6, 0))
    head = b""
    os.lseek(source, 0, os.SEEK_SET)
    try:
        for chunk in decompressed(source, kind, 512):
            head += chunk
            if len(head) >= 512:
                break
    except ValueError:
        return False
    finally:
        os.lseek(source, 0, os.SEEK_SET)
    return len(head) >= 512 and is_header(head[:512])


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a tar's member. Source: POSIX, pax, ustar interchange format."""
    digits = block[148:156].strip(b" \0")
    if not block[0] or not digits or digits.strip(b"01234567"):
        return False
    total = sum(block) - sum(block[148:156]) + 8 * 32
    return int(digits, 8) == total


def unpack_file(tree: Tree, found: Found, target: Target, destination: str, owner: Owner | None) -> bool:
    """Unpack a file of a tree if it is an archive.

    Args:
        destination: the folder to unpack into, without links; made when it is missing.
        owner: of everything in it; None keeps the archive's.
    Returns:
        False when it is none; nothing was done then.
    Raises:
        BadArchive: damaged, hostile, or larger than any real one.
        TargetError: a file is in the way.
    """
    if not stat.S_ISREG(found.stat.st_mode) or found.stat.st_size == 0:
        return False
    source = open_unchanged(tree, found)
    try:
        if not is_archive(source):
            return False
        target.make_folders(destination, 0o755, owner or (0, 0))
        unpack(source, found.path, target, destination, owner)
        check_unchanged(tree, found, os.fstat(source))
    finally:
        os.close(source)
    return True


def unpack(source: int, name: str, target: Target, destination: str, owner: Owner | None, plain: bool = False) -> None:
    """Unpack a tar from its beginning.

    Args:
        name: for errors.
        plain: only folders, files and links, owned by us: a context.
    Raises:
        BadArchive: as `unpack_file`.
    """
    from hardtack.store.layer.errors import LayerError
    from hardtack.store.layer.member import Limits
    from hardtack.store.layer.tarscan import Scanner

    unpacker = Unpacker(target, destination, owner, plain)
    scanner = Scanner(unpacker, Limits(tar_bytes=MAX_BYTES), whiteouts=False)
    try:
        for chunk in decompressed(source, compression_of(os.pread(source, 6, 0))):
            scanner.feed(chunk)
        scanner.finish()
        unpacker.finish()
    except _Refused as error:
        raise BadArchive(name, str(error), error.member) from None
    except LayerError as error:
        raise BadArchive(name, getattr(error, "why", error.message), getattr(error, "member", "")) from None
    except ValueError as error:
        raise BadArchive(name, str(error)) from None
    finally:
        unpacker.close()


class Unpacker:
    """Receives the members of an archive and makes them."""

    def __init__(self, target: Target, destination: str, owner: Owner | None, plain: bool) -> None:
        self.target = target
        self.destination = destination
        self.owner = owner
        self.plain = plain
        self.folders: list[tuple[str, Member]] = []
        self.open_file: int = -1
        self.member_now: Member | None = None
        self.path = ""
        self.segments: list[tuple[int, int]] = []
        self.known: dict[str, str] = {}  # where folders lead to, as long as none of them is taken away

    def member(self, member: Member) -> bool:
        """Make the next member; True asks for a file's bytes."""
        self._close()
        name = os.fsdecode(member.path)
        if not name:
            return False  # the destination itself stays as it is
        path = self._place(name)
        if self.plain and member.kind not in ("f", "d", "l", "h"):
            raise _Refused(name, "a context holds files, folders and links only")
        if name.rpartition("/")[2].startswith(".wh."):
            raise _Refused(name, "layers have another use for names that begin with .wh.")
        if member.kind == "d":
            self._folder(path, member)
            return False
        self._clear(path)
        if member.kind == "f":
            return self._begin(path, member)
        if member.kind == "h":
            self._link(path, member)
            return False
        folder, last = self.target.enter(path)
        if member.kind == "l":
            os.symlink(member.link, os.fsencode(last), dir_fd=folder)
        else:
            kind = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[member.kind]
            if kind == stat.S_IFCHR and (member.major, member.minor) == (0, 0):
                raise _Refused(name, "a device 0:0 means a removed file in layers")
            os.mknod(last, kind | 0o600, os.makedev(member.major, member.minor), dir_fd=folder)
        self._finish(path, member)
        return False

    def payload(self, chunk: memoryview) -> None:
        """Write the next stored bytes of the file that is open, into its segments when it has holes."""
        while chunk:
            if self.member_now is None or self.member_now.sparse is None:
                write_all(self.open_file, chunk)
                return
            while self.segments and not self.segments[0][1]:
                self.segments.pop(0)
            if not self.segments:
                return
            offset, length = self.segments[0]
            piece = chunk[:length]
            done = os.pwrite(self.open_file, piece, offset)
            self.segments[0] = (offset + done, length - done)
            chunk = chunk[done:]

    def finish(self) -> None:
        """Close the last file, and give folders the times that filling them changed."""
        self._close()
        for path, member in reversed(self.folders):
            self._times(path, member)

    def close(self) -> None:
        """Let go of a file that was left open by a failure."""
        if self.open_file >= 0:
            os.close(self.open_file)
            self.open_file = -1

    def _place(self, name: str) -> str:
        """Where a name goes: links among its parents are followed inside the root, missing parents are made."""
        parent, _, last = name.rpartition("/")
        folder = self.known.get(parent)
        if folder is None:
            folder = self.target.resolve(f"{self.destination}/{parent}")
            try:
                self.target.make_folders(folder, 0o755, self.owner or (0, 0))
            except TargetError as error:
                raise _Refused(name, error.reason) from None
            self.known[parent] = folder
        return f"{folder}/{last}" if folder else last

    def _clear(self, path: str) -> None:
        found = self.target.find(path)
        if found is None:
            return
        self.known.clear()
        if stat.S_ISDIR(found.st_mode):
            self.target.remove_folder(path)
        else:
            self.target.make_room(path)

    def _folder(self, path: str, member: Member) -> None:
        found = self.target.find(path)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            self._clear(path)
            found = None
        if found is None:
            folder, last = self.target.enter(path)
            os.mkdir(last, 0o700, dir_fd=folder)
        self._finish(path, member)
        self.folders.append((path, member))

    def _begin(self, path: str, member: Member) -> bool:
        folder, last = self.target.enter(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.open_file = os.open(last, flags, 0o600, dir_fd=folder)
        self.member_now, self.path = member, path
        self.segments = list(member.sparse or ())
        if member.sparse is not None:
            os.ftruncate(self.open_file, member.size)
        return True

    def _close(self) -> None:
        if self.open_file >= 0 and self.member_now is not None:
            self.close()
            self._finish(self.path, self.member_now)

    def _link(self, path: str, member: Member) -> None:
        first = self._place(os.fsdecode(member.link))
        if first == path:
            return
        source, source_name = self._opened_parent(first)
        folder, last = self.target.enter(path)
        try:
            os.link(source_name, last, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise _Refused(os.fsdecode(member.path), f"its hard link leads to nothing ({error.strerror})") from None
        finally:
            os.close(source)

    def _opened_parent(self, path: str) -> tuple[int, str]:
        from hardtack.build.context.tree import open_folder

        parent, _, name = path.rpartition("/")
        return open_folder(self.target.root, parent), name

    def _finish(self, path: str, member: Member) -> None:
        if not self.plain:
            self.target.set_owner(path, self.owner or (member.uid, member.gid))
        if member.kind != "l":
            self.target.set_mode(path, member.mode)
            self._attributes(path, member)
        self._times(path, member)

    def _attributes(self, path: str, member: Member) -> None:
        for name, value in ({} if self.plain else member.xattrs or {}).items():
            if name == b"security.capability" or name.startswith(b"user."):
                folder, last = self.target.enter(path)
                descriptor = os.open(
                    last or ".", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
                )
                try:
                    os.setxattr(descriptor, name, value)
                finally:
                    os.close(descriptor)

    def _times(self, path: str, member: Member) -> None:
        folder, last = self.target.enter(path)
        moment = member.mtime * 1_000_000_000 + member.nsec
        os.utime(last or ".", ns=(moment, moment), dir_fd=folder, follow_symlinks=False)
