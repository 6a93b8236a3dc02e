"""What extended headers say about the member that follows them: GNU long names, PAX records, sparse maps.

Collects until the member's own header comes, then answers for its fields. Pure; raises `ValueError` with a reason.
"""

from __future__ import annotations

from hardtack.store.layer.member import Limits
from hardtack.store.layer.tarfields import (
    XATTR_PREFIX,
    pairs,
    pax_number,
    pax_records,
    pax_time,
    text,
    wanted_xattr,
)

_SPARSE = b"GNU.sparse."
_SPARSE_PARTS = (_SPARSE + b"offset", _SPARSE + b"numbytes")
_KNOWN = frozenset(
    [b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"]
    + [_SPARSE + key for key in (b"name", b"major", b"minor", b"realsize", b"size", b"map")]
)
_VALUE_LIMIT = 0xFFFF


class Extensions:
    """The extended headers in front of one member.

    Attributes:
        any: some were read, so a member must follow.
        xattrs: of the member, or None.
    """

    __slots__ = ("_limits", "_link", "_map", "_name", "_pax", "_xattr_bytes", "any", "xattrs")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.any = False
        self._name = b""
        self._link = b""
        self._pax: dict[bytes, bytes] = {}
        self._map: list[int] = []
        self.xattrs: dict[bytes, bytes] | None = None
        self._xattr_bytes = 0

    def take(self, flag: bytes, content: bytes) -> None:
        """Note an extended header's content; flags are those of the header that carried it."""
        if flag == b"L":
            self._name = text(content)
        elif flag == b"K":
            self._link = text(content)
        elif flag in b"xX":
            for key, value in pax_records(content):
                self._record(key, value)
        else:  # global headers and volume labels describe no member
            return
        self.any = True

    def _record(self, key: bytes, value: bytes) -> None:
        if key.startswith(XATTR_PREFIX):
            self._xattr(key[len(XATTR_PREFIX) :], value)
        elif key in _SPARSE_PARTS:  # format 0.0 repeats them
            self._map.append(pax_number(value))
            if len(self._map) > 2 * self._limits.segments:
                raise ValueError("a sparse file has too many segments")
        elif key not in _KNOWN:
            return
        elif value:
            self._pax[key] = value
        else:
            self._pax.pop(key, None)  # an empty value takes the record back

    def _xattr(self, name: bytes, value: bytes) -> None:
        if not wanted_xattr(name):
            return
        if self.xattrs is None:
            self.xattrs = {}
        self.xattrs[name] = value
        self._xattr_bytes += len(name) + len(value)
        if len(value) > _VALUE_LIMIT or self._xattr_bytes > self._limits.xattr_bytes:
            raise ValueError("the extended attributes of a member are too large")

    def name(self, header: bytes) -> bytes:
        """The member's name: GNU's sparse name, PAX, GNU long name, or that of its header."""
        return self._text(self._pax.get(_SPARSE + b"name") or self._pax.get(b"path") or self._name or header)

    def link(self, header: bytes) -> bytes:
        """The member's link target."""
        return self._text(self._pax.get(b"linkpath") or self._link or header)

    def number(self, key: bytes, header: int) -> int:
        """A number that a record may override: `size`, `uid`, `gid`."""
        value = self._pax.get(key)
        return header if value is None else pax_number(value)

    def time(self, header: int) -> tuple[int, int]:
        """Modification time, seconds and nanoseconds."""
        value = self._pax.get(b"mtime")
        return (header, 0) if value is None else pax_time(value)

    @property
    def map_in_data(self) -> bool:
        """Whether the sparse map stands in front of the data (format 1.0)."""
        return self._pax.get(_SPARSE + b"major") == b"1" and self._pax.get(_SPARSE + b"minor") == b"0"

    def real_size(self) -> int | None:
        """The length of a sparse file with its holes, None when it is not sparse."""
        value = self._pax.get(_SPARSE + b"realsize") or self._pax.get(_SPARSE + b"size")
        return None if value is None else pax_number(value)

    def segments(self) -> list[tuple[int, int]] | None:
        """The sparse map of formats 0.0 and 0.1, None when there is none."""
        listed = self._pax.get(_SPARSE + b"map")
        if listed is not None:
            values = listed.split(b",", 2 * self._limits.segments + 1)
            if len(values) > 2 * self._limits.segments:
                raise ValueError("a sparse file has too many segments")
            return pairs([pax_number(value) for value in values])
        return pairs(self._map) if self._map else None

    @staticmethod
    def _text(name: bytes) -> bytes:
        if b"\0" in name:
            raise ValueError("a name contains NUL")
        return name


def lines_in_front(front: bytes | bytearray, segments: int) -> int:
    """How many lines the sparse map of format 1.0 has: the first says how many pairs of lines follow.

    Args:
        front: at least the first line.
        segments: the most that is accepted.
    """
    count = pax_number(bytes(front[:32]).partition(b"\n")[0])
    if not 0 <= count <= segments:
        raise ValueError("a sparse file has too many segments")
    return 1 + 2 * count


def map_in_front(front: bytes, lines: int) -> list[tuple[int, int]]:
    """The sparse map of format 1.0: decimal lines after the first one, filled up to a block with NULs."""
    return pairs([pax_number(line) for line in front.split(b"\n", lines)[1:lines]])
