"""Tar headers for members: ustar where the fields fit, PAX records in front where they do not. Pure and deterministic.

Times are whole seconds and owners are numbers, as in the layers that other engines make. Source: POSIX.1-2017, pax.
"""

from __future__ import annotations

import struct

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
from hardtack.store.layer.tarfields import BLOCK as BLOCK_SIZE
from hardtack.store.layer.tarfields import XATTR_PREFIX
from hardtack.store.layer.whiteout import OPAQUE_NAME, written_name

_pack = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x").pack
_FLAGS = {FILE: b"0", HARDLINK: b"1", SYMLINK: b"2", CHARACTER: b"3", BLOCK: b"4", DIRECTORY: b"5", FIFO: b"6"}
_SHORT, _LONG = 7, 11  # octal digits of a field of 8 and of 12 bytes

END = bytes(2 * BLOCK_SIZE)
"""What stands behind the last member."""


def header(member: Member) -> bytes:
    """The header of a member, with what has to stand in front of it; its data and padding follow.

    Whiteouts and opaque marks become the empty files that stand for them in a layer's tar.
    """
    if member.kind in (WHITEOUT, OPAQUE):
        name = written_name(member.path) if member.kind == WHITEOUT else _join(member.path, OPAQUE_NAME)
        member = Member(FILE, name, 0o600, mtime=member.mtime)
    name = member.path or b"."
    if member.kind == DIRECTORY:
        name += b"/"
    records: list[tuple[bytes, bytes]] = []
    prefix, short = _split(name)
    if short is None:
        records.append((b"path", name))
        prefix, short = b"", name[:100]
    if len(member.link) > 100:
        records.append((b"linkpath", member.link))
    uid = _number(b"uid", member.uid, _SHORT, records)
    gid = _number(b"gid", member.gid, _SHORT, records)
    size = _number(b"size", member.size, _LONG, records)
    mtime = _number(b"mtime", member.mtime, _LONG, records)
    records += [(XATTR_PREFIX + key, value) for key, value in sorted((member.xattrs or {}).items())]
    block = _ustar(short, member.mode, uid, gid, size, mtime, _FLAGS[member.kind], member, prefix)
    return _extended(short, records) + block if records else block


def padding(size: int) -> bytes:
    """What fills a member's data up to a block."""
    return bytes(-size % BLOCK_SIZE)


def _ustar(
    name: bytes,
    mode: int,
    uid: bytes,
    gid: bytes,
    size: bytes,
    mtime: bytes,
    flag: bytes,
    member: Member | None,
    prefix: bytes = b"",
) -> bytes:
    link = member.link[:100] if member is not None else b""
    major, minor = (member.major, member.minor) if member is not None else (0, 0)
    fields = [name, b"%07o\0" % mode, uid, gid, size, mtime, b" " * 8, flag, link, b"ustar\x0000", b"", b""]
    fields += [b"%07o\0" % major, b"%07o\0" % minor, prefix]
    checksum = sum(_pack(*fields))
    fields[6] = b"%06o\0 " % checksum
    return _pack(*fields)


def _extended(name: bytes, records: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(_record(key, value) for key, value in records)
    shown = b"PaxHeaders.0/" + name.rstrip(b"/").rpartition(b"/")[2]
    head = _ustar(shown[:100], 0o644, _octal(0, 7), _octal(0, 7), _octal(len(body), 11), _octal(0, 11), b"x", None)
    return head + body + padding(len(body))


def _record(key: bytes, value: bytes) -> bytes:
    """One record; its length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _number(key: bytes, value: int, digits: int, records: list[tuple[bytes, bytes]]) -> bytes:
    if 0 <= value < 8**digits:
        return _octal(value, digits)
    records.append((key, b"%d" % value))
    return _octal(0, digits)


def _octal(value: int, digits: int) -> bytes:
    return b"%0*o\0" % (digits, value)


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """A name as ustar's prefix and name; (b"", None) when it does not fit."""
    if len(name) <= 100:
        return b"", name
    slash = name.find(b"/", max(0, len(name) - 101))
    if 0 < slash <= 155 and slash < len(name) - 1:
        return name[:slash], name[slash + 1 :]
    return b"", None


def _join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name
