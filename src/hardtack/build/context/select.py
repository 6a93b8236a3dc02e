"""The sources of one COPY or ADD: which names they mean, and everything that comes with them.

The result is the exact list that is hashed for the cache and then copied, so that what is stored under a key is what
the key was made of.
"""

from __future__ import annotations

import errno
import stat

from hardtack.build.context.glob import Glob, clean, has_wildcards
from hardtack.build.context.ignore import Ignore
from hardtack.build.context.tree import Entry, Tree
from hardtack.build.errors import ContextError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

MAX_ENTRIES = 2_000_000


class Found:
    """One file, link or folder to copy: where it lies in the tree, and where in the destination ("" is itself)."""

    __slots__ = ("inside", "path", "stat")

    def __init__(self, path: str, inside: str, found: os.stat_result) -> None:
        self.path = path
        self.inside = inside
        self.stat = found


class Item:
    """What one name of a source stands for.

    Attributes:
        name: the last component, which it keeps when it is copied into a folder.
        parents: folders to make above it, outermost first; None without `--parents`.
        top: the thing itself, without its own links; `below`: everything in it, a folder before what it holds.
    """

    __slots__ = ("below", "name", "parents", "top")

    def __init__(self, name: str, top: Found, below: list[Found], parents: list[Found] | None = None) -> None:
        self.name = name
        self.top = top
        self.below = below
        self.parents = parents

    @property
    def is_folder(self) -> bool:
        """Whether its content is copied, not itself."""
        return stat.S_ISDIR(self.top.stat.st_mode)


class Selection:
    """The items of an instruction in order, and the sources that matched nothing."""

    __slots__ = ("empty", "items")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.empty: list[str] = []


def select(tree: Tree, sources: list[str], exclude: list[str], parents: bool = False) -> Selection:
    """Find what the sources of an instruction mean.

    Args:
        tree: where they are looked up.
        sources: as written, with their variables replaced.
        exclude: patterns of names to leave out, relative to each source.
        parents: keep the folders above each source (`--parents`); what stands before `/./` is not kept.
    Raises:
        ContextError: a source that is no pattern and not there; more than MAX_ENTRIES.
    """
    selection = Selection()
    finder = _Finder(tree, Ignore(exclude) if exclude else None)
    for source in sources:
        found = finder.with_parents(source) if parents else finder.plain(source)
        if not found:
            selection.empty.append(source)
        selection.items += found
    return selection


class _Finder:
    def __init__(self, tree: Tree, exclude: Ignore | None) -> None:
        self.tree = tree
        self.exclude = exclude
        self.room = MAX_ENTRIES

    def plain(self, source: str) -> list[Item]:
        path = clean("/" + source)[1:]
        if not has_wildcards(path):
            name = path.rpartition("/")[2]
            item = self.item(source, self.resolved(source, _unescaped(path)), _unescaped(name))
            return [item] if item else []
        base, pattern = _split_at_wildcard(path)
        found = []
        for entry in self.matches(base, pattern):
            path = self.resolved(entry.path, entry.path) if stat.S_ISLNK(entry.stat.st_mode) else entry.path
            found.append(self.item(source, path, entry.path.rpartition("/")[2]))
        return [item for item in found if item]

    def with_parents(self, source: str) -> list[Item]:
        pivot, separator, kept = source.partition("/./")
        if not separator:
            pivot, kept = "", source
        base = self.resolved(source, clean("/" + pivot)[1:])
        kept = clean("/" + kept)[1:]
        if has_wildcards(kept):
            matched = [entry.path for entry in self.matches(base, kept, deep=True)]
        else:
            path = _joined(base, _unescaped(kept))
            self.look(source, path)
            matched = [path]
        items = []
        for path in matched:
            inside = path[len(base) + 1 :] if base else path
            item = self.item(source, path, inside.rpartition("/")[2], inside)
            if item:
                item.parents = self.above(base, inside)
                items.append(item)
        return items

    def above(self, base: str, inside: str) -> list[Found]:
        """The folders between the base and what lies inside."""
        parts = inside.split("/")[:-1]
        names = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        return [Found(_joined(base, name), name, self.tree.stat(_joined(base, name))) for name in names]

    def resolved(self, source: str, path: str) -> str:
        try:
            return self.tree.resolve(path)
        except OSError as error:
            raise self.missing(source, error) from None

    def look(self, source: str, path: str) -> os.stat_result:
        try:
            return self.tree.stat(path)
        except OSError as error:
            raise self.missing(source, error) from None

    def missing(self, source: str, error: OSError) -> ContextError:
        reason = "it leads in circles" if error.errno == errno.ELOOP else "there is no such file or folder"
        hint = "" if self.tree.owned else "Its path is relative to the context, and an ignore file may leave it out"
        return ContextError(source, reason, hint, self.tree.name)

    def item(self, source: str, path: str, name: str, kept: str = "") -> Item | None:
        """What a path stands for; None for what is excluded by name.

        Args:
            kept: the name with the folders that `--parents` keeps; patterns speak of it then.
        """
        top = Found(path, "", self.look(source, path))
        if stat.S_ISDIR(top.stat.st_mode):
            return Item(name, top, self.content(path, kept))
        return None if self.exclude and self.exclude.ignores(kept or name) else Item(name, top, [])

    def content(self, path: str, kept: str) -> list[Found]:
        cut = len(path) + 1 if path else 0
        exclude = self.exclude
        before = f"{kept}/" if kept else ""
        found = []
        waiting: list[Found] = []  # excluded folders that an exception may bring back

        def may_enter(entry: Entry) -> bool:
            assert exclude is not None
            place = exclude.at(before + entry.path[cut:])
            return not place.ignored or place.reopens

        for entry in self.tree.walk(path, None if exclude is None else may_enter):
            self.room -= 1
            if self.room < 0:
                raise ContextError(path, f"it has more than {MAX_ENTRIES:,} files")
            one = Found(entry.path, entry.path[cut:], entry.stat)
            if exclude is not None and exclude.ignores(before + one.inside):
                waiting += [one] if entry.is_folder else []
                continue
            if waiting:
                found += [held for held in waiting if one.inside.startswith(held.inside + "/")]
                waiting = []
            found.append(one)
        return found

    def matches(self, base: str, pattern: str, deep: bool = False) -> list[Entry]:
        """What below a base matches a pattern; what lies in a match is not looked at."""
        glob = Glob(pattern, deep)
        base = self.resolved(base, base)
        cut = len(base) + 1 if base else 0
        states = {"": glob.start}
        found: list[Entry] = []

        def state_of(entry: Entry) -> int:
            parent, _, name = entry.path[cut:].rpartition("/")
            return glob.feed(states.get(parent, 0), f"/{name}" if parent else name)

        def enter(entry: Entry) -> bool:
            inside = entry.path[cut:]
            states[inside] = state_of(entry)
            return bool(states[inside]) and not glob.accepts(states[inside])

        for entry in self.tree.walk(base, enter):
            if glob.accepts(state_of(entry)):
                found.append(entry)
        return found


def _split_at_wildcard(path: str) -> tuple[str, str]:
    parts = path.split("/")
    first = next(index for index, part in enumerate(parts) if has_wildcards(part))
    return _unescaped("/".join(parts[:first])), "/".join(parts[first:])


def _unescaped(path: str) -> str:
    """A path that is no pattern, without the escapes that made it none."""
    for wildcard in "*?[\\":
        path = path.replace("\\" + wildcard, wildcard)
    return path


def _joined(base: str, name: str) -> str:
    return f"{base}/{name}" if base and name else base or name
