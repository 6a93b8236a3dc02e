"""A tag points again at what its history says, deleted or not, and at nothing else."""

from __future__ import annotations

import pytest

from hardtack.registry.errors import NotBuried, RepositoryUnknown, TagImmutable
from hardtack.registry.metadata.database import Database
from hardtack.registry.repositories.rows import Settings
from hardtack.registry.repositories.store import Repositories
from hardtack.registry.repositories.undelete import Undelete
from support.databases import Clock
from support.registry_content import Content

DAY = 86_400.0
REPO = "a/b"


async def target(content: Content, tag: str) -> str:
    found = await content.store.manifest(REPO, tag)
    return "" if found is None else str(found.digest)


async def test_a_moved_tag_goes_back_and_forth(content: Content, undelete: Undelete, database: Database) -> None:
    old = await content.image(REPO, "v1", "old")
    new = await content.image(REPO, "v2", "new")
    await content.manifest(REPO, "image v2 of ('new',)", "v1", ())
    assert await target(content, "v1") == new
    changes = await Repositories(database).history(REPO)
    past = await undelete.past(REPO, changes)
    assert past.held == {old, new}
    assert past.returnable == {("v1", old)}
    await undelete.point(REPO, "v1", str(old), "kim", False)
    assert await target(content, "v1") == old
    (latest, *_) = await Repositories(database).history(REPO)
    assert (latest.tag, latest.digest, latest.who) == ("v1", old, "kim")


async def test_what_was_deleted_comes_back_with_the_tag_for_as_long_as_it_is_kept(
    content: Content, undelete: Undelete, database: Database, clock: Clock
) -> None:
    old = await content.image(REPO, "v1", "old")
    await content.image(REPO, "v2", "new")
    await content.delete(REPO, old)
    past = await undelete.past(REPO, await Repositories(database).history(REPO))
    assert old not in past.held
    assert past.returnable == {("v1", old)}
    with pytest.raises(NotBuried):
        await undelete.point(REPO, "v1", str(old), "kim", False)
    await undelete.point(REPO, "v1", str(old), "kim", True)
    assert await target(content, "v1") == old
    await content.delete(REPO, old)
    clock.now += DAY + 1
    assert (await undelete.past(REPO, await Repositories(database).history(REPO))).returnable == set()
    with pytest.raises(NotBuried):
        await undelete.point(REPO, "v1", str(old), "kim", True)


async def test_a_tag_points_at_nothing_that_it_never_pointed_to(content: Content, undelete: Undelete) -> None:
    await content.image(REPO, "v1", "old")
    other = await content.image(REPO, "v2", "new")
    with pytest.raises(NotBuried):
        await undelete.point(REPO, "v1", str(other), "kim", True)
    with pytest.raises(RepositoryUnknown):
        await undelete.point("a/none", "v1", str(other), "kim", True)


async def test_an_immutable_tag_stays(content: Content, undelete: Undelete, database: Database) -> None:
    old = await content.image(REPO, "v1", "old")
    new = await content.image(REPO, "v2", "new")
    await content.manifest(REPO, "image v2 of ('new',)", "v1", ())
    await Repositories(database).change(REPO, Settings(immutable=("v*",)))
    with pytest.raises(TagImmutable):
        await undelete.point(REPO, "v1", str(old), "kim", True)
    assert await target(content, "v1") == new
