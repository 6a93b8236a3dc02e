"""Writing the EROFS index of a tar: inodes and directories here, file data where they lie in the tar.

Promises an image that depends on the tar alone (the same bytes on every machine), root first, the rest level by level
so that a directory's inodes are neighbours. Sources: kernel `Documentation/filesystems/erofs.rst` and `erofs_fs.h`.
"""

from __future__ import annotations

from functools import partial

from hardtack.store.layer.erofs import chunks
from hardtack.store.layer.erofs import format as disk
from hardtack.store.layer.errors import LayerTooLarge
from hardtack.store.layer.member import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, FORMATS, SYMLINK, WHITEOUT
from hardtack.store.layer.tree import Directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardtack.store.layer.tree import Node

    # Inline bytes, sorted names, the number of the first data block, a map of chunks, or nothing.
    Content = bytes | list[bytes] | int | chunks.ChunkMap | None

_TYPES = {
    FILE: disk.FT_REGULAR,
    DIRECTORY: disk.FT_DIRECTORY,
    SYMLINK: disk.FT_SYMLINK,
    CHARACTER: disk.FT_CHARACTER,
    WHITEOUT: disk.FT_CHARACTER,
    BLOCK: disk.FT_BLOCK,
    FIFO: disk.FT_FIFO,
}
_OPAQUE = {b"trusted.overlay.opaque": b"y"}
_SPARSE_ALLOWANCE = 64 << 20  # what maps and copies of sparse files may take beyond the tar's own length
_WRITE = 1 << 20


