"""What the pull-through cache remembers, in each database."""

from __future__ import annotations

from hardtack.oci.digest import Digest
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.rows import Child, NewManifest
from hardtack.registry.metadata.store import Metadata
from hardtack.registry.upstream import scripts
from support.databases import Clock

_URL = "https://registry.example.org"


def _manifest(text: bytes = b"{}") -> NewManifest:
    return NewManifest(Digest.of(text), "application/x", text, children=(Child(Digest.of(b"layer"), "layer", False),))


async def _keep(database: Database, manifest: NewManifest, tag: str) -> None:
    await database.write(
        scripts.keep_manifest, "hub/app", _URL, "public", manifest, tag, "@registry.example.org", database.now()
    )


async def test_a_kept_manifest_makes_a_repository_of_the_upstream(database: Database, clock: Clock) -> None:
    assert await database.read(scripts.home, "hub/app") is None
    await _keep(database, _manifest(), "1")
    assert await database.read(scripts.home, "hub/app") == _URL
    known = await database.read(scripts.known, "hub/app", "1")
    assert known.held is not None
    assert (known.held.visibility, known.home, known.found, known.checked) == ("public", _URL, True, clock.now)


async def test_a_tag_that_is_lost_leaves_its_manifest(database: Database, clock: Clock) -> None:
    await _keep(database, _manifest(), "1")
    clock.now += 10
    await database.note(scripts.lost, "hub/app", "1", "@x", database.now())
    known = await database.read(scripts.known, "hub/app", "1")
    assert (known.held, known.found, known.checked) == (None, False, clock.now)
    assert (await database.read(scripts.known, "hub/app", str(_manifest().digest))).held is not None


async def test_one_asks_at_a_time_until_it_knows_gives_up_or_is_gone(database: Database, clock: Clock) -> None:
    async def begin() -> bool:
        return await database.note(scripts.begin_asking, "hub/app", "1", database.now(), 20.0)

    assert await begin()
    assert not await begin()
    assert (await database.read(scripts.known, "hub/app", "1")).found is None
    await database.note(scripts.stop_asking, "hub/app", "1")
    assert await begin()
    clock.now += 21
    assert await begin()
    await database.note(scripts.saw, "hub/app", "1", False, database.now())
    await database.note(scripts.stop_asking, "hub/app", "1")
    assert (await database.read(scripts.known, "hub/app", "1")).found is False
    assert await begin()


async def test_what_was_seen_long_ago_is_forgotten(database: Database, clock: Clock) -> None:
    await database.note(scripts.saw, "hub/app", "old", False, database.now())
    clock.now += 40 * 86_400
    await database.note(scripts.saw, "hub/app", "new", False, database.now())
    assert (await database.read(scripts.known, "hub/app", "old")).found is None
    assert (await database.read(scripts.known, "hub/app", "new")).found is False


async def test_a_fetch_is_seen_by_others_as_long_as_it_shows_life(database: Database, clock: Clock) -> None:
    metadata, digest, upload = Metadata(database), Digest.of(b"layer"), "11111111-1111-4111-8111-111111111111"
    await metadata.claim(upload, "hub/app", "@x", digest, 5)

    async def fetching(repository: str = "hub/app") -> str:
        return await database.read(scripts.fetching, repository, str(digest), database.now() - 10)

    assert await fetching() == upload
    assert await fetching("hub/other") == ""
    clock.now += 11
    assert await fetching() == ""
    await metadata.touch_upload(upload)
    assert await fetching() == upload
    await database.write(scripts.finish_blob, "hub/app", _URL, "private", upload, str(digest), 5, database.now())
    assert await fetching() == ""
    assert await metadata.blob_size("hub/app", digest) == 5
    assert await database.read(scripts.home, "hub/app") == _URL


async def test_a_blob_is_linked_from_where_it_is(database: Database) -> None:
    metadata, digest = Metadata(database), Digest.of(b"layer")
    await metadata.claim("u", "own/app", "x", digest, 5)
    await metadata.finish_upload("u", "own/app", digest, 5)

    async def link(source: str) -> bool:
        values = ("hub/app", _URL, "private", str(digest), source, database.now())
        return await database.write(scripts.link, *values)

    assert not await link("own/none")
    assert await link("own/app")
    assert await metadata.blob_size("hub/app", digest) == 5
    assert await database.read(scripts.home, "hub/app") == _URL
