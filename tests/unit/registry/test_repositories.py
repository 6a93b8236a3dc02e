"""What repositories are beside their content: made, described, found by who may, renamed, deleted, limited."""

from __future__ import annotations

import asyncio

import pytest

from hardtack.registry.access import EVERYBODY, READ, Caller, Claims, Grant
from hardtack.registry.errors import (
    NameInvalid,
    QuotaExceeded,
    RepositoryExists,
    RepositoryUnknown,
    SettingInvalid,
    TagImmutable,
    UploadUnknown,
)
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.repositories.rows import Settings
from hardtack.registry.repositories.store import Namespaces, Repositories
from support.databases import Clock
from support.registry_content import Content, digest


@pytest.fixture
def repositories(database: Database) -> Repositories:
    return Repositories(database)


async def test_one_that_was_made_stays_empty_and_one_that_came_by_itself_goes(
    content: Content, repositories: Repositories, clock: Clock
) -> None:
    await repositories.create("a/made", "ada", Settings(summary="ours", readme="# Ours\n", visibility="internal"))
    await repositories.create("a/bare", "ada")
    await content.image("a/set", "v1")
    await repositories.change("a/set", Settings(visibility="public"))
    await content.delete("a/set", (await content.store.tags("a/set"))[0].digest, keep=False)
    await content.delete("a/came", await content.image("a/came", "v1"), keep=False)
    clock.now += 100
    assert await content.store.drop_repositories(60) == ["a/came"]
    made = await repositories.details("a/made")
    assert (made.visibility, made.summary, made.readme, made.tags, made.pulled) == (
        "internal",
        "ours",
        "# Ours\n",
        0,
        0,
    )
    assert await repositories.names(EVERYBODY) == ["a/bare", "a/made", "a/set"]


async def test_what_cannot_be_made_or_set_is_refused(repositories: Repositories) -> None:
    await repositories.create("a/b", "ada")
    with pytest.raises(RepositoryExists):
        await repositories.create("a/b", "bob")
    for name in ("A/b", "api/x", "a//b", "~1"):
        with pytest.raises(NameInvalid):
            await repositories.create(name, "ada")
    wrong = (
        Settings(visibility="secret"),
        Settings(summary="two\nlines"),
        Settings(summary="x" * 201),
        Settings(readme="x" * 100_001),
        Settings(readme="\ud800"),
        Settings(immutable=("v*", "a b")),
    )
    for setting in wrong:
        with pytest.raises(SettingInvalid):
            await repositories.change("a/b", setting)
    with pytest.raises(RepositoryUnknown):
        await repositories.change("a/c", Settings(summary="x"))
    with pytest.raises(RepositoryUnknown):
        await repositories.details("a/c")


async def test_a_new_one_is_as_visible_as_its_namespace_says_or_else_the_configuration(
    database: Database, repositories: Repositories
) -> None:
    await Namespaces(database).set_visibility("open", "public")
    inside = Content(database)
    inside.store = Metadata(database, "internal")
    for name in ("open/a", "library/a", "other/a"):
        await inside.image(name, "v1")
    await repositories.create("library/b", "ada")
    await repositories.create("other/b", "ada")
    shown = {found.name: (found.visibility, found.official) for found in await repositories.search(EVERYBODY)}
    assert shown == {
        "library/a": ("public", True),
        "library/b": ("public", True),
        "open/a": ("public", False),
        "other/a": ("internal", False),
        "other/b": ("private", False),
    }


