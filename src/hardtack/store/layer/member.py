"""One member of a layer's tar, valid once made: where it goes, what it is, and where its bytes lie in the tar.

Names are relative and plain (no empty part, no `.` or `..`); whiteouts are kinds of their own instead of names.
"""

from __future__ import annotations

FILE = "f"
DIRECTORY = "d"
SYMLINK = "l"
HARDLINK = "h"
CHARACTER = "c"
BLOCK = "b"
FIFO = "p"
WHITEOUT = "w"  # `path` does not exist any more in the layers below
OPAQUE = "o"  # directory `path` hides what the layers below have in it

FORMATS = {
    FILE: 0o100000,
    DIRECTORY: 0o040000,
    SYMLINK: 0o120000,
    CHARACTER: 0o020000,
    BLOCK: 0o060000,
    FIFO: 0o010000,
    WHITEOUT: 0o020000,
}
"""The file type bits of st_mode; a whiteout is a character device 0:0 in overlayfs' own form."""

PATH_LIMIT = 4095
NAME_LIMIT = 255


class Member:
    """A member as the tar describes it.

    Attributes:
        kind: one of the letters above.
        path: where it goes, relative to the root, b"" for the root itself.
        mode: permission bits with set-id and sticky.
        uid, gid: numeric owner.
        size: of a file in bytes, holes included; 0 for everything else.
        mtime, nsec: seconds since 1970 (may be negative) and nanoseconds.
        link: target of a symbolic link verbatim, of a hard link as a relative plain path.
        major, minor: of a device.
        xattrs: full name to value, or None.
        offset: of the first stored byte in the tar, a multiple of 512.
        sparse: data segments (offset in the file, length), stored one after another; None when there are no holes.
    """

    __slots__ = (
        "gid",
        "kind",
        "link",
        "major",
        "minor",
        "mode",
        "mtime",
        "nsec",
        "offset",
        "path",
        "size",
        "sparse",
        "uid",
        "xattrs",
    )

    def __init__(
        self,
        kind: str,
        path: bytes,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        size: int = 0,
        mtime: int = 0,
        nsec: int = 0,
        link: bytes = b"",
        major: int = 0,
        minor: int = 0,
        xattrs: dict[bytes, bytes] | None = None,
        offset: int = 0,
        sparse: list[tuple[int, int]] | None = None,
    ) -> None:
        self.kind = kind
        self.path = path
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime = mtime
        self.nsec = nsec
        self.link = link
        self.major = major
        self.minor = minor
        self.xattrs = xattrs
        self.offset = offset
        self.sparse = sparse

    @property
    def stored(self) -> int:
        """How many bytes of data the tar holds."""
        return self.size if self.sparse is None else sum(length for _, length in self.sparse)


class Limits:
    """What a layer may ask for before it counts as hostile.

    Attributes:
        tar_bytes: length of the uncompressed tar.
        members: headers; each takes about 640 bytes of memory while its layer comes in.
        depth: directories above a name.
        pax_bytes: of one extended header.
        segments: data runs of one sparse file.
        xattr_bytes: names and values of one member.
    """

    __slots__ = ("depth", "members", "pax_bytes", "segments", "tar_bytes", "xattr_bytes")

    def __init__(
        self,
        tar_bytes: int = 1 << 40,
        members: int = 2_000_000,
        depth: int = 512,
        pax_bytes: int = 1 << 20,
        segments: int = 1 << 18,
        xattr_bytes: int = 1 << 17,
    ) -> None:
        self.tar_bytes = tar_bytes
        self.members = members
        self.depth = depth
        self.pax_bytes = pax_bytes
        self.segments = segments
        self.xattr_bytes = xattr_bytes


DEFAULT_LIMITS = Limits()
