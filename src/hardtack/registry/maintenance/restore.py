"""A registry from a backup: into an empty one, everything verified, and gone on with when it was interrupted."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, BinaryIO

from hardtack.progress import SILENT
from hardtack.registry.maintenance.backup import Report
from hardtack.registry.maintenance.copying import Copier, Held
from hardtack.registry.maintenance.errors import BlobsDamaged, InTheWay
from hardtack.registry.maintenance.folder import BackupFolder
from hardtack.registry.maintenance.importing import begin, finish, put_in
from hardtack.registry.maintenance.importing import progress as how_far
from hardtack.registry.maintenance.presence import nobody_serving, nothing_collected
from hardtack.registry.maintenance.stream import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.progress import Progress
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.maintenance.portable import Manifest, Sink
    from hardtack.registry.maintenance.schema import Table
    from hardtack.registry.metadata.database import Database


async def restore(path: str, database: Database, blobs: Blobs, which: str, progress: Progress = SILENT) -> Report:
    """Fill an empty registry from a backup's folder.

    Args:
        which: the registry, for people.
    Raises:
        BackupInvalid, InTheWay, NoRoom, BlobsDamaged, CopyDiffers: nothing serves from what has arrived; the same
            command goes on with it.
    """
    path = os.path.abspath(path)
    async with BackupFolder.reading(path) as folder, nobody_serving(database, which), nothing_collected(database):
        manifest = folder.manifest()
        assert manifest is not None, "a folder that could be opened has one"
        await claim(database, blobs, f"the backup {path}", manifest.id)
        copied = await Copier(folder.blobs, blobs, False, which, progress).copy(folder.wanted(manifest))
        if copied.damaged:
            raise BlobsDamaged(copied.damaged, "The backup itself is damaged. Use another one")
        await _put_in_from(folder, manifest, database)
        return Report(manifest, copied.blobs, copied.size)


async def _put_in_from(folder: BackupFolder, manifest: Manifest, database: Database) -> None:
    async def tell(tables: Sequence[Table], sink: Sink) -> None:
        await folder.tell(manifest, tables, sink)

    await put_in(database, manifest, tell)
    await finish(database, manifest)


async def claim(database: Database, blobs: Blobs, source: str, ident: str) -> None:
    """Take an empty registry for a copy, or one in which the same copy was begun.

    Args:
        source: what is copied.
        ident: of the state that is copied; "" when it is not known yet.
    Raises:
        InTheWay: something else is in it.
    """
    if await database.read(how_far) is None:
        async for _ in blobs.listing():
            raise InTheWay(
                "the target holds blobs already, and two registries are never mixed", "Name an empty folder or bucket"
            )
    await database.write(begin, source, ident)


async def restore_stream(source: BinaryIO, spool: str, database: Database, blobs: Blobs, which: str) -> Report:
    """Fill an empty registry from a stream.

    Args:
        spool: a folder for the tables, removed at the end.
    Raises:
        as `restore`; what has arrived is not sent for nothing when the same stream comes again.
    """
    async with nobody_serving(database, which), nothing_collected(database):
        await claim(database, blobs, "a stream", "")
        await asyncio.to_thread(shutil.rmtree, spool, ignore_errors=True)
        async with BackupFolder.writing(spool) as folder:
            manifest = await unpack(source, folder, blobs, which)
            await database.write(begin, "a stream", manifest.id)
            held = Held(blobs)
            lacking = [
                (blob.digest, "it is not in the stream")
                async for blob in folder.wanted(manifest)
                if await held.size(blob.digest) is None and blob.needed
            ]
            if lacking:
                raise BlobsDamaged(lacking, "The backup itself is damaged. Use another one")
            await _put_in_from(folder, manifest, database)
        await asyncio.to_thread(shutil.rmtree, spool, ignore_errors=True)
    return Report(manifest, manifest.blobs, manifest.size)
