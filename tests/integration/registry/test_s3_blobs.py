"""Blobs in a real S3 server, as several processes use them, of which some die, stand still or meet bad weather."""

from __future__ import annotations

import asyncio
import os
import urllib.request
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.s3.settings import S3Settings
from hardtack.registry.errors import (
    BlobUnknown,
    CannotServe,
    DigestInvalid,
    StorageFull,
    StorageUnreachable,
    UploadOutOfOrder,
    UploadUnknown,
)
from support.s3_weather import Cut, Forget, Refuse, Weather, weather
from support.weed import Weed, weed

pytest.importorskip("aiobotocore", reason="needs aiobotocore (pip install hardtack[s3])")

from hardtack.registry.blobs.s3 import assembling, connecting, failures
from hardtack.registry.blobs.s3.bucket import Bucket
from hardtack.registry.blobs.s3.storage import S3Blobs
from hardtack.registry.blobs.s3.uploads import state_of

MB = 1 << 20
Opener = Callable[..., Awaitable[S3Blobs]]


@pytest.fixture(scope="session")
def server() -> Weed:
    """Costs 1 s once."""
    return weed()


@pytest.fixture
def settings(server: Weed) -> S3Settings:
    return server.settings()


@pytest.fixture
async def opened(settings: S3Settings) -> AsyncIterator[Opener]:
    """Opens the storage once more: what another process, on another machine, has. Costs 150 ms each."""
    async with AsyncExitStack() as stack:

        async def open_one(**changes: object) -> S3Blobs:
            fields = {name: getattr(settings, name) for name in settings.__slots__}
            blobs = await S3Blobs.connect(S3Settings(**{**fields, **changes}))
            stack.push_async_callback(blobs.close)
            return blobs

        yield open_one


