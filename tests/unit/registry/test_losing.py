"""The mark of a lost blob: set while nobody pushes it, over both databases, and taken away by the end of a push."""

from __future__ import annotations

import asyncio

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.errors import ManifestBlobUnknown
from hardtack.registry.metadata import losing
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.rows import Child, NewManifest
from hardtack.registry.metadata.script import hits
from hardtack.registry.metadata.store import Metadata
from support.databases import Clock

BLOB = Digest.of(b"a blob")
RAW = b"a manifest"
MANIFEST = NewManifest(Digest.of(RAW), "application/x", RAW, children=(Child(BLOB, "layer", True),))


async def yes() -> bool:
    return True


async def never() -> bool:
    raise AssertionError("somebody is pushing it")


async def push(metadata: Metadata, upload: str = "u1", repository: str = "bakery/bread") -> None:
    await metadata.claim(upload, repository, "", BLOB, 6)
    await metadata.finish_upload(upload, repository, BLOB, 6)


@pytest.fixture
def metadata(database: Database) -> Metadata:
    return Metadata(database)


async def test_a_lost_blob_is_nowhere_until_it_is_pushed_again(database: Database, metadata: Metadata) -> None:
    await push(metadata)
    await metadata.put_manifest("bakery/bread", MANIFEST, ["v1"], "", lambda tag, before: None)
    assert await database.write(losing.lose, BLOB, "gone", losing.NEVER, database.now(), yes)
    assert await database.write(losing.lose, BLOB, "gone", losing.NEVER, database.now(), never)  # it is already
    assert await metadata.blob_size("bakery/bread", BLOB) is None
    assert not await metadata.mount("other", BLOB, "bakery/bread")
    with pytest.raises(ManifestBlobUnknown):
        await metadata.put_manifest("bakery/bread", MANIFEST, ["v2"], "", lambda tag, before: None)
    assert await metadata.manifest("bakery/bread", "v1") is not None
    await push(metadata, "u2", "elsewhere")
    assert await metadata.blob_size("bakery/bread", BLOB) == 6
    assert not await database.read(hits, "SELECT 1 FROM lost WHERE digest = ?", BLOB)


async def test_wrong_bytes_are_left_alone_while_somebody_pushes_the_blob(
    database: Database, metadata: Metadata, clock: Clock
) -> None:
    await push(metadata)
    clock.now += 10
    looked = clock.now
    await metadata.claim("u2", "bakery/bread", "", BLOB, 6)
    clock.now += 1
    assert not await database.write(losing.lose, BLOB, "rotten", looked, clock.now, never)
    await metadata.finish_upload("u2", "bakery/bread", BLOB, 6)
    clock.now += 1
    assert not await database.write(losing.lose, BLOB, "rotten", looked, clock.now, never)  # pushed since the look
    clock.now += 10
    await metadata.claim("u3", "bakery/bread", "", BLOB, 6)
    clock.now += 7200  # whoever claimed it has died
    assert await database.write(losing.lose, BLOB, "rotten", clock.now, clock.now, yes)


async def test_a_push_that_comes_while_bytes_are_set_aside_waits_for_that(
    database: Database, metadata: Metadata, clock: Clock
) -> None:
    await push(metadata)
    clock.now += 10
    begun, order = asyncio.Event(), []

    async def slowly() -> bool:
        begun.set()
        await asyncio.sleep(0.2)
        order.append("aside")
        return True

    losing_it = asyncio.create_task(database.write(losing.lose, BLOB, "rotten", clock.now, clock.now, slowly))
    await begun.wait()
    await push(metadata, "u2")
    order.append("pushed")
    assert await losing_it
    assert order == ["aside", "pushed"]
    assert await metadata.blob_size("bakery/bread", BLOB) == 6


async def test_bytes_that_are_back_by_now_are_not_lost_nor_is_what_nobody_knows(
    database: Database, metadata: Metadata
) -> None:
    async def no() -> bool:
        return False

    await push(metadata)
    assert not await database.write(losing.lose, BLOB, "gone", losing.NEVER, database.now(), no)
    assert not await database.write(losing.lose, Digest.of(b"?"), "gone", losing.NEVER, database.now(), never)
    assert await metadata.blob_size("bakery/bread", BLOB) == 6


async def test_a_blob_that_is_lost_can_be_collected(database: Database, metadata: Metadata, clock: Clock) -> None:
    await push(metadata)
    await database.write(losing.lose, BLOB, "gone", losing.NEVER, database.now(), yes)
    await metadata.delete_blob("bakery/bread", BLOB)
    clock.now += 10

    async def remove(digests: object) -> None:
        pass

    assert await metadata.drop_blobs(1, remove) == [(BLOB, 6)]
    assert not await database.read(hits, "SELECT 1 FROM lost WHERE digest = ?", BLOB)


async def test_an_emptied_manifest_is_not_found_and_a_push_fills_it(database: Database, metadata: Metadata) -> None:
    await push(metadata)
    await metadata.put_manifest("bakery/bread", MANIFEST, ["v1"], "", lambda tag, before: None)
    assert not await database.write(losing.empty_content, MANIFEST.digest, b"something else")
    assert await database.write(losing.empty_content, MANIFEST.digest, RAW)
    assert await metadata.manifest("bakery/bread", "v1") is None
    assert await metadata.manifest("bakery/bread", MANIFEST.digest) is None
    await metadata.put_manifest("bakery/bread", MANIFEST, [], "", lambda tag, before: None)
    found = await metadata.manifest("bakery/bread", "v1")
    assert found is not None and bytes(found.raw) == RAW