class ImageWriter:
    """Lays out one image, then gives its bytes.

    Args:
        root: of the finished tree.
        tar_size: length of the tar in bytes.
        read: gives bytes of the tar (offset, length); needed for sparse files only.
    Raises:
        LayerTooLarge: the tar is too long for 32-bit block numbers, or its sparse files need too large an index.
    """

    def __init__(self, root: Directory, tar_size: int, read: Callable[[int, int], bytes]) -> None:
        if tar_size > disk.BLOCK_NUMBER_LIMIT << disk.BLOCK_BITS:
            raise LayerTooLarge("bytes of tar", disk.BLOCK_NUMBER_LIMIT << disk.BLOCK_BITS)
        self._tar_size = tar_size
        self._read = read
        self._allowance = tar_size + _SPARSE_ALLOWANCE
        self._end = disk.SUPER_OFFSET + disk.BLOCK  # of what is laid out, in bytes from the start of the image
        self._start = self._end
        self._blocks = 0  # data blocks behind the inodes
        self._data: list[Callable[[], bytes]] = []  # what gives their content
        self._inodes: list[tuple[Node, bytes, int, int, Content]] = []  # node, xattrs, layout, size, content
        self._lay_out(root)
        self._data_start = -(-self._end // disk.BLOCK)
        self.blocks = self._data_start + self._blocks
        self.inodes = len(self._inodes)

    def pieces(self, tag: str) -> Iterator[bytes]:
        """The image in order, in pieces of about 1 MiB.

        Args:
            tag: hexadecimal digits that say which tar it is.
        """
        root = self._inodes[0][0]
        device_blocks = -(-self._tar_size // disk.BLOCK)
        piece = [disk.superblock(root.nid, self.inodes, self.blocks, device_blocks, tag)]
        held, position = len(piece[0]), self._start
        for entry in self._inodes:
            node = entry[0]
            gap = node.nid * disk.SLOT - position
            inode = self._inode(*entry)
            piece.append(bytes(gap) + inode if gap else inode)
            position += gap + len(inode)
            held += gap + len(inode)
            if held > _WRITE:
                yield b"".join(piece)
                piece, held = [], 0
        piece.append(bytes(self._data_start * disk.BLOCK - position))
        for content in self._data:
            data = content()
            piece.append(data + bytes(-len(data) % disk.BLOCK))
            held += len(data)
            if held > _WRITE:
                yield b"".join(piece)
                piece, held = [], 0
        yield b"".join(piece)

    # Laying out

    def _lay_out(self, root: Directory) -> None:
        level: list[Node] = [root]
        root.nlink = 1
        while level:
            following: list[Node] = []
            for node in level:
                if isinstance(node, Directory):
                    self._place_directory(node)
                    for child in node.children.values():
                        child.nlink += 1
                        if child.nlink == 1:
                            following.append(child)
                elif node.member.kind == FILE and node.member.size:
                    self._place_file(node)
                elif node.member.kind == SYMLINK:
                    link = node.member.link
                    self._place_content(node, _xattrs(node), len(link), link)
                else:
                    xattrs = _xattrs(node)
                    self._place(node, xattrs, disk.FLAT_PLAIN, 0, None, disk.INODE_SIZE + len(xattrs))
            level = following

    def _place(self, node: Node, xattrs: bytes, layout: int, size: int, content: Content, length: int) -> None:
        node.nid = self._end // disk.SLOT
        self._end += (length + disk.SLOT - 1) & -disk.SLOT
        self._inodes.append((node, xattrs, layout, size, content))

    def _place_content(self, node: Node, xattrs: bytes, size: int, content: bytes | list[bytes]) -> None:
        """Behind the inode where both fit one block, else in data blocks of its own."""
        length = disk.INODE_SIZE + len(xattrs) + size
        if length <= disk.BLOCK:
            if self._end % disk.BLOCK + length > disk.BLOCK:  # inline data must not cross the end of a block
                self._end += -self._end % disk.BLOCK
            self._place(node, xattrs, disk.FLAT_INLINE, size, content, length)
            return
        block = self._reserve(size, partial(_content, node, content))
        self._place(node, xattrs, disk.FLAT_PLAIN, size, block, disk.INODE_SIZE + len(xattrs))

    def _place_directory(self, node: Directory) -> None:
        names = sorted([b".", b"..", *node.children])
        size = disk.DIRENT_SIZE * len(names) + len(b"".join(names))
        if size > disk.BLOCK:
            size = _directory_size(names)
        self._place_content(node, _xattrs(node), size, names)

    def _place_file(self, node: Node) -> None:
        member, xattrs = node.member, _xattrs(node)
        if member.sparse is None:
            found = chunks.whole(member.size, member.offset)
        else:
            bits, cost = chunks.cheapest_bits(member.size, member.sparse, member.offset)
            self._allowance -= cost
            if self._allowance < 0:
                raise LayerTooLarge("bytes of index for sparse files", self._tar_size + _SPARSE_ALLOWANCE)
            found = chunks.sparse(bits, member.size, member.sparse, member.offset)
            found.first_copy = self._blocks
            for number in sorted(found.copies):
                size = disk.BLOCK << bits
                self._reserve(size, partial(self._copy, found.copies[number], size))
        length = disk.INODE_SIZE + (len(xattrs) + 7 & -8) + len(found.records)
        self._place(node, xattrs, disk.CHUNK_BASED, member.size, found, length)

    def _reserve(self, size: int, content: Callable[[], bytes]) -> int:
        """Take data blocks for `size` bytes; the number of the first counts from the first data block."""
        first = self._blocks
        self._blocks += -(-size // disk.BLOCK)
        self._data.append(content)
        return first

    def _copy(self, pieces: chunks.Copy, length: int) -> bytes:
        content = bytearray(length)
        for at, offset, count in pieces:
            content[at : at + count] = self._read(offset, count)
        return bytes(content)

    # Giving the bytes

    def _inode(self, node: Node, xattrs: bytes, layout: int, size: int, content: Content) -> bytes:
        member = node.member
        nlink, union, behind = node.nlink, 0, b""
        if isinstance(content, chunks.ChunkMap):
            union = disk.chunk_format(content.bits)
            behind = bytes(-len(xattrs) % 8) + content.settled(self._data_start)
        elif isinstance(content, int):
            union = self._data_start + content
        elif isinstance(content, bytes):
            behind = content
        elif isinstance(node, Directory):
            behind = _directory_block(node, content or [])
        elif member.kind in (CHARACTER, BLOCK):
            union = disk.device_number(member.major, member.minor)
        if isinstance(node, Directory):
            nlink = 2 + sum(isinstance(child, Directory) for child in node.children.values())
        mode = FORMATS[member.kind] | (0o777 if member.kind == SYMLINK else member.mode)
        number = node.nid & 0xFFFFFFFF
        count = disk.xattr_count(xattrs)
        return (
            disk.inode(
                disk.inode_format(layout),
                count,
                mode,
                0,
                size,
                union,
                number,
                member.uid,
                member.gid,
                member.mtime,
                member.nsec,
                nlink,
            )
            + xattrs
            + behind
        )


def _xattrs(node: Node) -> bytes:
    attributes = node.member.xattrs
    if isinstance(node, Directory) and node.opaque:
        attributes = {**(attributes or {}), **_OPAQUE}
    return disk.xattrs(attributes) if attributes else b""


def _split(names: list[bytes]) -> Iterator[list[bytes]]:
    """Sorted names as directory blocks hold them: as many as fit, none across a border."""
    block: list[bytes] = []
    used = 0
    for name in names:
        need = disk.DIRENT_SIZE + len(name)
        if used + need > disk.BLOCK:
            yield block
            block, used = [], 0
        block.append(name)
        used += need
    yield block


def _directory_size(names: list[bytes]) -> int:
    blocks = list(_split(names))
    last = blocks[-1]
    return (len(blocks) - 1) * disk.BLOCK + disk.DIRENT_SIZE * len(last) + sum(map(len, last))


def _directory_block(node: Directory, names: list[bytes]) -> bytes:
    targets = []
    children = node.children
    for name in names:
        child = children.get(name)
        if child is None:
            child = node if name == b"." else node.parent
        targets.append((child.nid, _TYPES[child.member.kind]))
    return disk.dirents(names, targets)


def _content(node: Node, content: bytes | list[bytes]) -> bytes:
    """What stands in a node's data blocks: a link's target, or a directory's blocks."""
    if isinstance(content, bytes):
        return content
    assert isinstance(node, Directory)
    blocks = [_directory_block(node, names) for names in _split(content)]
    return b"".join([block.ljust(disk.BLOCK, b"\0") for block in blocks[:-1]] + blocks[-1:])
