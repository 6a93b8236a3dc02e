"""The fields of tar headers as pure functions: numbers, checksums, names, extended records, sparse maps.

Everything raises `ValueError` with a reason; the scanner knows the member and the place and turns it into `BadTar`.
Sources: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

import zlib

from hardtack.store.layer.member import NAME_LIMIT, PATH_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK = 512
_BLANKS = b" \0"
_NUMBER_LIMIT = 1 << 63

XATTR_PREFIX = b"SCHILY.xattr."
_XATTR_SPACES = (b"user.", b"security.", b"trusted.", b"system.posix_acl_access", b"system.posix_acl_default")
_XATTR_OURS = (b"trusted.overlay.", b"user.overlay.")  # a stranger must not speak overlayfs' own language


def checksum_matches(block: bytes) -> bool:
    """Whether a header's checksum field fits its 512 bytes.

    The sum of up to 257 bytes fits the low half of an Adler-32, which C computes 20 times faster than sum() does.
    Old tars summed signed bytes; both are accepted, as every reader does.
    """
    field = block[148:156]
    try:
        stated = number(field)
    except ValueError:
        return False
    actual = (zlib.adler32(block[:256]) & 0xFFFF) + (zlib.adler32(block[256:]) & 0xFFFF) - 2
    actual += 8 * 0x20 - sum(field)
    if stated == actual:
        return True
    rest = block[:148] + block[156:]
    return stated == actual - 256 * sum(byte > 127 for byte in rest)


def number(field: bytes) -> int:
    """A numeric field: octal digits between blanks, or base-256 with the first bit set (GNU)."""
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        if field[0] & 0x40:
            value -= 1 << bits
        if not -_NUMBER_LIMIT <= value < _NUMBER_LIMIT:
            raise ValueError("a number is too large")
        return value
    digits = field.strip(_BLANKS)
    if not digits:
        return 0
    if not digits.isdigit():
        digits = digits.partition(b"\0")[0].rstrip(_BLANKS)  # anything may follow the terminator
        if not digits.isdigit():
            raise ValueError("a number field holds no number")
    try:
        return int(digits, 8)
    except ValueError:
        raise ValueError("a number field is not octal") from None


class NumberCache(dict[bytes, int]):
    """`number` with a memory: modes and owners repeat from member to member."""

    def __missing__(self, field: bytes) -> int:
        value = number(field)
        if len(self) < 4096:
            self[field] = value
        return value


def text(field: bytes) -> bytes:
    """A name field: up to its first NUL."""
    end = field.find(0)
    return field if end < 0 else field[:end]


def plain_path(name: bytes, depth: int) -> bytes:
    """A member's name as a relative path without empty, `.` or `..` parts; absolute names lose their slash.

    Raises:
        ValueError: a part is `..`, or a length is beyond what the kernel can name.
    """
    if name[:2] == b"./":
        name = name[2:]
    if name[-1:] == b"/":
        name = name[:-1]
    if b"/." in name or b"//" in name or name[:1] in (b"/", b"."):
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            raise ValueError("a name climbs out with `..`")
        name = b"/".join(parts)
    if len(name) > NAME_LIMIT:
        if len(name) > PATH_LIMIT:
            raise ValueError(f"a name is longer than {PATH_LIMIT} bytes")
        if max(map(len, name.split(b"/"))) > NAME_LIMIT:
            raise ValueError(f"a part of a name is longer than {NAME_LIMIT} bytes")
        if name.count(b"/") >= depth:
            raise ValueError(f"a name is deeper than {depth} directories")
    elif name.count(b"/") >= depth:
        raise ValueError(f"a name is deeper than {depth} directories")
    return name


def pax_records(block: bytes) -> list[tuple[bytes, bytes]]:
    """The records `length key=value\\n` of an extended header, in order (keys of sparse maps repeat)."""
    records = []
    position, end = 0, len(block)
    while position < end:
        space = block.find(b" ", position, position + 20)
        digits = block[position:space] if space > 0 else b""
        if not digits.isdigit():
            if not block[position:].strip(b"\0"):
                break  # some writers pad with NUL
            raise ValueError("an extended header record has no length")
        stop = position + int(digits)
        equals = block.find(b"=", space, stop)
        if stop > end or equals < 0 or stop <= space + 1 or block[stop - 1] != 0x0A:
            raise ValueError("an extended header record is malformed")
        records.append((block[space + 1 : equals], block[equals + 1 : stop - 1]))
        position = stop
    return records


def pax_number(value: bytes) -> int:
    """A decimal value of an extended header."""
    digits = value[1:] if value[:1] == b"-" else value
    if not digits.isdigit() or len(digits) > 19:
        raise ValueError("an extended header holds a value that is no number")
    found = int(value)
    if not -_NUMBER_LIMIT <= found < _NUMBER_LIMIT:
        raise ValueError("an extended header holds a number that is too large")
    return found


def pax_time(value: bytes) -> tuple[int, int]:
    """Seconds and nanoseconds of a decimal time; digits beyond nanoseconds are dropped."""
    whole, _, fraction = value.partition(b".")
    if fraction and not fraction.isdigit():
        raise ValueError("an extended header holds a time that is none")
    seconds = 0 if whole in (b"", b"-") else pax_number(whole)
    nanoseconds = int(fraction[:9].ljust(9, b"0")) if fraction else 0
    if value[:1] == b"-" and nanoseconds:
        return seconds - 1, 1_000_000_000 - nanoseconds
    return seconds, nanoseconds


def wanted_xattr(name: bytes) -> bool:
    """Whether an attribute of that name may be set by a layer; others have no meaning here or a dangerous one."""
    if len(name) > NAME_LIMIT or name.startswith(_XATTR_OURS):
        return False
    if name[:7] == b"system.":
        return name in _XATTR_SPACES
    return name.startswith(_XATTR_SPACES[:3]) and name not in _XATTR_SPACES


def old_sparse(block: bytes, count: int, start: int) -> list[tuple[int, int]]:
    """Up to `count` entries of 12 + 12 bytes from `start` on; an entry of blanks ends the list. (Old GNU format.)"""
    entries = []
    for position in range(start, start + 24 * count, 24):
        first, second = block[position : position + 12], block[position + 12 : position + 24]
        if not first.strip(_BLANKS) and not second.strip(_BLANKS):
            break
        entries.append((number(first), number(second)))
    return entries


def pairs(values: Sequence[int]) -> list[tuple[int, int]]:
    """A flat list offset, length, offset, length … as pairs."""
    if len(values) % 2:
        raise ValueError("a sparse map has an odd number of values")
    return list(zip(values[::2], values[1::2], strict=True))


def data_segments(entries: list[tuple[int, int]], size: int, stored: int) -> list[tuple[int, int]]:
    """Check a sparse map and leave out its empty segments.

    Raises:
        ValueError: segments overlap, go back, pass the end, or are not as long together as the stored data.
    """
    position = total = 0
    for offset, length in entries:
        if length < 0 or offset < position or offset + length > size:
            raise ValueError("a sparse map contradicts itself")
        position = offset + length
        total += length
    if total != stored:
        raise ValueError("a sparse map does not fit the stored data")
    return [entry for entry in entries if entry[1]]
