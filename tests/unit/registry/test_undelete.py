"""What was deleted can be brought back for a while, and gives access to nothing meanwhile."""

from __future__ import annotations

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.errors import NotBuried, QuotaExceeded
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.rows import Child
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories.store import Namespaces, Repositories
from hardtack.registry.repositories.undelete import Undelete
from support.databases import Clock
from support.registry_content import Content, digest

DAY = 86_400.0
REPO = "a/b"


async def test_a_deleted_image_gives_access_to_nothing_and_comes_back_whole(
    content: Content, database: Database, store: Metadata, undelete: Undelete, clock: Clock
) -> None:
    name = await content.image(REPO, "v1", "layer", "other")
    await content.manifest(REPO, f"image v1 of {('layer', 'other')}", "latest", ())
    before = await Repositories(database).details(REPO)
    await content.delete(REPO, name)
    assert await store.manifest(REPO, name) is None
    assert await store.tag_names(REPO) == []
    for layer in ("layer", "other"):
        assert await store.blob_size(REPO, digest(layer)) is None
        assert not await store.mount("a/c", digest(layer), REPO)
        assert await store.linked_in(digest(layer)) == []
    clock.now += DAY - 10
    assert await undelete.expire() == 0
    assert await content.collected() == (set(), 0)
    (grave,) = await undelete.graves(REPO)
    assert (grave.digest, grave.tags, grave.deleted_by) == (name, ("latest", "v1"), "eve")
    restored = await undelete.restore(REPO, name, "kim")
    assert restored == ((name,), ("latest", "v1"))
    found = await store.manifest(REPO, "v1")
    assert found is not None
    assert found.digest == name
    assert await store.blob_size(REPO, digest("layer")) == 5
    after = await Repositories(database).details(REPO)
    assert (after.size, after.manifests, after.tags) == (before.size, before.manifests, before.tags)
    assert [(event.digest, event.who) for event in await store.tag_history(REPO, "v1")] == [
        (name, "kim"),
        ("", "eve"),
        (name, "ada"),
    ]
    with pytest.raises(NotBuried):
        await undelete.restore(REPO, name, "kim")


async def test_after_its_time_it_is_gone_for_good_and_so_is_its_space(
    content: Content, undelete: Undelete, clock: Clock
) -> None:
    name = await content.image(REPO, "v1", "layer", "shared")
    await content.image("a/c", "v1", "shared")
    await content.delete(REPO, name)
    clock.now += DAY + 1
    with pytest.raises(NotBuried):
        await undelete.restore(REPO, name, "kim")
    assert await undelete.graves(REPO) == []
    assert await undelete.expire() == 1
    assert await undelete.expire() == 0
    assert (await content.collected(900))[0] == {digest("layer")}
    assert await content.store.drop_repositories(60) == [REPO]


async def test_what_another_grave_or_repository_needs_stays(content: Content, undelete: Undelete, clock: Clock) -> None:
    first = await content.image(REPO, "v1", "layer")
    second = await content.image("a/c", "v1", "layer", "more")
    await content.delete(REPO, first)
    clock.now += DAY / 2
    await content.delete("a/c", second)
    clock.now += DAY / 2 + 1
    assert await undelete.expire() == 1
    assert (await content.collected())[0] == set()
    await undelete.restore("a/c", second, "kim")
    assert await content.store.blob_size("a/c", digest("layer")) == 5
    assert await content.store.blob_size(REPO, digest("layer")) is None


async def test_undeleting_gives_nothing_that_the_repository_did_not_have(
    content: Content, store: Metadata, undelete: Undelete
) -> None:
    """Whoever knows a digest may name it in a manifest whose layers need not be there, delete that and restore it."""
    await content.blob("secret/a", "secret")
    name = await content.manifest(REPO, "spy", "v1", (Child(digest("secret"), "layer", False),))
    assert await store.blob_size(REPO, digest("secret")) is None
    await content.delete(REPO, name)
    await undelete.restore(REPO, name, "eve")
    assert await store.blob_size(REPO, digest("secret")) is None
    assert await store.parents(REPO, digest("secret")) == [(name, "layer")]
    await content.delete(REPO, name)
    await store.delete_blob("secret/a", digest("secret"))
    assert (await content.collected())[0] == {digest("secret")}


async def test_a_tag_that_is_taken_stays_where_it_is(content: Content, store: Metadata, undelete: Undelete) -> None:
    first = await content.image(REPO, "v1", "one")
    await content.delete(REPO, first)
    second = await content.image(REPO, "v1", "two")
    assert (await undelete.restore(REPO, first, "kim")).tags == ()
    found = await store.manifest(REPO, "v1")
    assert found is not None
    assert found.digest == second