async def test_a_caller_finds_what_they_may_pull_from_and_nothing_else(
    content: Content, repositories: Repositories
) -> None:
    seen = {
        "public": ["p/1", "p/3"],
        "internal": ["p/2"],
        "private": ["own/x", "own/x/deep", "p/4", "team/a", "team/a/b"],
    }
    for visibility, names in seen.items():
        for name in names:
            await repositories.create(name, "ada", Settings(visibility=visibility, summary=f"About {name[-1]}%"))
    bob = Caller("bob", (Grant("own/**", READ), Grant("team/*", READ)))
    everything = ["own/x", "own/x/deep", "p/1", "p/2", "p/3", "team/a"]
    assert await repositories.names(bob) == everything
    assert await repositories.names(Caller()) == seen["public"]
    assert await repositories.names(Caller("eve")) == ["p/1", "p/2", "p/3"]
    paged: list[str] = []
    while page := await repositories.names(bob, paged[-1] if paged else "", 2):
        paged += page
    assert paged == everything
    assert [found.name for found in await repositories.search(bob, "ABOUT 3%")] == ["p/3"]
    assert [found.name for found in await repositories.search(bob, "own/")] == ["own/x", "own/x/deep"]
    assert [found.name for found in await repositories.search(bob, "own/", "own/x", 1)] == ["own/x/deep"]
    scoped = Caller("bob", bob.grants, (Grant("p/*", READ), Grant("own/x", READ)))
    assert await repositories.names(scoped) == ["own/x", "p/1", "p/2", "p/3"]
    token = Claims({"own/x": READ, "p/4": READ})
    assert await repositories.names(Caller("bob", bob.grants, None, token)) == ["own/x"]
    assert await repositories.names(Caller("bob", bob.grants, None, Claims({}, catalog=True))) == everything


async def test_a_renamed_one_has_everything_and_the_old_name_nothing(
    content: Content, repositories: Repositories, clock: Clock
) -> None:
    store = content.store
    name = await content.image("a/old", "v1", "layer")
    await store.begin_upload("u", "a/old", "ada")
    await repositories.change("a/old", Settings(summary="described", visibility="public"))
    await repositories.rename("a/old", "b/new", "ada")
    moved = await repositories.details("b/new")
    assert (moved.summary, moved.visibility, moved.tags, moved.size > 5) == ("described", "public", 1, True)
    assert await store.manifest("b/new", "v1") is not None
    assert await store.blob_size("b/new", digest("layer")) == 5
    assert not await store.has_repository("a/old")
    assert await store.manifest("a/old", name) is None
    assert [change.tag for change in await repositories.history("b/new")] == ["v1"]
    # What was on its way to the old name does not make it come back.
    with pytest.raises(UploadUnknown):
        await store.claim("u", "a/old", "ada", digest("late"), 4, opened=True)
    await store.claim("whole", "a/old", "ada", digest("late"), 4)
    await store.cancel_upload("whole")
    with pytest.raises(UploadUnknown):
        await store.finish_upload("whole", "a/old", digest("late"), 4)
    assert not await store.has_repository("a/old")


