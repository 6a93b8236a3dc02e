"""Registries with something of everything in them, and whether two hold the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from hardtack.registry.config.document import Config
from hardtack.registry.maintenance import portable
from hardtack.registry.maintenance.copying import wanted
from hardtack.registry.maintenance.findings import Check
from hardtack.registry.maintenance.fsck import fsck
from hardtack.registry.maintenance.schema import tables
from hardtack.registry.server.stores import Stores, open_stores, prepare_stores
from support.our_registry import TACK, Client


def tack(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """`tack registry …`."""
    return subprocess.run(
        [TACK, "registry", *map(str, words)], text=True, check=False, **{"capture_output": True, **options}
    )


def fill(client: Client, images: int = 6, layer: int = 20_000) -> None:
    """Push images, an index, something with a subject, something that is deleted again, and a half upload."""
    pushed = [
        client.push_image(f"bakery/cookies{number % 2}", f"v{number}", [os.urandom(layer), b"shared crumbs"])
        for number in range(images)
    ]
    described = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": pushed[0], "size": 3}
    client.push_image("bakery/cookies0", "signature", [b"signed"], subject=described, annotations={"a": "ü"})
    client.push_index("bakery/cookies0", "all", {"amd64": pushed[0], "arm64": pushed[2]})
    gone = client.push_image("bakery/cookies1", "gone", [b"gone"])
    client("DELETE", f"/v2/bakery/cookies1/manifests/{gone}")
    location = client("POST", "/v2/bakery/cookies0/blobs/uploads/").headers["location"]
    client("PATCH", location, b"half of it")


async def state(config: Config) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """Rows and checksum of every table; and the digests of its blobs. Its check finds nothing wrong."""
    prepare_stores(config)
    async with open_stores(config) as stores:
        return await state_of(stores)


async def state_of(stores: Stores) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """The same of an open one."""
    wrong = [found async for found in fsck(Check(*stores, deep=True)) if not found.harmless]
    assert not wrong, wrong
    sums = await stores.database.browse(portable.export, tables(), portable.Nowhere())
    return (
        {table.name: (table.rows(), table.sha256) for table in sums},
        [blob.digest async for blob in wanted(stores.database)],
    )


def at(root: Path) -> Config:
    """The configuration of a folder."""
    from hardtack.registry.config.server import DataSection

    return Config(data=DataSection(str(root)))