async def test_with_an_index_come_its_images_and_with_a_subject_its_referrers(
    content: Content, store: Metadata, undelete: Undelete, clock: Clock
) -> None:
    images = [await content.image(REPO, "", f"layer {number}") for number in range(2)]
    kept = await content.image(REPO, "", "kept")
    index = await content.index(REPO, "v1", *images, kept)
    old = await content.image(REPO, "", "old signature", subject=images[0])
    await content.delete(REPO, old)
    clock.now += 10
    signature = await content.image(REPO, "", "signature", subject=images[0])
    for name in (index, *images, signature):
        await content.delete(REPO, name)
    restored = await undelete.restore(REPO, index, "kim")
    assert restored.digests[0] == index
    assert set(restored.digests) == {index, *images, signature}
    assert restored.tags == ("v1",)
    for layer in ("layer 0", "layer 1", "kept", "signature"):
        assert await store.blob_size(REPO, digest(layer)) is not None
    assert await store.blob_size(REPO, digest("old signature")) is None
    assert [one.digest for one in await undelete.graves(REPO)] == [old]


async def test_a_deleted_tag_comes_back_with_what_it_pointed_at(
    content: Content, store: Metadata, undelete: Undelete, clock: Clock
) -> None:
    first = await content.image(REPO, "v1", "one")
    second = await content.image(REPO, "v1", "two")
    await store.delete_tag(REPO, "v1", "eve")
    assert await undelete.restore(REPO, "v1", "kim") == ((second,), ("v1",))
    await store.delete_tag(REPO, "v1", "eve")
    await content.delete(REPO, second)
    assert await undelete.restore(REPO, "v1", "kim") == ((second,), ("v1",))
    assert await undelete.restore(REPO, "v1", "kim") == ((), ())
    for never in ("v2", "", str(digest("nothing"))):
        with pytest.raises(NotBuried):
            await undelete.restore(REPO, never, "kim")
    await store.delete_tag(REPO, "v1", "eve")
    clock.now += DAY + 1
    with pytest.raises(NotBuried):
        await undelete.restore(REPO, "v1", "kim")
    assert await store.manifest(REPO, first) is not None


async def test_what_is_pushed_again_needs_no_undeleting(content: Content, undelete: Undelete) -> None:
    name = await content.image(REPO, "v1", "layer")
    await content.delete(REPO, name)
    await content.image(REPO, "v1", "layer")
    assert await undelete.graves(REPO) == []
    await content.delete(REPO, name)
    assert len(await undelete.graves(REPO)) == 1


async def test_what_is_to_be_forgotten_cannot_be_brought_back(content: Content, undelete: Undelete) -> None:
    name = await content.image(REPO, "v1", "leaked key")
    await content.delete(REPO, name)
    await undelete.forget(REPO, name)
    assert (await content.collected())[0] == {digest("leaked key")}
    for again in (undelete.restore(REPO, name, "kim"), undelete.forget(REPO, name)):
        with pytest.raises(NotBuried):
            await again


async def test_without_undeleting_nothing_is_kept_and_nothing_comes_back(
    database: Database, content: Content, clock: Clock
) -> None:
    name = await content.image(REPO, "v1", "layer")
    await content.delete(REPO, name, keep=False)
    assert (await content.collected())[0] == {digest("layer")}
    never = Undelete(database, 0.0)
    for reference in (name, "v1"):
        with pytest.raises(NotBuried):
            await never.restore(REPO, reference, "kim")
    later = await content.image(REPO, "v2", "other")
    await content.delete(REPO, later)
    clock.now += 1
    assert await never.expire() == 1


async def test_a_quota_holds_for_what_comes_back(database: Database, content: Content, undelete: Undelete) -> None:
    name = await content.image(REPO, "v1", "x" * 500)
    await content.delete(REPO, name)
    await Namespaces(database).set_quota("a", 100)
    with pytest.raises(QuotaExceeded):
        await undelete.restore(REPO, name, "kim")
    assert await content.store.manifest(REPO, name) is None
    assert len(await undelete.graves(REPO)) == 1


async def test_a_grave_moves_with_its_repository(database: Database, content: Content, undelete: Undelete) -> None:
    name = await content.image(REPO, "v1", "layer")
    await content.delete(REPO, name)
    await Repositories(database).rename(REPO, "b/moved", "ada")
    await undelete.restore("b/moved", name, "kim")
    assert await content.store.blob_size("b/moved", Digest(digest("layer"))) == 5


async def test_a_tag_points_again_at_what_its_history_names_and_at_nothing_else(
    content: Content, store: Metadata, undelete: Undelete, database: Database
) -> None:
    old, new, other = [await content.image(REPO, tag, text) for tag, text in (("v", "1"), ("v", "2"), ("w", "3"))]
    changes = await Repositories(database).history(REPO)
    assert (await undelete.past(REPO, changes)).returnable == {("v", old)}
    await undelete.point(REPO, "v", old, "kim", buried=False)
    assert (await undelete.past(REPO, changes)).returnable == {("v", new)}
    with pytest.raises(NotBuried):
        await undelete.point(REPO, "v", other, "kim", buried=True)
    await content.delete(REPO, new)
    assert (await undelete.past(REPO, changes)).returnable == {("v", new)}
    with pytest.raises(NotBuried):
        await undelete.point(REPO, "v", new, "kim", buried=False)
    await undelete.point(REPO, "v", new, "kim", buried=True)
    found = await store.manifest(REPO, "v")
    assert found is not None
    assert found.digest == new
    assert await undelete.past("a/none", changes) == (frozenset(), frozenset())