async def test_a_name_that_is_taken_is_given_to_nobody(content: Content, repositories: Repositories) -> None:
    for name in ("a/one", "a/two"):
        await content.image(name, "v1")
    with pytest.raises(RepositoryExists):
        await repositories.rename("a/one", "a/two", "ada")
    with pytest.raises(RepositoryUnknown):
        await repositories.rename("a/none", "a/three", "ada")
    with pytest.raises(NameInvalid):
        await repositories.rename("a/one", "admin/x", "ada")
    outcomes = await asyncio.gather(
        *(repositories.rename(name, "b/wanted", "ada") for name in ("a/one", "a/two")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [RepositoryExists]
    assert len(await repositories.names(EVERYBODY)) == 2


async def test_a_deleted_one_is_gone_at_once_and_its_space_follows(
    content: Content, repositories: Repositories
) -> None:
    await content.image("a/gone", "v1", "own layer", "shared")
    await content.image("a/gone", "v2", "more")
    await content.delete("a/gone", await content.image("a/gone", "v3", "buried"))
    await content.image("a/stays", "v1", "shared")
    preview = await repositories.freed_by("a/gone")
    await repositories.delete("a/gone", "ada")
    assert await repositories.names(EVERYBODY) == ["a/stays"]
    gone, size = await content.collected()
    assert gone == {digest("own layer"), digest("more"), digest("buried")}
    assert (preview.tags, preview.manifests, preview.blobs, preview.size) == (2, 2, 3, size)
    assert not await repositories.take_apart()
    with pytest.raises(RepositoryUnknown):
        await repositories.delete("a/gone", "ada")
    await content.image("a/gone", "v9", "own layer")
    assert [tag.name for tag in await content.store.tags("a/gone")] == ["v9"]


async def test_a_deletion_that_was_interrupted_shows_nothing_and_is_finished_later(
    database: Database, content: Content, repositories: Repositories
) -> None:
    from hardtack.registry.repositories import moving

    await content.image("library/a", "v1", "layer")
    await database.free(moving.doom, "library/a", "ada", database.now())
    assert await repositories.names(EVERYBODY) == []
    assert await content.store.repositories() == []
    assert await content.store.linked_in(digest("layer")) == []
    assert (await content.store.totals()).repositories == 0
    assert (await Namespaces(database).get("library")).used == 0
    while await repositories.take_apart():
        pass
    assert (await content.collected())[0] == {digest("layer")}


async def test_immutable_tags_are_neither_moved_nor_deleted(content: Content, repositories: Repositories) -> None:
    store = content.store
    first = await content.image("a/b", "v1", "one")
    await content.image("a/b", "latest", "two")
    await repositories.change("a/b", Settings(immutable=("v*", "!v*-rc", "1.?")))
    await content.image("a/b", "v1", "one")
    await content.image("a/b", "latest", "three")
    await content.image("a/b", "v2-rc", "one")
    await content.image("a/b", "v2-rc", "two")
    await content.image("a/b", "v3", "one")
    for refused in (
        content.image("a/b", "v1", "other"),
        store.delete_tag("a/b", "v1", "ada"),
        store.delete_manifest("a/b", first, "ada", 0.0),
        repositories.delete("a/b", "ada"),
    ):
        with pytest.raises(TagImmutable, match=r"v1 is immutable here: tags like v\*"):
            await refused
    found = await store.manifest("a/b", "v1")
    assert found is not None
    assert found.digest == first
    assert await store.delete_tag("a/b", "v2-rc", "ada")
    await repositories.change("a/b", Settings(immutable=()))
    assert await store.delete_tag("a/b", "v1", "ada")


async def test_a_quota_counts_the_namespace_and_refuses_what_goes_over_it(database: Database, content: Content) -> None:
    namespaces, store = Namespaces(database), content.store
    for name in ("ns/a", "ns", "ns-2/a", "n/s"):
        await content.blob(name, "12345")
    assert (await namespaces.get("ns")).used == 10
    await namespaces.set_quota("ns", 20)
    await content.blob("ns/b", "1234567890")
    with pytest.raises(QuotaExceeded) as caught:
        await content.blob("ns/c", "x")
    assert caught.value.detail == {"quota": "ns", "limit": 20, "used": 20, "needed": 1}
    assert not await store.has_repository("ns/c")
    with pytest.raises(QuotaExceeded):
        await store.mount("ns/c", digest("12345"), "ns/a")
    with pytest.raises(QuotaExceeded):
        await content.manifest("ns/a", "a manifest has a size as well", "v1")
    assert await store.manifest("ns/a", "v1") is None
    await content.blob("ns/a", "12345")  # what is there already needs no room
    await content.blob("ns-2/a", "x" * 100)
    await store.delete_blob("ns/b", digest("1234567890"))
    await content.blob("ns/c", "1")
    await namespaces.set_quota("ns", None)
    await content.blob("ns/c", "x" * 100)
    assert [one.name for one in await namespaces.all()] == ["ns"]


async def test_two_uploads_at_once_do_not_both_slip_under_a_quota(database: Database, content: Content) -> None:
    await Namespaces(database).set_quota("ns", 25)
    pushes = (content.blob(f"ns/r{number}", f"ten bytes{number}") for number in range(6))
    outcomes = await asyncio.gather(*pushes, return_exceptions=True)
    assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 4
    assert (await Namespaces(database).get("ns")).used == 20


async def test_a_transfer_needs_room_where_it_goes(
    database: Database, content: Content, repositories: Repositories
) -> None:
    await content.blob("a/big", "x" * 50)
    await Namespaces(database).set_quota("b", 49)
    with pytest.raises(QuotaExceeded):
        await repositories.rename("a/big", "b/big", "ada")
    assert await repositories.names(EVERYBODY) == ["a/big"]
    await Namespaces(database).set_quota("b", 50)
    await repositories.rename("a/big", "b/big", "ada")
