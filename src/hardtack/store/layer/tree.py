"""What a layer's tar amounts to once its members are applied in order: the tree, in memory.

Promises the one reading of duplicates, late or missing parents, hard links, whiteouts and links among the parents that
both drivers follow. A later member wins; a directory meeting a directory gives it new metadata; parents that are
symbolic links are followed inside the layer; a whiteout speaks of the layers below, never of this one.
"""

from __future__ import annotations

from hardtack.store.layer.errors import BadTar
from hardtack.store.layer.member import DIRECTORY, HARDLINK, OPAQUE, PATH_LIMIT, SYMLINK, WHITEOUT, Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Mirror(Protocol):
        """Who keeps something else in step with the tree."""

        def imply(self, node: Directory) -> None:
            """A directory came to be without a member of its own."""

        def remove(self, parent: Directory, name: bytes, node: Node) -> None:
            """What was there is about to be replaced."""

        def hide(self, node: Directory) -> None:
            """A directory became opaque."""


_NO_TARGET = "a hard link points at nothing that this layer has as a file"
_HOPS = 40  # as many links as the kernel follows in one path


class Node:
    """A file of any kind except a directory; hard links share one.

    Attributes:
        member: what the tar said of it.
        nlink: names that lead here, counted by whoever walks the finished tree.
        nid: its number in an image, given by the image's writer.
    """

    __slots__ = ("member", "nid", "nlink")

    def __init__(self, member: Member) -> None:
        self.member = member
        self.nlink = 0
        self.nid = 0


class Directory(Node):
    """A directory.

    Attributes:
        parent: the root is its own.
        path: where it really is, whatever links its members' names went through.
        children: by name.
        opaque: it hides what the layers below have in it.
    """

    __slots__ = ("children", "opaque", "parent", "path")

    def __init__(self, member: Member, parent: Directory | None, path: bytes) -> None:
        super().__init__(member)
        self.parent = parent or self
        self.path = path
        self.children: dict[bytes, Node] = {}
        self.opaque = False


class Place:
    """Where a member went.

    Attributes:
        node: None when nothing is to be made (a whiteout of something that this layer has, say).
        fresh: the node is new at that name; otherwise an existing directory got new metadata.
        source: of a hard link, the directory and the name that it links to.
    """

    __slots__ = ("fresh", "name", "node", "parent", "source")

    def __init__(
        self,
        parent: Directory,
        name: bytes,
        node: Node | None,
        fresh: bool,
        source: tuple[Directory, bytes] | None = None,
    ) -> None:
        self.parent = parent
        self.name = name
        self.node = node
        self.fresh = fresh
        self.source = source


class Tree:
    """The tree of one layer, empty at first.

    Args:
        mirror: is told of everything that happens beside the placing of the member itself.
    """

    def __init__(self, mirror: Mirror | None = None) -> None:
        self.root = Directory(Member(DIRECTORY, b""), None, b"")
        self._mirror = mirror
        self._known: dict[bytes, Directory] = {b"": self.root}  # by the names that members used

    def add(self, member: Member) -> Place:
        """Apply the next member.

        Raises:
            BadTar: it contradicts what is there.
        """
        kind = member.kind
        if kind == OPAQUE:
            return self._hide(member)
        if not member.path:
            self.root.member = member
            return Place(self.root, b"", self.root, False)
        parent_path, _, name = member.path.rpartition(b"/")
        parent = self._known.get(parent_path) or self._directory(parent_path, member)
        existing = parent.children.get(name)
        if existing is None and kind not in (DIRECTORY, HARDLINK):
            node = parent.children[name] = Node(member)
            return Place(parent, name, node, True)
        if kind == DIRECTORY:
            return self._add_directory(parent, name, existing, member)
        if kind == WHITEOUT and existing is not None:
            if isinstance(existing, Directory):
                self._set_opaque(existing)
            return Place(parent, name, None, False)
        if kind == HARDLINK:
            return self._add_link(parent, name, existing, member)
        if existing is not None:
            self._drop(parent, name, existing)
        node = parent.children[name] = Node(member)
        return Place(parent, name, node, True)

    def _add_directory(self, parent: Directory, name: bytes, existing: Node | None, member: Member) -> Place:
        if isinstance(existing, Directory):
            existing.member = member
            return Place(parent, name, existing, False)
        if existing is not None:
            self._drop(parent, name, existing)
        node = self._make_directory(parent, name, member)
        node.opaque = existing is not None and existing.member.kind == WHITEOUT
        return Place(parent, name, node, True)

    def _add_link(self, parent: Directory, name: bytes, existing: Node | None, member: Member) -> Place:
        source, target = self._find(member)
        if target is existing:
            return Place(parent, name, None, False)
        if existing is not None:
            self._drop(parent, name, existing)
            source, target = self._find(member)  # it may have lain below what was just dropped
        parent.children[name] = target
        return Place(parent, name, target, True, source)

    def _hide(self, member: Member) -> Place:
        node = self._known.get(member.path) or self._directory(member.path, member)
        self._set_opaque(node)
        return Place(node.parent, b"", None, False)

    def _set_opaque(self, node: Directory) -> None:
        if not node.opaque:
            node.opaque = True
            if self._mirror is not None:
                self._mirror.hide(node)

    def _make_directory(self, parent: Directory, name: bytes, member: Member) -> Directory:
        path = parent.path + b"/" + name if parent.path else name
        if len(path) > PATH_LIMIT:
            raise BadTar("links among the parents make a name too long", member.path)
        node = parent.children[name] = Directory(member, parent, path)
        return node

    def _drop(self, parent: Directory, name: bytes, node: Node) -> None:
        if self._mirror is not None:
            self._mirror.remove(parent, name, node)
        del parent.children[name]
        if node.member.kind in (DIRECTORY, SYMLINK):  # names that led through it lead elsewhere now
            self._known = {b"": self.root}

    def _directory(self, path: bytes, member: Member) -> Directory:
        """The directory that a name means, made with its parents where it is missing."""
        node = self._walk(path, member, make=True)
        self._known[path] = node
        return node

    def _find(self, member: Member) -> tuple[tuple[Directory, bytes], Node]:
        """What a hard link points at, and under which name."""
        parent_path, _, name = member.link.rpartition(b"/")
        parent = self._known.get(parent_path) or self._walk(parent_path, member, make=False)
        target = parent.children.get(name)
        if target is None or target.member.kind in (DIRECTORY, WHITEOUT):
            raise BadTar(_NO_TARGET, member.path)
        return (parent, name), target

    def _walk(self, path: bytes, member: Member, make: bool) -> Directory:
        node, hops = self.root, 0
        rest = path.split(b"/")[::-1]
        while rest:
            part = rest.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                node = node.parent
                continue
            child = node.children.get(part)
            if isinstance(child, Directory):
                node = child
            elif child is not None and child.member.kind == SYMLINK:
                hops += 1
                if hops > _HOPS:
                    raise BadTar("links among the parents go in circles", member.path)
                target = child.member.link
                node = self.root if target[:1] == b"/" else node
                rest += target.split(b"/")[::-1]
            elif make and (child is None or child.member.kind == WHITEOUT):
                node = self._imply(node, part, child)
            else:
                raise BadTar("a parent is no directory" if make else _NO_TARGET, member.path)
        return node

    def _imply(self, parent: Directory, name: bytes, existing: Node | None) -> Directory:
        if existing is not None:
            self._drop(parent, name, existing)
        node = self._make_directory(parent, name, Member(DIRECTORY, name))
        if self._mirror is not None:
            self._mirror.imply(node)
        if existing is not None:
            self._set_opaque(node)
        return node
