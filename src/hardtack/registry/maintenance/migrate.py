"""A registry moved from one database and storage to others, in either direction: copied, compared, free to serve.

The source does not change meanwhile: no server that takes changes may run on it, and what is copied is compared with it
before and after. A copy that was interrupted goes on; one whose source has changed since begins its tables again and
keeps its blobs.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from hardtack.progress import SILENT
from hardtack.registry.maintenance.backup import Report, told
from hardtack.registry.maintenance.copying import Copier, wanted
from hardtack.registry.maintenance.errors import BackupInvalid, BlobsDamaged, SourceChanged
from hardtack.registry.maintenance.importing import expect_whole, finish, put_in
from hardtack.registry.maintenance.portable import Manifest, Nowhere, export
from hardtack.registry.maintenance.presence import nobody_serving, nothing_collected
from hardtack.registry.maintenance.restore import claim
from hardtack.registry.maintenance.schema import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.progress import Progress
    from hardtack.registry.maintenance.portable import Sink
    from hardtack.registry.maintenance.schema import Table
    from hardtack.registry.server.stores import Stores


async def migrate(
    source: Stores, target: Stores, source_name: str, target_name: str, progress: Progress = SILENT
) -> Report:
    """Copy a registry into an empty one.

    Args:
        source_name, target_name: the registries, for people; without secrets.
    Raises:
        InTheWay, NoRoom, BlobsDamaged, SourceChanged, CopyDiffers: nothing serves from the target; the same command
            goes on with it.
    """
    await expect_whole(source.database)
    async with (
        nobody_serving(source.database, source_name),
        nothing_collected(source.database),
        nobody_serving(target.database, target_name),
        nothing_collected(target.database),
    ):
        manifest = await _state(source)
        await claim(target.database, target.blobs, source_name, manifest.id)
        copied = await Copier(source.blobs, target.blobs, False, target_name, progress).copy(wanted(source.database))
        if copied.damaged:
            raise BlobsDamaged(copied.damaged)

        async def tell(chosen: Sequence[Table], sink: Sink) -> None:
            await source.database.browse(export, chosen, sink)

        try:
            await put_in(target.database, manifest, tell)
        except BackupInvalid:
            raise SourceChanged from None
        if (await _state(source)).id != manifest.id:
            raise SourceChanged
        await finish(target.database, manifest)
        return Report(manifest, copied.blobs, copied.size)


async def _state(source: Stores) -> Manifest:
    """What the source holds; its id follows from that, so that a second attempt knows whether it is still the same."""
    sums = await source.database.browse(export, tables(), Nowhere())
    ident = hashlib.sha256(msgspec.json.encode(sums)).hexdigest()
    count = size = 0
    async for blob in wanted(source.database):
        count += 1
        size += blob.size
    return told(ident, source.database.now(), sums, count, size)
