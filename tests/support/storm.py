"""Pushes, mounts, deletions and collections of the same few blobs, all at once, against one database.

Run as a program it is one process of a storm; its arguments are a database (a path or an address), a folder in which
the bytes of blobs are files named by digest, a seed, and a number of steps.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hardtack.oci.digest import Digest
from hardtack.registry.errors import (
    BlobInUse,
    ManifestBlobUnknown,
    NotBuried,
    RepositoryExists,
    RepositoryUnknown,
    UploadUnknown,
)
from hardtack.registry.metadata import changes, collecting, graves
from hardtack.registry.metadata.database import Database
from hardtack.registry.metadata.postgres import PostgresDatabase
from hardtack.registry.metadata.rows import Child, NewManifest
from hardtack.registry.metadata.script import Effect, hits
from hardtack.registry.metadata.sqlite import SqliteDatabase
from hardtack.registry.repositories import moving, restoring

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

BLOBS = [Digest.of(bytes([number])) for number in range(4)]
HOMES = ["r/0", "r/1", "r/2"]
_TASKS = 6
_REFUSALS = (BlobInUse, ManifestBlobUnknown, NotBuried, RepositoryExists, RepositoryUnknown, UploadUnknown)


def let(tag: str, before: str | None) -> None:
    """The guard that refuses nothing."""


class Storm:
    """One process's part of it."""

    def __init__(self, database: Database, bytes_folder: Path, seed: int) -> None:
        self._db = database
        self._folder = bytes_folder
        self._chance = random.Random(seed)

    async def blow(self, steps: int) -> None:
        """Do so many things, several at once."""
        await asyncio.gather(*(self._task(steps // _TASKS) for _ in range(_TASKS)))

    async def _task(self, steps: int) -> None:
        for _ in range(steps):
            try:
                await self._step()
            except _REFUSALS:
                pass

    async def _step(self) -> None:
        chance, now = self._chance, time.time()
        home, digest = chance.choice(HOMES), chance.choice(BLOBS)
        new = self._manifest()
        match chance.randrange(16):
            case 0 | 1:
                await self._push(home, digest)
            case 2 | 3:
                await self._db.write(changes.mount, home, digest, chance.choice(HOMES), now)
            case 4 | 5:
                await self._db.write(changes.put_manifest, home, new, [f"t{chance.randrange(3)}"], "", let, now)
            case 6 | 7:
                keep, spare = chance.random() < 0.3, chance.choice([0.0, 1e9])
                await self._db.free(changes.delete_manifest, home, str(new.digest), "", spare, now, keep)
            case 8:
                await self._db.free(changes.delete_blob, home, digest, now)
            case 9:
                await self._collect(now)
            case 10:
                await self._db.write(self._is_there, digest)
            case 11 | 12:
                await self._db.write(restoring.restore, home, str(new.digest), "", 0.0, now)
            case 13:
                await self._db.write(restoring.restore_tag, home, f"t{chance.randrange(3)}", "", 0.0, now)
            case 14:
                await self._db.write(moving.rename, home, chance.choice(HOMES), "", now)
            case 15:
                await self._db.free(moving.doom, home, "", now)
                await self._db.free(moving.take_apart, 5, now)

    def _manifest(self) -> NewManifest:
        number = self._chance.randrange(6)
        raw = f"manifest {number}".encode()
        needs = (BLOBS[number % 4], BLOBS[(number + 1) % 4])
        return NewManifest(
            Digest.of(raw), "application/json", raw, children=tuple(Child(n, "layer", True) for n in needs)
        )

    async def _push(self, home: str, digest: Digest) -> None:
        upload = str(uuid.uuid4())
        await self._db.note(changes.claim, upload, home, "", digest, 1, time.time())
        await asyncio.sleep(self._chance.random() * 0.01)
        (self._folder / digest).touch()
        await asyncio.sleep(self._chance.random() * 0.01)
        await self._db.write(changes.finish_upload, upload, home, digest, 1, time.time())

    async def _collect(self, now: float) -> None:
        await self._db.free(graves.drop_graves, now, 3)
        await self._db.free(collecting.drop_links, now, 3)
        await self._db.free(collecting.drop_blobs, now, 3, self._remove)
        await self._db.free(collecting.drop_repositories, now, 3)

    def _is_there(self, digest: Digest) -> Script[None]:
        """Look for the bytes while nobody can remove them."""
        yield "SELECT 1 FROM blob WHERE digest = ? FOR UPDATE", (digest,)
        if (yield from hits("SELECT 1 FROM link WHERE digest = ?", digest)):
            yield Effect(lambda: self._expect(digest))

    async def _expect(self, digest: Digest) -> None:
        assert (self._folder / digest).exists(), f"{digest} is linked, and not there"

    async def _remove(self, digests: Sequence[str]) -> None:
        for digest in digests:
            await asyncio.sleep(self._chance.random() * 0.005)
            (self._folder / digest).unlink(missing_ok=True)


async def open_database(where: str) -> Database:
    """By path or address."""
    return await PostgresDatabase.open(where) if "://" in where else SqliteDatabase(where)


async def main(where: str, bytes_folder: str, seed: str, steps: str) -> None:
    database = await open_database(where)
    try:
        await Storm(database, Path(bytes_folder), int(seed)).blow(int(steps))
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
