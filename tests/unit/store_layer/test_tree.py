"""What members amount to in order: the mirror of a tree is told everything it needs, in an order it can follow."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hardtack.store.layer.errors import BadTar
from hardtack.store.layer.member import DIRECTORY, FILE, HARDLINK, OPAQUE, SYMLINK, WHITEOUT, Member
from hardtack.store.layer.tree import Directory, Node, Tree

_PATHS = st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=3).map(b"/".join)
_LINKS = st.lists(st.sampled_from([b"a", b"b", b"..", b""]), min_size=1, max_size=3).map(b"/".join).filter(bool)
_MEMBERS = st.builds(
    lambda kind, path, link, target: Member(kind, path, link=link if kind == SYMLINK else target),
    st.sampled_from([FILE, DIRECTORY, SYMLINK, HARDLINK, WHITEOUT, OPAQUE]),
    _PATHS,
    _LINKS,
    _PATHS,
)


class Disk:
    """A pretended disk that complains about everything a real one would: a path to kind table."""

    def __init__(self) -> None:
        self.made: dict[bytes, str] = {b"": DIRECTORY}

    def make(self, path: bytes, kind: str) -> None:
        assert self.made.get(path.rpartition(b"/")[0]) == DIRECTORY, path
        assert path not in self.made, path
        self.made[path] = kind

    def imply(self, node: Directory) -> None:
        self.make(node.path, DIRECTORY)

    def remove(self, parent: Directory, name: bytes, node: Node) -> None:
        path = _join(parent, name)
        assert (self.made[path] == DIRECTORY) == isinstance(node, Directory)
        for other in [other for other in self.made if other == path or other.startswith(path + b"/")]:
            del self.made[other]

    def hide(self, node: Directory) -> None:
        assert self.made[node.path] == DIRECTORY


def _join(parent: Directory, name: bytes) -> bytes:
    return parent.path + b"/" + name if parent.path else name


@settings(deadline=None)
@given(st.lists(_MEMBERS, max_size=40))
def test_a_mirror_that_follows_holds_the_same_tree(members: list[Member]) -> None:
    disk = Disk()
    tree = Tree(disk)
    for member in members:
        try:
            place = tree.add(member)
        except BadTar:
            return
        if place.node is not None and place.fresh:
            if place.source is not None:
                assert _join(*place.source) in disk.made
            disk.make(_join(place.parent, place.name), place.node.member.kind)
    assert {path: node.member.kind for path, node in _walk(tree)} == disk.made


def _walk(tree: Tree) -> list[tuple[bytes, Node]]:
    found: list[tuple[bytes, Node]] = []
    pending: list[tuple[bytes, Node]] = [(b"", tree.root)]
    while pending:
        path, node = pending.pop()
        found.append((path, node))
        if isinstance(node, Directory):
            assert node.path == path
            pending += [(path + b"/" + name if path else name, child) for name, child in node.children.items()]
    return found
