"""What a dry run says beside the rules, and the removal itself, as scripts.

Between judging and removing somebody may push. So each removal looks again, in its transaction: the tag has to point
where it did since when it did, the manifest to be pushed when it was, without other tags, in no index, referring to
nothing that is still there; and while a push is in progress in the repository nothing goes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.changes import NOWHERE, delete_manifest, delete_tag, find
from hardtack.registry.metadata.reviving import RULES
from hardtack.registry.metadata.script import first, hits
from hardtack.registry.patterns import covering
from hardtack.registry.repositories.preview import freed
from hardtack.registry.retention.judging import target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hardtack.registry.metadata.script import Script


def bytes_of(repository: str, digests: Sequence[str]) -> Script[list[int]]:
    """What removing manifests in this order frees, each beyond those before it; see `repositories.preview`."""
    home = yield from first("SELECT id FROM repository WHERE name = ?", repository)
    sizes = [0] * len(digests)
    if home is None:
        return sizes
    places = {digest: place for place, digest in enumerate(digests)}
    last: dict[str, int] = {}
    for digest, place in places.items():
        rows = yield "SELECT child FROM edge WHERE repository = ? AND parent = ?", (home[0], digest)
        last.update((child, place) for (child,) in rows)
    for child, place in last.items():
        sizes[place] += (yield from freed(home[0], child, places)) or 0
    return sizes


def drop_tag(repository: str, tag: str, digest: str, updated: float, busy: float, now: float) -> Script[bool]:
    """Delete a tag that was not pushed since it was judged. Returns whether it was not and nobody is pushing."""
    home = yield from find(repository)
    unchanged = "SELECT 1 FROM tag WHERE repository = ? AND name = ? AND digest = ? AND updated = ?"
    if not (yield from hits(unchanged, home, tag, digest, updated)) or (yield from _pushed_to(repository, busy)):
        return False
    if (yield from _immutable(home, (tag,))):
        return False
    return (yield from delete_tag(repository, tag, RULES, now))


def drop_manifest(
    repository: str,
    digest: str,
    pushed: float,
    tags: Mapping[str, float],
    busy: float,
    spare: float,
    keep: bool,
    now: float,
) -> Script[bool]:
    """Delete a manifest if it is still what was judged.

    Args:
        pushed: when it was pushed last, as far as was known when it was judged.
        tags: those that go with it, each with the moment when it was set; it may have no others.
        busy: a push that was alive after this moment is in progress.
        spare, keep: as of `delete_manifest`.
    """
    home = yield from find(repository)
    if home == NOWHERE or (yield from _pushed_to(repository, busy)):
        return False
    unchanged = "SELECT subject FROM manifest WHERE repository = ? AND digest = ? AND pushed = ?"
    row = yield from first(unchanged, home, digest, pushed)
    if row is None:
        return False
    parents = (
        "SELECT 1 FROM edge e JOIN manifest p ON p.repository = e.repository AND p.digest = e.parent"
        " WHERE e.repository = ? AND e.child = ?"
    )
    if (yield from hits(parents, home, digest)):
        return False
    rows = yield "SELECT name, updated FROM tag WHERE repository = ? AND digest = ?", (home, digest)
    if any(tags.get(name) != updated for name, updated in rows):
        return False
    for subject in {row[0], *(target(name) for name, _ in rows)}:
        if (yield from hits("SELECT 1 FROM manifest WHERE repository = ? AND digest = ?", home, subject)):
            return False
    if (yield from _immutable(home, [name for name, _ in rows])):
        return False
    return (yield from delete_manifest(repository, digest, RULES, spare, now, keep))


def _immutable(home: int, tags: Sequence[str]) -> Script[bool]:
    row = yield from first("SELECT immutable FROM repository WHERE id = ? AND immutable <> ''", home)
    return row is not None and any(covering(row[0].split("\n"), tag) for tag in tags)


def _pushed_to(repository: str, busy: float) -> Script[bool]:
    return (
        yield from hits("SELECT 1 FROM upload WHERE repository = ? AND finished = 0 AND touched >= ?", repository, busy)
    )
