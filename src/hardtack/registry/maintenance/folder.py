"""A backup as a folder: `backup.json`, the tables in `metadata-<id>/`, and blobs as a registry's own folder has them.

There is one state in it at a time, the one that `backup.json` tells of; it is replaced by one rename when the next one
is whole and on disk, and only then what the old one alone needed is removed. So whoever dies meanwhile leaves the old
one, and whatever was copied for the next.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from hardtack.registry.blobs.failures import failure
from hardtack.registry.blobs.files import FileBlobs
from hardtack.registry.errors import StorageFull
from hardtack.registry.maintenance.copying import Held, Wanted
from hardtack.registry.maintenance.errors import BackupInvalid, InTheWay, NoRoom
from hardtack.registry.maintenance.portable import PART_LIMIT, Manifest, chosen, read, rows_of, sum_of, written
from hardtack.store.disk import sync_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from hardtack.registry.maintenance.portable import Sink
    from hardtack.registry.maintenance.schema import Table

NAME = "backup.json"
_LOCK = "lock"
_BATCH = 500


def file_of(table: str, number: int) -> str:
    """The name of a part's file."""
    return f"{table}.{number:06}.jsonl"


class BackupFolder:
    """A folder that is or becomes a backup. `writing` and `reading` open one."""

    def __init__(self, path: str, blobs: FileBlobs) -> None:
        self.path = path
        self.blobs = blobs

    @classmethod
    @asynccontextmanager
    async def writing(cls, path: str) -> AsyncIterator[Self]:
        """Open a folder to write to it, made when it is not there; nobody else does meanwhile.

        Raises:
            InTheWay: it holds something else, or somebody else is writing to it.
            StorageFull, StorageBroken
        """
        try:
            if os.path.exists(path) and not os.path.isdir(path):
                raise InTheWay(f"{path} is no folder", "Name a new or an empty folder, or one of a backup")
            os.makedirs(path, mode=0o700, exist_ok=True)
            if os.listdir(path) and not os.path.exists(f"{path}/{_LOCK}"):
                raise InTheWay(f"{path} holds something that is no backup", "Name an empty folder, or one of a backup")
            lock = os.open(f"{path}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InTheWay(f"somebody else is backing up to {path}", "Wait for it") from None
            async with cls._open(path) as folder:
                yield folder
        finally:
            os.close(lock)

    @classmethod
    @asynccontextmanager
    async def reading(cls, path: str) -> AsyncIterator[Self]:
        """Open a folder to restore from it.

        Raises:
            BackupInvalid: it is none.
        """
        if not os.path.exists(f"{path}/{NAME}"):
            unfinished = os.path.exists(f"{path}/{_LOCK}")
            raise BackupInvalid(
                f"{path} is {'a backup that was never finished' if unfinished else 'no backup'}: it has no {NAME}"
            )
        async with cls._open(path) as folder:
            yield folder

    @classmethod
    @asynccontextmanager
    async def _open(cls, path: str) -> AsyncIterator[Self]:
        try:
            blobs = FileBlobs(path)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            yield cls(path, blobs)
        finally:
            await blobs.close()

    def manifest(self) -> Manifest | None:
        """What the folder tells of itself; None when no backup to it has ever been finished.

        Raises:
            BackupInvalid: it cannot be read.
        """
        path = f"{self.path}/{NAME}"
        try:
            with open(path, "rb") as file:
                return read(file.read(PART_LIMIT), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackupInvalid(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error

    def place(self, id: str) -> str:  # noqa: A002
        """Where the tables of a state are."""
        return f"{self.path}/metadata-{os.path.basename(id)}"

    async def tell(self, manifest: Manifest, tables: Sequence[Table], sink: Sink) -> None:
        """Tell a sink every part of some tables.

        Raises:
            BackupInvalid: one is missing.
        """
        for table in tables:
            for number, part in enumerate(sum_of(manifest, table.name).parts):
                data = await asyncio.to_thread(_read, f"{self.place(manifest.id)}/{file_of(table.name, number)}")
                await sink.part(table, number, data, part.rows)

    async def wanted(self, manifest: Manifest) -> AsyncIterator[Wanted]:
        """The blobs that belong to a state, in the order of their digests.

        Raises:
            BackupInvalid: the tables are not what they were.
        """
        lost = {row["digest"] async for row in self._rows(manifest, "lost")}
        async for row in self._rows(manifest, "blob"):
            if row["digest"] not in lost:
                yield Wanted(row["digest"], row["size"], row["idle"] is None)

    async def _rows(self, manifest: Manifest, name: str) -> AsyncIterator[dict[str, Any]]:
        table = next((table for table in chosen(manifest) if table.name == name), None)
        if table is None:
            return
        names = table.names()
        for number, part in enumerate(sum_of(manifest, name).parts):
            data = await asyncio.to_thread(_read, f"{self.place(manifest.id)}/{file_of(name, number)}")
            for row in rows_of(table, part, data):
                yield dict(zip(names, row, strict=True))

    async def lacking(self, manifest: Manifest) -> list[tuple[str, str]]:
        """Blobs of a state that are not in the folder, each with what is wrong."""
        held = Held(self.blobs)
        return [
            (blob.digest, "its bytes are gone")
            async for blob in self.wanted(manifest)
            if await held.size(blob.digest) is None and blob.needed
        ]

    async def complete(self, manifest: Manifest) -> None:
        """Make a state the one of the folder. Everything of it is on disk before."""
        await asyncio.to_thread(_replace, self.path, self.place(manifest.id), written(manifest))

    async def tidy(self, manifest: Manifest) -> None:
        """Remove what the state does not need."""
        for name in os.listdir(self.path):
            if name.startswith("metadata-") and f"{self.path}/{name}" != self.place(manifest.id):
                await asyncio.to_thread(shutil.rmtree, f"{self.path}/{name}", ignore_errors=True)
        for upload in await self.blobs.abandoned(0):
            await self.blobs.discard(upload)
        extra: list[str] = []
        wanted = aiter(self.wanted(manifest))
        at = await anext(wanted, None)
        async for digest, _ in self.blobs.listing():
            while at is not None and at.digest < digest:
                at = await anext(wanted, None)
            if at is None or at.digest != digest:
                extra.append(digest)
            if len(extra) >= _BATCH:
                await self.blobs.remove(extra)
                extra = []
        await self.blobs.remove(extra)
        await self.blobs.sweep()


class FolderSink:
    """Writes parts as files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    async def part(self, table: Table, number: int, data: bytes, rows: int) -> None:
        """Write one. Raises NoRoom, StorageBroken."""
        del rows
        path = f"{self._folder}/{file_of(table.name, number)}"
        try:
            await asyncio.to_thread(write_file, path, data)
        except OSError as error:
            raise _failed(self._folder, error) from error


def write_file(path: str, data: bytes) -> None:
    """Write a file that only we may read, and let it reach the disk."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _replace(path: str, place: str, data: bytes) -> None:
    try:
        sync_path(place)
        write_file(f"{path}/{NAME}.new", data)
        sync_path(path)  # the names of everything else come before this one
        os.rename(f"{path}/{NAME}.new", f"{path}/{NAME}")
        sync_path(path)
    except OSError as error:
        raise _failed(path, error) from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(PART_LIMIT + 1)
    except OSError as error:
        raise BackupInvalid(
            f"cannot read {path}, which belongs to the backup: {(error.strerror or str(error)).lower()}"
        ) from error


def _failed(where: str, error: OSError) -> Exception:
    found = failure(error)
    return NoRoom(where) if isinstance(found, StorageFull) else found
