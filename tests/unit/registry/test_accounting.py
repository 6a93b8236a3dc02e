"""What keeps a content, what a removal frees, how often something is pulled."""

from __future__ import annotations

import asyncio

import pytest

from hardtack.registry.errors import StorageFull
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories.preview import of_collection
from hardtack.registry.repositories.pulls import Pulls
from hardtack.registry.repositories.store import Repositories
from hardtack.registry.repositories.undelete import Undelete
from hardtack.registry.repositories.why import lines
from support.databases import Clock
from support.registry_content import Content, digest

DAY = 86_400.0


@pytest.fixture
def repositories(database: Database) -> Repositories:
    return Repositories(database)


async def told(repositories: Repositories, text: str, repository: str = "") -> list[tuple[str, str, list[str]]]:
    chains = await repositories.why(str(digest(text)), repository)
    return [(chain.repository, chain.reason, [step.kind for step in chain.steps]) for chain in chains]


async def test_every_chain_that_keeps_a_blob_is_told(
    content: Content, store: Metadata, repositories: Repositories
) -> None:
    one = await content.image("a/b", "v1", "layer")
    await content.manifest("a/b", f"image v1 of {('layer',)}", "latest")
    await content.index("a/b", "all", one)
    await content.image("a/b", "", "layer", subject=one)
    gone = await content.image("a/c", "old", "layer")
    await content.delete("a/c", gone)
    await content.blob("a/d", "layer")
    await store.claim("u", "a/e", "bob", digest("layer"), 5)
    assert await told(repositories, "layer") == [
        ("a/b", "manifest", ["subject", "manifest", "layer"]),
        ("a/b", "tag", ["tag", "manifest", "layer"]),
        ("a/b", "tag", ["tag", "manifest", "layer"]),
        ("a/b", "tag", ["tag", "index", "manifest", "layer"]),
        ("a/d", "idle", ["blob"]),
        ("a/e", "upload", ["upload", "blob"]),
        ("a/c", "deleted", ["manifest", "layer"]),
    ]
    assert await told(repositories, "layer", "a/d") == [("a/d", "idle", ["blob"])]
    await store.begin_upload("v", "a/d", "ada")
    assert await told(repositories, "layer", "a/d") == [("a/d", "push", ["upload", "blob"])]
    (chain,) = await repositories.why(str(digest("layer")), "a/c")
    assert list(lines(chain)) == [
        "a/c: deleted, and can be brought back for now (eve)",
        f"  manifest {gone}",
        f"    layer {digest('layer')}",
    ]
    assert len(await repositories.why(str(digest("layer")), limit=2)) == 2
    assert await repositories.why(str(digest("nothing"))) == []


async def test_a_manifest_is_kept_by_its_tags_its_indexes_or_itself(
    content: Content, repositories: Repositories
) -> None:
    one = await content.image("a/b", "", "layer")
    (alone,) = await repositories.why(one)
    assert (alone.reason, alone.steps) == ("manifest", (("manifest", one),))
    index = await content.index("a/b", "all", one)
    (through,) = await repositories.why(one)
    assert through.steps == (("tag", "all"), ("index", index), ("manifest", one))
    await content.delete("a/b", index)
    await content.delete("a/b", one)
    assert [chain.reason for chain in await repositories.why(one)] == ["deleted"]


async def test_what_nothing_needs_is_idle(content: Content, store: Metadata, repositories: Repositories) -> None:
    await content.blob("a/b", "layer")
    await store.delete_blob("a/b", digest("layer"))
    assert await told(repositories, "layer") == [("", "idle", ["blob"])]
    assert await told(repositories, "layer", "a/b") == []


async def test_a_preview_is_what_the_collector_then_frees(
    database: Database, content: Content, store: Metadata, repositories: Repositories, clock: Clock
) -> None:
    shared, elsewhere, claimed, buried = ("shared", "elsewhere", "claimed", "buried")
    first = await content.image("a/b", "v1", "own", "both", shared, elsewhere, claimed, buried)
    second = await content.image("a/b", "v2", "both", "second")
    await content.image("a/b", "v3", shared)
    await content.image("a/c", "v1", elsewhere)
    await store.claim("u", "a/d", "bob", digest(claimed), len(claimed))
    await content.delete("a/e", await content.image("a/e", "v1", buried))
    assert await repositories.freed_by("a/b", [first]) == (1, 1, 1, 3)
    together = await repositories.freed_by("a/b", [first, second, str(digest("nothing"))])
    assert together == (2, 2, 3, len("own") + len("both") + len("second"))
    assert await repositories.freed_by("a/none", [first]) == (0, 0, 0, 0)
    for name in (first, second):
        await content.delete("a/b", name, keep=False)
    gone, size = await content.collected()
    assert (len(gone), size) == (together.blobs, together.size)


