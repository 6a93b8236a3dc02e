"""Tars written byte by byte, so that they can be wrong in every way. Knows nothing of the product's own writer."""

from __future__ import annotations

from collections.abc import Iterable

BLOCK = 512
END = bytes(2 * BLOCK)

FILE, LINK, SYMLINK, CHAR, BLOCKDEV, DIR, FIFO = (bytes([c]) for c in b"0123456")


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def base256(value: int, width: int) -> bytes:
    """GNU's form of numbers that octal digits cannot hold."""
    raw = bytearray((value & ((1 << 8 * width) - 1)).to_bytes(width, "big"))
    raw[0] |= 0x80
    return bytes(raw)


def header(
    name: bytes,
    kind: bytes = FILE,
    size: int = 0,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
    gnu: bool = False,
    tail: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One block. `tail` replaces what stands from byte 345 on, `checksum` the right one."""
    numbers = [
        octal(mode, 8),
        octal(uid, 8) if 0 <= uid < 8**7 else base256(uid, 8),
        octal(gid, 8) if 0 <= gid < 8**7 else base256(gid, 8),
        octal(size, 12) if 0 <= size < 8**11 else base256(size, 12),
        octal(mtime, 12) if 0 <= mtime < 8**11 else base256(mtime, 12),
    ]
    head = name[:100].ljust(100, b"\0") + b"".join(numbers)
    rest = kind + link[:100].ljust(100, b"\0") + (b"ustar  \0" if gnu else b"ustar\x0000")
    rest += bytes(64) + octal(device[0], 8) + octal(device[1], 8)
    rest += (tail or prefix).ljust(167, b"\0")
    if checksum is None:
        checksum = b"%06o\0 " % (sum(head) + 8 * 32 + sum(rest))
    return head + checksum + rest


def patched(block: bytes, at: int, data: bytes) -> bytes:
    """A header with other bytes at one place and the checksum that belongs to them."""
    block = block[:at] + data + block[at + len(data) :]
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def record(key: bytes, value: bytes) -> bytes:
    """One PAX record."""
    length = len(key) + len(value) + 3
    while len(b"%d" % length) + len(key) + len(value) + 3 != length:
        length = len(b"%d" % length) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """An extended header for the member that follows."""
    body = b"".join(record(*item) for item in records)
    return header(b"PaxHeaders/x", kind, len(body)) + padded(body)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    """GNU's long name (L) or long link (K) for the member that follows."""
    return header(b"././@LongLink", kind, len(name) + 1, gnu=True) + padded(name + b"\0")


def file(name: bytes, data: bytes = b"", **fields: object) -> bytes:
    return header(name, FILE, len(data), **fields) + padded(data)  # type: ignore[arg-type]


def directory(name: bytes, mode: int = 0o755, **fields: object) -> bytes:
    return header(name, DIR, mode=mode, **fields)  # type: ignore[arg-type]


def symlink(name: bytes, target: bytes, **fields: object) -> bytes:
    return header(name, SYMLINK, mode=0o777, link=target, **fields)  # type: ignore[arg-type]


def hardlink(name: bytes, target: bytes, **fields: object) -> bytes:
    return header(name, LINK, link=target, **fields)  # type: ignore[arg-type]


def tar(*members: bytes, end: bytes = END) -> bytes:
    return b"".join(members) + end


def old_sparse(name: bytes, size: int, segments: list[tuple[int, bytes]], unaligned: bool = False) -> bytes:
    """A sparse member in GNU's old format: four entries in its header, 21 in each block that follows."""
    entries = [octal(at, 12) + octal(len(data), 12) for at, data in segments]
    stored = b"".join(data for _, data in segments)
    first = b"".join(entries[:4]).ljust(96, b"\0")
    tail = bytes(41) + first + (b"\1" if len(entries) > 4 else b"\0") + octal(size, 12)
    blocks = header(name, b"S", len(stored), gnu=True, tail=tail)
    rest = entries[4:]
    while rest:
        here, rest = rest[:21], rest[21:]
        blocks += (b"".join(here).ljust(504, b"\0") + (b"\1" if rest else b"\0")).ljust(BLOCK, b"\0")
    return blocks + padded(stored)


def pax_sparse(name: bytes, size: int, segments: list[tuple[int, bytes]], version: str) -> bytes:
    """A sparse member in one of the three PAX formats."""
    stored = b"".join(data for _, data in segments)
    flat = [number for at, data in segments for number in (at, len(data))]
    g = b"GNU.sparse."
    if version == "0.0":
        pairs = [(g + (b"offset", b"numbytes")[i % 2], b"%d" % number) for i, number in enumerate(flat)]
        return pax((g + b"size", b"%d" % size), (g + b"numblocks", b"%d" % len(segments)), *pairs) + file(name, stored)
    if version == "0.1":
        listed = b",".join(b"%d" % number for number in flat)
        head = pax((g + b"size", b"%d" % size), (g + b"map", listed), (g + b"name", name))
        return head + file(b"GNUSparseFile.0/x", stored)
    front = padded(b"%d\n" % len(segments) + b"".join(b"%d\n" % number for number in flat))
    head = pax((g + b"major", b"1"), (g + b"minor", b"0"), (g + b"name", name), (g + b"realsize", b"%d" % size))
    return head + file(b"GNUSparseFile.0/x", front + stored)


def expand(size: int, segments: Iterable[tuple[int, bytes]]) -> bytes:
    """What a sparse file reads as."""
    content = bytearray(size)
    for at, data in segments:
        content[at : at + len(data)] = data
    return bytes(content)
