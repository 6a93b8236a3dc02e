"""What every storage of blobs promises. An implementation is added to `STORAGES` and has to pass all of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hardtack.oci.digest import Digest
from hardtack.registry.blobs.files import FileBlobs
from hardtack.registry.blobs.interface import Blobs
from hardtack.registry.blobs.splicing import Splicer
from hardtack.registry.errors import (
    BlobUnknown,
    DigestInvalid,
    UploadBusy,
    UploadOutOfOrder,
    UploadUnknown,
)
from support.weed import weed


async def file_storage(folder: Path) -> Blobs:
    return FileBlobs(str(folder))


async def s3_storage(folder: Path) -> Blobs:
    """Costs 1 s for the first test, then 150 ms each."""
    server = weed()
    from hardtack.registry.blobs.s3.storage import S3Blobs

    return await S3Blobs.connect(server.settings(prefix=f"tests/{folder.name}-{os.getpid()}"))


STORAGES: list[Callable[[Path], Awaitable[Blobs]]] = [file_storage, s3_storage]


@pytest.fixture(params=STORAGES, ids=lambda storage: storage.__name__)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Awaitable[Blobs]]:
    """Opens the storage of the test, as often as it is called: each is what one more process has."""
    return lambda: request.param(tmp_path)


@pytest.fixture
async def blobs(storage: Callable[[], Awaitable[Blobs]]) -> AsyncIterator[Blobs]:
    opened = await storage()
    yield opened
    await opened.close()


@pytest.fixture
async def upload(blobs: Blobs) -> str:
    name = str(uuid.uuid4())
    await blobs.begin(name)
    return name


async def put(blobs: Blobs, data: bytes, algorithm: str = "sha256", cuts: int = 1) -> Digest:
    name = str(uuid.uuid4())
    digest = Digest.of(data, algorithm)
    await blobs.begin(name)
    step = max(1, -(-len(data) // cuts))
    for start in range(0, len(data), step):
        async with blobs.append(name, start) as appender:
            await appender.write(data[start : start + step])
    async with blobs.append(name) as appender:
        assert await appender.publish(digest) == len(data)
    return digest


async def whole(blobs: Blobs, digest: Digest) -> bytes:
    blob = await blobs.open(digest)
    try:
        return b"".join([chunk async for chunk in blob.chunks(0, blob.size)])
    finally:
        blob.close()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize(("size", "cuts"), [(0, 1), (1, 1), (5_000_000, 1), (3_000_000, 7), (700, 5)])
async def test_what_was_pushed_comes_back(blobs: Blobs, size: int, cuts: int, algorithm: str) -> None:
    data = os.urandom(size)
    digest = await put(blobs, data, algorithm, cuts)
    assert await whole(blobs, digest) == data
    if size < 10_000:
        assert await blobs.read(digest, 10_000) == data


async def test_many_small_writes_arrive_in_order(blobs: Blobs, upload: str) -> None:
    parts = [os.urandom(997) for _ in range(3000)]
    digest = Digest.of(b"".join(parts))
    async with blobs.append(upload) as appender:
        for part in parts:
            await appender.write(part)
        assert await appender.publish(digest) == 997 * 3000
    assert await whole(blobs, digest) == b"".join(parts)


async def test_nothing_is_readable_before_it_is_published(blobs: Blobs, upload: str) -> None:
    async with blobs.append(upload) as appender:
        await appender.write(b"data")
        with pytest.raises(BlobUnknown):
            await blobs.open(Digest.of(b"data"))
        await appender.publish(Digest.of(b"data"))
    assert await whole(blobs, Digest.of(b"data")) == b"data"
    assert await blobs.received(upload) is None


async def test_other_bytes_than_the_digest_names_are_thrown_away(blobs: Blobs, upload: str) -> None:
    wrong = Digest.of(b"other")
    async with blobs.append(upload) as appender:
        await appender.write(b"data")
        with pytest.raises(DigestInvalid):
            await appender.publish(wrong)
    for name in (wrong, Digest.of(b"data")):
        with pytest.raises(BlobUnknown):
            await blobs.open(name)
    assert await blobs.received(upload) is None


async def test_an_upload_that_ends_badly_keeps_what_arrived(blobs: Blobs, upload: str) -> None:
    with pytest.raises(ConnectionError):
        async with blobs.append(upload) as appender:
            await appender.write(b"x" * 1000)
            raise ConnectionError
    assert await blobs.received(upload) == 1000
    digest = Digest.of(b"x" * 1000 + b"y")
    async with blobs.append(upload, 1000) as appender:
        await appender.write(b"y")
        assert await appender.publish(digest) == 1001


async def test_one_at_a_time_writes_and_only_at_the_end(blobs: Blobs, upload: str) -> None:
    async with blobs.append(upload, 0) as appender:
        await appender.write(b"abc")
        with pytest.raises(UploadBusy):
            async with blobs.append(upload):
                pass
    with pytest.raises(UploadOutOfOrder) as caught:
        async with blobs.append(upload, 2):
            pass
    assert caught.value.offset == 3
    with pytest.raises(UploadUnknown):
        async with blobs.append(str(uuid.uuid4())):
            pass


async def test_a_cancelled_request_leaves_a_consistent_upload(blobs: Blobs, upload: str) -> None:
    async def write_for_ever() -> None:
        async with blobs.append(upload) as appender:
            while True:
                await appender.write(b"z" * 300_000)
                await asyncio.sleep(0)

    task = asyncio.create_task(write_for_ever())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held = await blobs.received(upload)
    assert held
    digest = Digest.of(b"z" * held)
    async with blobs.append(upload, held) as appender:
        assert await appender.publish(digest) == held


async def test_discarded_uploads_are_gone_and_abandoned_ones_are_found(blobs: Blobs, upload: str) -> None:
    assert await blobs.abandoned(60) == []
    time.sleep(0.02)
    assert await blobs.abandoned(0) == [upload]
    assert await blobs.discard(upload)
    assert not await blobs.discard(upload)
    assert await blobs.abandoned(0) == []


async def test_a_removed_blob_is_unreadable_at_once_and_may_be_pushed_again(blobs: Blobs) -> None:
    digest = await put(blobs, b"data")
    reading = await blobs.open(digest)
    await blobs.remove([digest, Digest.of(b"never there")])
    with pytest.raises(BlobUnknown):
        await blobs.open(digest)
    assert b"".join([chunk async for chunk in reading.chunks(0, 4)]) == b"data"  # who has it open may finish
    reading.close()
    await blobs.sweep()
    assert await put(blobs, b"data") == digest
    await put(blobs, b"data")
    assert await whole(blobs, digest) == b"data"


async def test_a_listing_names_every_blob_and_its_size(blobs: Blobs, upload: str) -> None:
    held = {await put(blobs, os.urandom(size), algorithm): size for size, algorithm in [(0, "sha256"), (9, "sha512")]}
    gone = await put(blobs, b"gone")
    await blobs.remove([gone])
    async with blobs.append(upload) as appender:
        await appender.write(b"unfinished")
    assert {entry async for entry in blobs.listing()} == set(held.items())


async def test_a_part_of_a_blob_may_be_announced_and_another_one_read(blobs: Blobs) -> None:
    data = os.urandom(700_000)
    blob = await blobs.open(await put(blobs, data), (1000, 600_000))
    assert blob.size == len(data)
    for start, count in [(1000, 600_000), (1000, 7), (0, len(data)), (699_999, 1), (5, 0)]:
        assert b"".join([chunk async for chunk in blob.chunks(start, count)]) == data[start : start + count]
    blob.close()


async def test_a_small_read_has_a_limit(blobs: Blobs) -> None:
    digest = await put(blobs, b"x" * 1001)
    with pytest.raises(BlobUnknown):
        await blobs.read(digest, 1000)


@pytest.mark.parametrize("name", ["", "..", "../registry.db", "a/b", "7B9D4942-FD01-4EA2-89B8-5E7D33AFB5E0"])
async def test_only_ids_become_paths(blobs: Blobs, name: str) -> None:
    with pytest.raises(UploadUnknown):
        await blobs.begin(name)
    with pytest.raises(UploadUnknown):
        await blobs.received(name)


async def test_an_upload_is_continued_by_a_storage_that_did_not_see_its_beginning(
    blobs: Blobs, upload: str, storage: Callable[[], Awaitable[Blobs]]
) -> None:
    """As another worker does, or another machine."""
    async with blobs.append(upload) as appender:
        await appender.write(b"first ")
    other = await storage()
    digest = Digest.of(b"first second")
    async with other.append(upload, 6) as appender:
        await appender.write(b"second")
        assert await appender.publish(digest) == 12
    assert await whole(blobs, digest) == b"first second"
    await other.close()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_bytes_may_come_straight_from_a_socket(blobs: Blobs, upload: str, algorithm: str) -> None:
    if not blobs.can_splice:
        pytest.skip("this storage takes bytes only from memory")
    data = os.urandom(3_000_000)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    digest = Digest.of(b"before" + data, algorithm)

    def send() -> None:
        theirs.sendall(data[:1000])
        time.sleep(0.05)
        theirs.sendall(data[1000:])
        theirs.close()

    sending = asyncio.get_running_loop().run_in_executor(None, send)
    async with blobs.append(upload, 0, algorithm) as appender:
        await appender.write(b"before")
        while appender.offset < 6 + len(data):
            moved = await appender.splice(ours.fileno(), 6 + len(data) - appender.offset)
            assert moved is not None
            await asyncio.sleep(0)
        assert await appender.splice(ours.fileno(), 10) is None
        assert await appender.publish(digest) == 6 + len(data)
    await sending
    ours.close()
    assert await whole(blobs, digest) == b"before" + data


async def test_a_file_system_that_cannot_splice_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(b"x" * 50_000)
    target = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    real = os.splice

    def refuse(source: int, to: int, count: int) -> int:
        if to == target:
            raise OSError(errno.EINVAL, "cannot")
        return real(source, to, count)

    monkeypatch.setattr(os, "splice", refuse)
    splicer = Splicer(ours.fileno(), target)
    moved = 0
    while moved < 50_000:
        moved += splicer.move(50_000 - moved) or 0
    splicer.close()
    assert (tmp_path / "file").read_bytes() == b"x" * 50_000
    os.close(target)
    ours.close()
    theirs.close()


async def test_what_is_set_aside_is_no_blob_any_more_and_can_be_looked_at(blobs: Blobs, upload: str) -> None:
    data, digest = b"rotten", Digest.of(b"rotten")
    async with blobs.append(upload, 0) as appender:
        await appender.write(data)
        await appender.publish(digest)
    assert await blobs.aside() == []
    assert await blobs.set_aside(digest)
    assert not await blobs.set_aside(digest)
    with pytest.raises(BlobUnknown):
        await blobs.open(digest)
    assert [held async for held, _ in blobs.listing()] == []
    (name,) = await blobs.aside()
    assert name.startswith(str(digest))


@pytest.mark.parametrize("link", [True, False])
async def test_a_folder_takes_in_the_file_of_another_when_its_bytes_are_right(tmp_path: Path, link: bool) -> None:
    data, path = os.urandom(300_000), tmp_path / "theirs"
    path.write_bytes(data)
    blobs = FileBlobs(str(tmp_path / "ours"))
    with open(path, "rb") as file:
        with contextlib.suppress(DigestInvalid):
            assert not await blobs.adopt(file.fileno(), Digest.of(b"other"), link)
        assert [held async for held in blobs.listing()] == []
        taken = await blobs.adopt(file.fileno(), Digest.of(data), link)
    assert taken or not link, "a link is possible within one file system"
    assert not list((tmp_path / "ours" / "uploads").iterdir())
    if taken:
        assert await blobs.read(Digest.of(data), 1 << 20) == data
    await blobs.close()