@pytest.fixture
async def bucket(settings: S3Settings) -> AsyncIterator[Bucket]:
    """The place itself, to see what lies there."""
    made = await Bucket.connect(settings)
    yield made
    await made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried twice, so that a lasting trouble shows at once."""
    monkeypatch.setattr(connecting, "_ATTEMPTS", 1)


@pytest.fixture
async def storm(server: Weed) -> AsyncIterator[Weather]:
    async with weather(server.endpoint) as made:
        yield made


async def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [entry.key async for entry in bucket.listing(prefix)]


async def assemblies(bucket: Bucket) -> list[tuple[str, str, float]]:
    return [found async for found in bucket.unfinished("blobs/")]


async def begin(blobs: S3Blobs) -> str:
    upload = str(uuid.uuid4())
    await blobs.begin(upload)
    return upload


async def write(blobs: S3Blobs, upload: str, data: bytes, start: int | None = None) -> None:
    async with blobs.append(upload, start) as appender:
        for at in range(0, len(data), 200_000):
            await appender.write(data[at : at + 200_000])


async def publish(blobs: S3Blobs, upload: str, data: bytes) -> Digest:
    digest = Digest.of(data)
    async with blobs.append(upload) as appender:
        assert await appender.publish(digest) == len(data)
    return digest


async def whole(blobs: S3Blobs, digest: Digest) -> bytes:
    blob = await blobs.open(digest)
    try:
        return b"".join([chunk async for chunk in blob.chunks(0, blob.size)])
    finally:
        blob.close()


async def test_a_large_upload_moves_between_processes_and_ends_as_one_blob(opened: Opener, bucket: Bucket) -> None:
    """More than ten parts, written by two, finished by a third that never saw a byte of it."""
    first, second, third = await opened(), await opened(), await opened()
    data = os.urandom(13 * MB) * 7
    upload = await begin(first)
    await write(first, upload, data[: 40 * MB + 17])
    await write(second, upload, data[40 * MB + 17 :], 40 * MB + 17)
    assert await third.received(upload) == len(data)
    assert await keys(bucket, "blobs/") == []
    digest = await publish(third, upload, data)
    assert await whole(first, digest) == data
    assert await keys(bucket, "uploads/") == [] and await assemblies(bucket) == []
    with pytest.raises(UploadUnknown):
        await publish(first, upload, data)


async def test_what_a_process_stored_before_it_died_is_gone_on_from(opened: Opener) -> None:
    dead, alive = await opened(), await opened()
    data = os.urandom(21 * MB)
    upload = await begin(dead)
    turn = dead.append(upload)
    appender = await turn.__aenter__()
    await appender.write(data[: 20 * MB])  # two pieces are on their way; the rest is in memory only
    while (held := await alive.received(upload)) != 16 * MB:
        await asyncio.sleep(0.02)
    await write(alive, upload, data[held:], held)
    digest = await publish(alive, upload, data)
    assert await whole(alive, digest) == data
    await turn.__aexit__(None, None, None)


async def test_a_writer_that_was_believed_dead_changes_nothing(opened: Opener, bucket: Bucket) -> None:
    stale, alive = await opened(), await opened()
    data = os.urandom(9 * MB)
    upload = await begin(stale)
    async with stale.append(upload) as appender:
        await appender.write(b"other bytes" * MB)
        while await alive.received(upload) != 8 * MB:
            await asyncio.sleep(0.02)
        await alive.discard(upload)
        await alive.begin(upload)
        await write(alive, upload, data[:MB], 0)
        await appender.write(b"more of them" * MB)
    assert await alive.received(upload) == MB
    await write(stale, upload, data[MB:], MB)
    digest = await publish(alive, upload, data)
    assert await whole(alive, digest) == data
    await alive.discard(upload)
    assert await keys(bucket, "uploads/") == []


async def test_a_hash_of_what_somebody_else_has_overtaken_is_not_used(opened: Opener) -> None:
    here, there = await opened(), await opened()
    upload = await begin(here)
    await write(here, upload, b"a" * 1000)
    await write(there, upload, b"b" * 1000, 1000)
    with pytest.raises(UploadOutOfOrder) as caught:
        await write(here, upload, b"c", 1000)
    assert caught.value.offset == 2000
    await write(here, upload, b"c" * 1000, 2000)
    digest = await publish(there, upload, b"a" * 1000 + b"b" * 1000 + b"c" * 1000)
    assert await whole(here, digest) == b"a" * 1000 + b"b" * 1000 + b"c" * 1000


async def test_left_overs_of_the_dead_are_found_and_removed(opened: Opener, bucket: Bucket) -> None:
    blobs = await opened()
    upload = await begin(blobs)
    async with blobs.append(upload) as appender:
        await appender.write(b"x" * 1000)
        other = await opened()
        await other.discard(upload)
    assert await blobs.received(upload) is None
    assert await blobs.abandoned(60) == []
    assert await blobs.abandoned(0) == [upload]
    assert await blobs.discard(upload)
    assert await keys(bucket) == []


async def test_tiny_chunks_do_not_become_as_many_objects(opened: Opener, bucket: Bucket) -> None:
    blobs = await opened()
    data = os.urandom(100 * 501)
    upload = await begin(blobs)
    for at in range(0, len(data), 501):
        await write(blobs, upload, data[at : at + 501], at)
    assert len((await state_of(bucket, upload)).chain) < 40
    assert await blobs.received(upload) == len(data)
    digest = await publish(await opened(), upload, data)
    assert await whole(blobs, digest) == data


async def test_chunks_of_any_size_in_any_order_of_sizes_make_a_blob(opened: Opener) -> None:
    blobs, other = await opened(), await opened()
    sizes = [3, 9 * MB, MB, MB, 5 * MB - 1, 5 * MB, 700, 2 * MB, 2 * MB, 2 * MB, 1]
    data = os.urandom(sum(sizes))
    upload = await begin(blobs)
    at = 0
    for place, size in enumerate(sizes):
        await write((blobs, other)[place % 2], upload, data[at : at + size], at)
        at += size
    digest = await publish(other, upload, data)
    assert await whole(blobs, digest) == data


async def test_when_memory_is_short_pieces_are_smaller(opened: Opener, bucket: Bucket) -> None:
    blobs = await opened()
    blobs._tools.memory.limit = 0
    data = os.urandom(7 * MB)
    upload = await begin(blobs)
    await write(blobs, upload, data)
    assert len(await keys(bucket, "uploads/")) > 10
    digest = await publish(blobs, upload, data)
    assert await whole(blobs, digest) == data
    assert blobs._tools.memory.held == 0


async def test_a_large_upload_with_another_digest_leaves_nothing(opened: Opener, bucket: Bucket) -> None:
    blobs = await opened()
    upload = await begin(blobs)
    await write(blobs, upload, b"x" * 9 * MB)
    with pytest.raises(DigestInvalid):
        async with blobs.append(upload) as appender:
            await appender.publish(Digest.of(b"y"))
    assert await keys(bucket) == [] and await assemblies(bucket) == []


async def test_whoever_dies_while_a_blob_is_put_together_leaves_what_discard_aborts(
    opened: Opener, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, upload, data = await opened(), "", b"x" * 17 * MB
    upload = await begin(blobs)
    await write(blobs, upload, data)
    with monkeypatch.context() as patch:
        reached = asyncio.Event()

        async def die(*words: object) -> None:
            reached.set()
            await asyncio.Event().wait()

        async def nothing(*words: object) -> None:
            pass

        patch.setattr(Bucket, "complete", die)
        patch.setattr(Bucket, "abort", nothing)
        ending = asyncio.create_task(publish(blobs, upload, data))
        await reached.wait()
        for task in asyncio.all_tasks():  # the process ends here: nothing of it goes on
            if "make" in repr(task.get_coro()):
                task.cancel()
        with suppress(asyncio.CancelledError):
            await ending
    assert len(await assemblies(bucket)) == 1 and await keys(bucket, "blobs/") == []
    other = await opened()
    assert await other.received(upload) == len(data)
    assert await other.discard(upload)
    assert await keys(bucket) == [] and await assemblies(bucket) == []


async def test_a_final_put_is_repeated_after_a_death_and_cleans_up_behind_it(opened: Opener, bucket: Bucket) -> None:
    blobs, data = await opened(), b"x" * 17 * MB
    upload = await begin(blobs)
    await write(blobs, upload, data)
    target = f"blobs/sha256/{Digest.of(data).hex[:2]}/{Digest.of(data).hex}"
    half = await bucket.assemble(target)
    note = f'{{"key": "{target}", "assembly": "{half}"}}'
    await bucket.put(f"uploads/{upload}/assembly.0123456789abcdef", note.encode())
    digest = await publish(blobs, upload, data)
    assert await keys(bucket) == [target] and await assemblies(bucket) == []
    assert await whole(blobs, digest) == data


async def test_who_goes_away_while_a_blob_is_put_together_finds_it_done(
    opened: Opener, storm: Weather, bucket: Bucket
) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    data = b"x" * 17 * MB
    upload = await begin(blobs)
    await write(blobs, upload, data)
    ending = asyncio.create_task(publish(blobs, upload, data))
    while not any("uploadId=" in line for line in storm.seen):
        await asyncio.sleep(0.002)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert len(await keys(bucket, "blobs/")) == 1 and await assemblies(bucket) == []
    storm.seen.clear()
    digest = await publish(blobs, upload, data)
    assert not any("partNumber=" in line for line in storm.seen)
    assert await whole(blobs, digest) == data
    assert await keys(bucket, "uploads/") == []


async def test_half_made_blobs_without_a_note_are_swept(opened: Opener, bucket: Bucket) -> None:
    blobs = await opened()
    await bucket.assemble("blobs/sha256/aa/whatever")
    await blobs.sweep()
    assert len(await assemblies(bucket)) == 1  # too young: somebody may be at it
    await blobs.abort_stale(0)
    assert await assemblies(bucket) == []


async def test_a_blob_that_is_there_already_is_not_put_together_again(opened: Opener, storm: Weather) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    data = b"x" * 17 * MB
    for _ in range(2):
        storm.seen.clear()
        upload = await begin(blobs)
        await write(blobs, upload, data)
        await publish(blobs, upload, data)
    assert not [line for line in storm.seen if "partNumber" in line or "?uploads" in line]


async def test_large_blobs_are_fetched_from_the_store_itself(opened: Opener) -> None:
    blobs = await opened(redirect=True)
    data = os.urandom(2 * MB)
    upload = await begin(blobs)
    await write(blobs, upload, data)
    digest = await publish(blobs, upload, data)
    for _ in range(2):
        blob = await blobs.open(digest)
        assert blob.size == len(data)
        address = blob.location()
        blob.close()
        assert await asyncio.to_thread(fetch, address) == (200, data)
        assert await asyncio.to_thread(fetch, address, "bytes=1000-1999") == (206, data[1000:2000])
    await blobs.remove([digest])
    with pytest.raises(BlobUnknown):
        await blobs.open(digest)
    small = await publish(blobs, await begin(blobs), b"")
    assert (await blobs.open(small)).location() == ""


def fetch(address: str, wanted: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(address, headers={"Range": wanted} if wanted else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()


async def test_clients_are_sent_to_the_address_that_they_know(opened: Opener) -> None:
    blobs = await opened(redirect=True, redirect_endpoint="https://objects.example.org:8443")
    upload = await begin(blobs)
    await write(blobs, upload, b"x" * MB)
    blob = await blobs.open(await publish(blobs, upload, b"x" * MB))
    assert blob.location().startswith("https://objects.example.org:8443/tack/")


@pytest.mark.parametrize(
    "answer", [Refuse(507, "Whatever"), Refuse(403, "QuotaExceeded"), Refuse(507, "XMinioStorageFull")]
)
async def test_a_full_store_is_said_to_be_full_and_the_upload_gives_its_space_back(
    opened: Opener, storm: Weather, bucket: Bucket, answer: Refuse
) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    digest = await publish(blobs, await begin(blobs), b"")
    upload = await begin(blobs)
    await write(blobs, upload, b"x" * MB)
    storm.always("PUT ", answer)
    with pytest.raises(StorageFull):
        await write(blobs, upload, b"x" * 30 * MB)
    assert await keys(bucket, "uploads/") == []
    assert await whole(blobs, digest) == b""  # what is there stays readable
    with pytest.raises(StorageFull):
        await blobs.begin(str(uuid.uuid4()))


async def test_passing_trouble_is_not_noticed(opened: Opener, storm: Weather) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    data = os.urandom(9 * MB)
    upload = await begin(blobs)
    storm.once("PUT ", Refuse(503, "SlowDown"), Forget())
    await write(blobs, upload, data)
    storm.once("POST ", Refuse(500, "InternalError"), Forget())
    digest = await publish(blobs, upload, data)
    storm.once("GET ", Cut(5 * MB), Cut(MB), Cut(0))
    assert await whole(blobs, digest) == data


async def test_an_assembly_whose_answer_was_lost_is_complete(opened: Opener, storm: Weather) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    data = os.urandom(9 * MB)
    upload = await begin(blobs)
    await write(blobs, upload, data)
    storm.once("uploadId=", *[None, None, Forget()])  # type: ignore[list-item]
    digest = await publish(blobs, upload, data)
    assert await whole(blobs, digest) == data


async def test_an_upload_outlives_an_outage(impatient: None, opened: Opener, storm: Weather, bucket: Bucket) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    data = os.urandom(17 * MB)
    upload = await begin(blobs)
    await write(blobs, upload, data[: 9 * MB])
    storm.always("PUT ", Refuse(503, "SlowDown"))
    with pytest.raises(StorageUnreachable):
        await write(blobs, upload, data[9 * MB :])
    storm.forecast = lambda method, path: None
    held = await blobs.received(upload)
    assert held == 9 * MB
    await write(blobs, upload, data[held:], held)
    storm.always("uploadId=", Refuse(503, "SlowDown"))
    with pytest.raises(StorageUnreachable):
        await publish(blobs, upload, data)
    storm.forecast = lambda method, path: None
    assert await keys(bucket, "blobs/") == []
    digest = await publish(blobs, upload, data)
    assert await whole(blobs, digest) == data
    assert await keys(bucket, "uploads/") == []


async def test_another_range_than_was_asked_for_is_not_passed_on(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = await opened()
    digest = await publish(blobs, await begin(blobs), b"")
    upload = await begin(blobs)
    await write(blobs, upload, b"0123456789")
    digest = await publish(blobs, upload, b"0123456789")
    real = blobs._bucket._s3.get_object

    async def ignorant(**words: object) -> object:
        words.pop("Range", None)
        return await real(**words)

    monkeypatch.setattr(blobs._bucket._s3, "get_object", ignorant)
    with pytest.raises(Exception, match="another range"):
        await blobs.open(digest, (3, 4))


async def test_a_store_that_stands_still_in_the_middle_of_a_piece_is_given_up(
    opened: Opener, storm: Weather, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = await opened(endpoint=storm.endpoint)
    upload = await begin(blobs)
    held: list[asyncio.Future[None]] = []
    storm.hold = held
    monkeypatch.setattr(failures, "_PATIENCE", 0.3)
    with pytest.raises(StorageUnreachable, match="in time"):
        await write(blobs, upload, b"x" * 9 * MB)
    assert held


async def test_a_store_that_cannot_be_used_is_refused_at_the_start(impatient: None, opened: Opener) -> None:
    cases = {
        "no such bucket": {"bucket": "elsewhere"},
        "refuses these credentials": {"secret_key": "wrong"},
        "cannot be reached": {"endpoint": "http://127.0.0.1:1"},
    }
    for words, changes in cases.items():
        with pytest.raises(CannotServe, match=words):
            await opened(**changes)
    with pytest.raises(CannotServe, match="no such bucket"):
        await opened(bucket="elsewhere")  # and was not created by having been asked for


async def test_a_damaged_blob_of_any_size_is_set_aside(
    opened: Opener, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembling, "_AT_ONCE", 5 * MB)
    blobs, data = await opened(), os.urandom(12 * MB)
    upload = await begin(blobs)
    await write(blobs, upload, data)
    digest = await publish(blobs, upload, data)
    assert await blobs.set_aside(digest)
    assert not await blobs.set_aside(digest)
    with pytest.raises(BlobUnknown):
        await blobs.open(digest)
    [name] = await blobs.aside()
    assert await bucket.read(f"quarantine/{name}") == data


async def test_many_blobs_are_removed_at_once(opened: Opener, bucket: Bucket) -> None:
    blobs = await opened()
    digests = [await publish(blobs, await begin(blobs), b"")]
    for number in range(3):
        upload = await begin(blobs)
        await write(blobs, upload, b"%d" % number)
        digests.append(await publish(blobs, upload, b"%d" % number))
    absent = [Digest.of(b"absent %d" % number) for number in range(1100)]
    await blobs.remove([*digests[:2], *absent, *digests[2:]])
    assert await keys(bucket) == []
