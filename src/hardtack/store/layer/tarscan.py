"""Reading the headers of a layer's tar while its bytes arrive: `feed` chunks of any size, then `finish`.

Promises that every member handed on is valid and within the limits, that checksums were verified, and that a tar that
ends early or goes on after its end is an error. Reads ustar, old GNU and PAX headers, sparse ones included. What
becomes of a member is decided by the sink; stored bytes that it does not ask for are passed over without a copy.
"""

from __future__ import annotations

import struct

from hardtack.store.layer import tarfields, whiteout
from hardtack.store.layer.errors import BadTar, LayerTooLarge, TruncatedTar
from hardtack.store.layer.member import (
    BLOCK,
    CHARACTER,
    DEFAULT_LIMITS,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    PATH_LIMIT,
    SYMLINK,
    Limits,
    Member,
)
from hardtack.store.layer.tarextend import Extensions, lines_in_front, map_in_front

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Protocol

    class Sink(Protocol):
        """Who receives the members."""

        def member(self, member: Member) -> bool:
            """Take a member; True asks for its stored bytes."""
            ...

        def payload(self, chunk: memoryview) -> None:
            """Take the next stored bytes of the last member; they are valid during the call only."""
            ...

    Fields = tuple[bytes, ...]
    Segments = list[tuple[int, int]]
    Steps = Generator[tuple[int, int], bytes, None]  # asks for (how many bytes, what to do with them)
    Map = Generator[tuple[int, int], bytes, tuple[Segments, int] | None]

# name mode uid gid size mtime checksum type link magic+version (owner's names) major minor prefix
_unpack = struct.Struct("100s8s8s8s12s12s8sc100s8s64x8s8s155s12x").unpack
_NAME, _MODE, _UID, _GID, _SIZE, _MTIME, _, _FLAG, _LINK, _MAGIC, _MAJOR, _MINOR, _PREFIX = range(13)
_ZEROS = bytes(tarfields.BLOCK)
_USTAR = b"ustar\0"

_KINDS = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,
    b"S": FILE,
    b"1": HARDLINK,
    b"2": SYMLINK,
    b"3": CHARACTER,
    b"4": BLOCK,
    b"5": DIRECTORY,
    b"6": FIFO,
}
_EXTENSIONS = (b"x", b"X", b"g", b"L", b"K", b"V")
_ID_LIMIT = 0xFFFFFFFF
_MAJOR_LIMIT, _MINOR_LIMIT = 0xFFF, 0xFFFFF

# What is to be done with the bytes that the reader asks for.
_HEADER, _READ, _PASS, _SKIP, _ZERO = range(5)
_NEXT_HEADER = (tarfields.BLOCK, _HEADER)
_NEXT_BLOCK = (tarfields.BLOCK, _READ)
_ALL_THE_REST = (1 << 63, _ZERO)


