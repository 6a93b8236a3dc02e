"""A copy of a registry that serves meanwhile: one state of the database, and every blob that this state needs.

The collector is held back from before the state is read until the last blob is copied. Only a copy that is whole and on
disk is named as one.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardtack.progress import SILENT
from hardtack.registry.maintenance.copying import Copier, wanted
from hardtack.registry.maintenance.errors import BlobsDamaged
from hardtack.registry.maintenance.folder import BackupFolder, FolderSink
from hardtack.registry.maintenance.importing import expect_whole
from hardtack.registry.maintenance.portable import Manifest, export
from hardtack.registry.maintenance.presence import nothing_collected
from hardtack.registry.maintenance.schema import tables

if TYPE_CHECKING:
    from hardtack.progress import Progress
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.maintenance.portable import TableSum
    from hardtack.registry.metadata.database import Database


@dataclass(frozen=True, slots=True)
class Report:
    """What a copy holds, and how many blobs had to be copied for it."""

    manifest: Manifest
    new_blobs: int
    new_size: int


async def back_up(database: Database, blobs: Blobs, path: str, progress: Progress = SILENT) -> Report:
    """Back a registry up to a folder, where only what it does not have yet is copied.

    Raises:
        InTheWay, NoRoom, BlobsDamaged, StorageBroken: the backup that was there before still is.
    """
    await expect_whole(database)
    async with BackupFolder.writing(os.path.abspath(path)) as folder, nothing_collected(database):
        ident = uuid.uuid4().hex
        made = database.now()
        sink = FolderSink(folder.place(ident))
        os.makedirs(folder.place(ident), mode=0o700)
        sums = await database.browse(export, tables(), sink)
        manifest = told(ident, made, sums)
        copied = await Copier(blobs, folder.blobs, True, folder.path, progress).copy(wanted(database))
        damaged = copied.damaged or await folder.lacking(manifest)
        if damaged:
            raise BlobsDamaged(damaged)
        count = size = 0
        async for blob in folder.wanted(manifest):
            count += 1
            size += blob.size
        manifest = told(ident, made, sums, count, size)
        await folder.complete(manifest)
        await folder.tidy(manifest)
        return Report(manifest, copied.blobs, copied.size)


def told(ident: str, made: float, sums: tuple[TableSum, ...], blobs: int = 0, size: int = 0) -> Manifest:
    """The manifest of a copy."""
    lost = next((table.rows() for table in sums if table.name == "lost"), 0)
    return Manifest(ident, made, sums, blobs, size, lost)
