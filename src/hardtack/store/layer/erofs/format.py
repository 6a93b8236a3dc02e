"""The on-disk format of EROFS, as far as an index of a tar needs it: constants and the packing of single records.

Block size is 512 bytes, so that every byte run of a tar begins a block. Names follow the kernel's
`fs/erofs/erofs_fs.h`, which is the source for everything here.
"""

from __future__ import annotations

import struct

BLOCK_BITS = 9
BLOCK = 1 << BLOCK_BITS
SLOT = 32  # an inode's number is its byte offset divided by this
INODE_SIZE = 64
DIRENT_SIZE = 12

SUPER_OFFSET = 1024
_MAGIC = 0xE0F5E1E2
_COMPAT_MTIME = 0x2
_INCOMPAT_CHUNKED_FILE = 0x4
_INCOMPAT_DEVICE_TABLE = 0x8
_DEVICE_SLOT_SIZE = 128

FLAT_PLAIN = 0
FLAT_INLINE = 2
CHUNK_BASED = 4

CHUNK_INDEXES = 0x20
CHUNK_BITS_LIMIT = 31  # of the shift that is added to BLOCK_BITS
CHUNK_RECORD = 8
HOLE = b"\xff\xff\0\0\xff\xff\xff\xff"
TAR_DEVICE = 1
BLOCK_NUMBER_LIMIT = 0xFFFFFFFF  # all ones means a hole

FT_REGULAR, FT_DIRECTORY, FT_CHARACTER, FT_BLOCK, FT_FIFO, _FT_SOCKET, FT_SYMLINK = range(1, 8)

_XATTR_HEADER = 12
_XATTR_PREFIXES = (
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"user.", 1),
    (b"trusted.", 4),
    (b"security.", 6),
)

# format, xattr count, mode, start block high, size, union, 32-bit inode number, uid, gid, mtime, nsec, nlink
inode = struct.Struct("<HHHHQIIIIqII16x").pack
# start block high, device, start block low
chunk = struct.Struct("<HHI").pack


def inode_format(layout: int) -> int:
    """The field `i_format` of a 64-byte inode of that layout."""
    return layout << 1 | 1


def chunk_format(bits: int) -> int:
    """The union of a chunk-based inode: chunks of `BLOCK << bits` bytes, described by 8-byte records."""
    return CHUNK_INDEXES | bits


def device_number(major: int, minor: int) -> int:
    """A device number as the kernel's new_encode_dev() writes it."""
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def dirents(names: list[bytes], targets: list[tuple[int, int]]) -> bytes:
    """One directory block without padding.

    Args:
        names: sorted.
        targets: inode number and file type of each.
    """
    fields: list[int] = []
    offset = DIRENT_SIZE * len(names)
    for name, (nid, kind) in zip(names, targets, strict=True):
        fields += (nid, offset, kind)
        offset += len(name)
    return struct.pack("<" + "QHBx" * len(names), *fields) + b"".join(names)


def xattrs(attributes: dict[bytes, bytes]) -> bytes:
    """The attributes that stand behind an inode, a multiple of 4 bytes long; empty for none.

    The name is stored without its well-known prefix; names with none of them cannot be stored and are left out.
    """
    entries = []
    for name in sorted(attributes):
        value = attributes[name]
        for prefix, index in _XATTR_PREFIXES:
            if name.startswith(prefix):
                rest = name[len(prefix) :]
                entry = struct.pack("<BBH", len(rest), index, len(value)) + rest + value
                entries.append(entry + bytes(-len(entry) % 4))
                break
    return bytes(_XATTR_HEADER) + b"".join(entries) if entries else b""


def xattr_count(area: bytes) -> int:
    """The field `i_xattr_icount` for such an area."""
    return (len(area) - _XATTR_HEADER) // 4 + 1 if area else 0


def superblock(root_nid: int, inodes: int, blocks: int, device_blocks: int, tag: str) -> bytes:
    """The first blocks of an image, superblock and device table included; inodes may follow at once.

    Args:
        root_nid: at most 65,535.
        inodes: how many there are.
        blocks: length of the image.
        device_blocks: length of the tar.
        tag: hexadecimal digits that say which tar it is.
    """
    head = struct.pack(
        "<IIIBBHQQIIII16s16sIHHH",
        _MAGIC,
        0,  # no checksum
        _COMPAT_MTIME,
        BLOCK_BITS,
        0,  # no extension slots
        root_nid,
        inodes,
        0,  # epoch, of compact inodes only
        0,
        blocks,
        0,  # inode numbers count from the start of the image
        0,  # no shared attributes
        bytes.fromhex(tag)[:16],
        b"hardtack",
        _INCOMPAT_CHUNKED_FILE | _INCOMPAT_DEVICE_TABLE,
        0,
        1,  # one device besides the image
        (SUPER_OFFSET + 128) // _DEVICE_SLOT_SIZE,
    )
    slot = struct.pack("<64sII", tag.encode()[:64], device_blocks & 0xFFFFFFFF, 0)
    return bytes(SUPER_OFFSET) + head.ljust(128, b"\0") + slot.ljust(SUPER_OFFSET // 2 - 128, b"\0")