async def test_a_round_of_collection_is_told_before_it_happens(
    database: Database, content: Content, store: Metadata, clock: Clock
) -> None:
    await content.image("a/b", "v1", "kept")
    await content.delete("a/b", await content.image("a/b", "v2", "old grave"))
    await content.blob("a/b", "idle link")
    await content.blob("a/busy", "idle but pushed to")
    await content.blob("a/c", "unlinked")
    await store.delete_blob("a/c", digest("unlinked"))
    clock.now += DAY + 1
    await content.delete("a/b", await content.image("a/b", "v3", "new grave"))
    await store.begin_upload("u", "a/busy", "bob")
    found = await database.browse(of_collection, clock.now, 900.0, DAY, DAY)
    while await store.drop_uploads(DAY):
        pass
    while await Undelete(database, DAY).expire():
        pass
    gone, size = await content.collected(900.0)
    assert gone == {digest("old grave"), digest("idle link"), digest("unlinked")}
    assert (found.graves, found.blobs, found.size) == (1, 3, size)


async def test_pulls_of_tags_digests_and_repositories_are_counted(
    database: Database, content: Content, repositories: Repositories, clock: Clock
) -> None:
    image = await content.image("a/b", "v1", "layer")
    index = await content.index("a/b", "all", image)
    one, two = Pulls(database), Pulls(database)
    for pulls in (one, two):
        pulls.count("a/b", "v1", image)
        pulls.count("a/b", "all", index)
        pulls.count("a/b", image, image)  # the image of the index that was pulled just before
        pulls.count("a/b", index, index)
        pulls.count("gone/a", "v1", image)
        await pulls.flush()
    clock.now += 50
    one.count("a/b", "v1", image)
    await asyncio.gather(one.flush(), two.flush())
    found = await repositories.pulled("a/b", ["", "v1", "all", image, index, "never"])
    assert {name: count for name, (count, _) in found.items()} == {"": 7, "v1": 3, "all": 2, image: 5, index: 4}
    assert (found["v1"].latest, found["all"].latest) == (clock.now, clock.now - 50)
    details = await repositories.details("a/b")
    assert (details.pulls, details.pulled) == (7, clock.now)
    assert await repositories.pulled("a/none") == {}


async def test_counts_go_with_what_they_count(
    database: Database, content: Content, repositories: Repositories, clock: Clock
) -> None:
    first, second = [await content.image("a/b", tag, tag) for tag in ("v1", "v2")]
    pulls = Pulls(database)
    for tag, name in (("v1", first), ("v2", second)):
        pulls.count("a/b", tag, name)
    await pulls.flush()
    await content.delete("a/b", first)
    await content.delete("a/b", second, keep=False)
    assert set(await repositories.pulled("a/b", ["", "v1", "v2", first, second])) == {"", "v1", first}
    clock.now += DAY + 1
    await Undelete(database, DAY).expire()
    assert set(await repositories.pulled("a/b", ["", "v1", first])) == {""}
    await content.image("a/b", "v3", "x")
    pulls.count("a/b", "v3", first)
    await pulls.flush()
    await content.store.delete_tag("a/b", "v3", "eve")
    assert "v3" not in await repositories.pulled("a/b", ["v3"])


async def test_what_is_deleted_before_its_pulls_are_written_leaves_no_counts(
    database: Database, content: Content, repositories: Repositories
) -> None:
    image = await content.image("a/b", "v1", "layer")
    pulls = Pulls(database)
    pulls.count("a/b", "v1", image)
    await content.delete("a/b", image, keep=False)
    await pulls.flush()
    assert set(await repositories.pulled("a/b", ["", "v1", image])) == {""}


async def test_counts_that_could_not_be_written_are_written_later(
    database: Database, content: Content, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = await content.image("a/b", "v1")
    pulls = Pulls(database)
    pulls.count("a/b", "v1", image)

    async def full(*_: object) -> None:
        raise StorageFull

    with monkeypatch.context() as patched:
        patched.setattr(database, "note", full)
        await pulls.flush()
    assert await repositories.pulled("a/b") == {}
    await pulls.flush()
    assert (await repositories.pulled("a/b"))[""].pulls == 1