class Scanner:
    """An incremental reader of one tar.

    Args:
        sink: receives the members in order.
        limits: beyond which a tar is refused.
        whiteouts: read `.wh.` names as whiteouts; False for tars that are no layers.
    Attributes:
        size: bytes fed so far.
        count: members handed to the sink so far.
        content: bytes of the files among them, holes included; an archive's member that comes twice counts twice.
    """

    def __init__(self, sink: Sink, limits: Limits = DEFAULT_LIMITS, whiteouts: bool = True) -> None:
        self.size = 0
        self.count = 0
        self.content = 0
        self._sink = sink
        self._limits = limits
        self._whiteouts = whiteouts
        self._numbers = tarfields.NumberCache()
        self._headers = 0
        self._extra = Extensions(limits)
        self._position = 0  # in the tar, of the next byte to be read
        self._offset = 0  # of the header being read
        self._held = bytearray()  # what has arrived of the bytes asked for
        self._reader = self._read_members()
        self._need, self._use = next(self._reader)

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the tar.

        Raises:
            BadTar: damaged or not acceptable.
            LayerTooLarge: beyond a limit.
        """
        view = chunk if isinstance(chunk, memoryview) else memoryview(chunk)
        base, at, size = self.size, 0, len(view)
        self.size += size
        if self.size > self._limits.tar_bytes:
            raise LayerTooLarge("bytes of tar", self._limits.tar_bytes)
        need, use, held, send = self._need, self._use, self._held, self._reader.send
        while at < size:
            step = min(need, size - at)
            piece = view[at : at + step]
            at += step
            need -= step
            block = b""
            if use <= _READ:
                if need or held:
                    held += piece
                if not need:
                    block = bytes(held or piece)
                    held.clear()
            elif use == _PASS:
                self._sink.payload(piece)
            elif use == _ZERO and bytes(piece) != bytes(step):
                raise BadTar("bytes follow the end of the archive", offset=base + at - step)
            if not need:
                self._position = base + at
                need, use = send(block)
        self._need, self._use = need, use

    def skip(self) -> int:
        """How many of the next bytes nobody wants; they count as fed, so the caller may leave them out."""
        if self._use != _SKIP:
            return 0
        skipped = self._need
        self.size += skipped
        self._position = self.size
        self._need, self._use = self._reader.send(b"")
        return skipped

    def finish(self) -> None:
        """Say that no more bytes come. A missing end of archive is forgiven, as everywhere; a cut member is not.

        Raises:
            TruncatedTar: the last member, or a header, is not whole.
        """
        if self._use not in (_HEADER, _ZERO) or self._held:
            raise TruncatedTar("it ends inside a member", offset=self._offset)
        if self._extra.any:
            raise TruncatedTar("it ends after an extended header", offset=self._offset)

    def _read_members(self) -> Steps:
        ended = False
        while True:
            block = yield _NEXT_HEADER
            self._offset = self._position - tarfields.BLOCK
            if block == _ZEROS:
                if ended:
                    break
                ended = True
                continue
            if ended:
                raise BadTar("a single block of zeros stands between members", offset=self._offset)
            fields = _unpack(block)
            if not tarfields.checksum_matches(block):
                raise BadTar("a header's checksum is wrong", offset=self._offset)
            try:
                self._headers += 1
                if self._headers > self._limits.members:
                    raise LayerTooLarge("members", self._limits.members)
                if fields[_FLAG] in _EXTENSIONS:
                    yield from self._read_extension(fields)
                    continue
                sparse = None
                if self._extra.any or fields[_FLAG] == b"S":
                    sparse = yield from self._read_sparse_map(block, fields)
                stored, wanted = self._take(block, fields, sparse)
            except ValueError as error:
                raise BadTar(str(error), tarfields.text(fields[_NAME]), self._offset) from None
            padding = -stored % tarfields.BLOCK
            if wanted and stored:
                yield stored, _PASS
                stored = 0
            if stored or padding:
                yield stored + padding, _SKIP
        if self._extra.any:
            raise BadTar("an extended header stands before the end", offset=self._offset)
        yield _ALL_THE_REST

    def _read_extension(self, fields: Fields) -> Steps:
        flag, size = fields[_FLAG], tarfields.number(fields[_SIZE])
        limit = PATH_LIMIT + 1 if flag in (b"L", b"K") else self._limits.pax_bytes
        if not 0 <= size <= limit:
            raise ValueError(f"an extended header has {size:,} bytes, more than {limit:,}")
        content = (yield size, _READ) if size else b""
        if size % tarfields.BLOCK:
            yield -size % tarfields.BLOCK, _SKIP
        self._extra.take(flag, content)

    def _read_sparse_map(self, block: bytes, fields: Fields) -> Map:
        """The data segments of a sparse file and how much of the payload the map itself takes; None for others."""
        if fields[_FLAG] == b"S":
            entries = tarfields.old_sparse(block, 4, 386)
            more = block[482]
            while more:
                block = yield _NEXT_BLOCK
                entries += tarfields.old_sparse(block, 21, 0)
                more = block[504]
                self._check_segments(len(entries))
            return entries, 0
        if _KINDS.get(fields[_FLAG]) != FILE:
            return None
        if not self._extra.map_in_data:
            listed = self._extra.segments()
            return None if listed is None else (listed, 0)
        size = self._extra.number(b"size", tarfields.number(fields[_SIZE]))
        front, seen, lines = bytearray(), 0, 0
        while not lines or seen < lines:
            if len(front) + tarfields.BLOCK > min(size, 48 * self._limits.segments):
                raise ValueError("a sparse map is longer than its member")
            block = yield _NEXT_BLOCK
            front += block
            seen += block.count(b"\n")
            lines = lines or lines_in_front(front, self._limits.segments)
        return map_in_front(bytes(front), lines), len(front)

    def _take(self, block: bytes, fields: Fields, sparse: tuple[Segments, int] | None) -> tuple[int, bool]:
        """Hand the member on. Returns how many stored bytes follow and whether the sink wants them."""
        kind = _KINDS.get(fields[_FLAG])
        if kind is None:
            raise ValueError(f"a member has the unknown type {fields[_FLAG]!r}")
        name, size, segments = self._name(fields), 0, None
        if kind == FILE:
            # Only files carry data, whatever the others' size fields say: as in Go's archive/tar, which made most.
            size = tarfields.number(fields[_SIZE])
            if self._extra.any:
                size = self._extra.number(b"size", size)
            if size < 0:
                raise ValueError("a member has a negative size")
        stored = size
        if kind == FILE and name[-1:] == b"/":  # how the oldest tars wrote directories
            kind, size = DIRECTORY, 0
        elif sparse is not None:
            stored -= sparse[1]
            size = self._real_size(block, fields)
            segments = tarfields.data_segments(sparse[0], size, stored)
        member = self._member(kind, name, size, segments, fields)
        if self._extra.any:
            self._extra = Extensions(self._limits)
        return stored, member is not None and self._sink.member(member)

    def _check_segments(self, count: int) -> None:
        if count > self._limits.segments:
            raise ValueError("a sparse file has too many segments")

    def _real_size(self, block: bytes, fields: Fields) -> int:
        size = tarfields.number(block[483:495]) if fields[_FLAG] == b"S" else self._extra.real_size()
        if size is None or size < 0:
            raise ValueError("a sparse file has no length")
        return size

    def _name(self, fields: Fields) -> bytes:
        name = tarfields.text(fields[_NAME])
        prefix = fields[_PREFIX]
        if prefix[0] and fields[_MAGIC][:6] == _USTAR:
            name = tarfields.text(prefix) + b"/" + name
        return self._extra.name(name) if self._extra.any else name

    def _member(self, kind: str, name: bytes, size: int, segments: Segments | None, fields: Fields) -> Member | None:
        """Make the member; None for one that means nothing here."""
        numbers, extra = self._numbers, self._extra
        path = tarfields.plain_path(name, self._limits.depth)
        if self._whiteouts and whiteout.MARK in path:
            marked = whiteout.read_name(path)
            if marked is not None:
                self.count += bool(marked[0])
                return Member(marked[0], marked[1], 0) if marked[0] else None
        if not path and kind != DIRECTORY:
            raise ValueError("the root of the layer is no directory")
        uid, gid, mtime, nsec = numbers[fields[_UID]], numbers[fields[_GID]], numbers[fields[_MTIME]], 0
        link = tarfields.text(fields[_LINK])
        if extra.any:
            uid, gid, link = extra.number(b"uid", uid), extra.number(b"gid", gid), extra.link(link)
            mtime, nsec = extra.time(mtime)
        if not (0 <= uid <= _ID_LIMIT and 0 <= gid <= _ID_LIMIT):
            raise ValueError("an owner's number is beyond 32 bits")
        member = Member(kind, path, numbers[fields[_MODE]] & 0o7777, uid, gid, size, mtime, nsec)
        member.offset, member.sparse, member.xattrs = self._position, segments, extra.xattrs
        if kind in (SYMLINK, HARDLINK):
            self._set_link(member, link)
        elif kind in (CHARACTER, BLOCK):
            member.major, member.minor = numbers[fields[_MAJOR]], numbers[fields[_MINOR]]
            if not (0 <= member.major <= _MAJOR_LIMIT and 0 <= member.minor <= _MINOR_LIMIT):
                raise ValueError("a device number is too large")
        self.count += 1
        self.content += size
        return member

    def _set_link(self, member: Member, link: bytes) -> None:
        if member.kind == HARDLINK:
            link = tarfields.plain_path(link, self._limits.depth)
        if not link or len(link) > PATH_LIMIT:
            raise ValueError("a link has no target, or one that is too long")
        member.link = link
