"""A backup as one stream, a tar of what the folder of a backup holds, with `backup.json` at its end.

A stream that breaks off has no such end and is no backup. On the way back blobs go straight into the registry; the
tables wait in a folder beside it until the end has come, so that nothing is taken from half a stream.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tarfile
from typing import TYPE_CHECKING, Any, BinaryIO

from hardtack.oci.digest import Digest
from hardtack.registry.errors import BlobUnknown, DigestInvalid, StorageBroken, StorageFull
from hardtack.registry.maintenance.backup import Report, told
from hardtack.registry.maintenance.copying import take_in, wanted
from hardtack.registry.maintenance.errors import BackupInvalid, BlobsDamaged, NoRoom
from hardtack.registry.maintenance.folder import NAME, file_of, write_file
from hardtack.registry.maintenance.importing import expect_whole
from hardtack.registry.maintenance.portable import PART_LIMIT, export, written
from hardtack.registry.maintenance.presence import nothing_collected
from hardtack.registry.maintenance.schema import tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.blobs.interface import Blobs, OpenBlob
    from hardtack.registry.maintenance.folder import BackupFolder
    from hardtack.registry.maintenance.portable import Manifest
    from hardtack.registry.maintenance.schema import Table
    from hardtack.registry.metadata.database import Database

_CHUNK = 1 << 20
_PART = re.compile(r"metadata-[0-9a-f]{32}/[a-z_]{1,60}\.\d{6}\.jsonl")
_BLOB = re.compile(r"blobs/(sha256|sha512)/[0-9a-f]{2}/([0-9a-f]{64}|[0-9a-f]{128})")


class _Writer:
    """Writes members of a tar."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    async def write(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(self._out.write, data)
        except OSError as error:
            raise StorageBroken(f"cannot write the stream: {(error.strerror or str(error)).lower()}") from error

    async def head(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        await self.write(info.tobuf(tarfile.GNU_FORMAT))

    async def pad(self, size: int) -> None:
        await self.write(bytes(-size % tarfile.BLOCKSIZE))

    async def file(self, name: str, data: bytes) -> None:
        await self.head(name, len(data))
        await self.write(data)
        await self.pad(len(data))

    async def end(self) -> None:
        await self.write(bytes(2 * tarfile.BLOCKSIZE))
        try:
            await asyncio.to_thread(self._out.flush)
        except OSError as error:
            raise StorageBroken(f"cannot write the stream: {(error.strerror or str(error)).lower()}") from error


class _Tables:
    """A sink that makes parts members."""

    def __init__(self, writer: _Writer, ident: str) -> None:
        self._writer = writer
        self._ident = ident

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        del rows
        await self._writer.file(f"metadata-{self._ident}/{file_of(table.name, number)}", data)


async def back_up_to_stream(database: Database, blobs: Blobs, out: BinaryIO, ident: str) -> Report:
    """Back a registry up to a stream.

    Args:
        ident: 32 hexadecimal digits that no other backup has.
    Raises:
        InTheWay, BlobsDamaged, StorageBroken: the stream has no end.
    """
    await expect_whole(database)
    writer = _Writer(out)
    count = size = 0
    async with nothing_collected(database):
        made = database.now()
        sums = await database.browse(export, tables(), _Tables(writer, ident))
        async for blob in wanted(database):
            try:
                source = await blobs.open(Digest(blob.digest))
            except BlobUnknown:
                if blob.needed:
                    raise BlobsDamaged([(blob.digest, "its bytes are gone")]) from None
                continue
            try:
                await _send(writer, source, Digest(blob.digest))
            finally:
                source.close()
            count += 1
            size += source.size
        manifest = told(ident, made, sums, count, size)
        await writer.file(NAME, written(manifest))
        await writer.end()
    return Report(manifest, count, size)


async def _send(writer: _Writer, source: OpenBlob, digest: Digest) -> None:
    await writer.head(f"blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}", source.size)
    running = hashlib.new(digest.algorithm)
    async for chunk in source.chunks(0, source.size):
        await asyncio.to_thread(running.update, chunk)
        await writer.write(chunk)
    if running.hexdigest() != digest.hex:
        raise BlobsDamaged([(digest, "its bytes are others than its digest says")])
    await writer.pad(source.size)


async def unpack(source: BinaryIO, spool: BackupFolder, blobs: Blobs, where: str) -> Manifest:
    """Read a stream to its end: blobs into a storage, tables into a folder.

    Args:
        where: the target, for people.
    Raises:
        BackupInvalid: it is no such stream, or breaks off; NoRoom, StorageBroken.
    """
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            while (member := await asyncio.to_thread(tar.next)) is not None:
                await _take(tar, member, spool, blobs)
                tar.members = []  # type: ignore[attr-defined]  # it would remember all of them
    except (tarfile.TarError, EOFError) as error:
        raise BackupInvalid(f"the stream is no backup, or breaks off: {error}") from None
    except DigestInvalid as error:
        raise BackupInvalid(f"the stream is damaged: a blob in it is another one: {error.detail}") from None
    except StorageFull:
        raise NoRoom(where) from None
    manifest = spool.manifest()
    if manifest is None:
        raise BackupInvalid("the stream breaks off: it has no end that says what it should have held")
    return manifest


async def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, spool: BackupFolder, blobs: Blobs) -> None:
    name = member.name
    content: Any = tar.extractfile(member) if member.isreg() else None
    if content is None:
        raise BackupInvalid(f"the stream is no backup: it has {name[:100]!r} in it, which is no file")
    if _BLOB.fullmatch(name):
        _, algorithm, _, digits = name.split("/")
        digest = Digest(f"{algorithm}:{digits}")
        if not await _has(blobs, digest, member.size):
            await take_in(blobs, digest, _chunks(content))
    elif (_PART.fullmatch(name) or name == NAME) and member.size <= PART_LIMIT:
        data = await asyncio.to_thread(content.read)
        await asyncio.to_thread(write_file, f"{spool.path}/{name}", data)
    else:
        raise BackupInvalid(f"the stream is no backup: it has {name[:100]!r} in it")


async def _chunks(content: Any) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(content.read, _CHUNK):
        yield chunk


async def _has(blobs: Blobs, digest: Digest, size: int) -> bool:
    try:
        blob = await blobs.open(digest)
    except BlobUnknown:
        return False
    blob.close()
    return blob.size == size
