"""Registries as operands of commands that copy them, a folder or a configuration: opened, and seen to be free."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hardtack.errors import TackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.cli.progress import Drawing
    from hardtack.cli.streams import Streams
    from hardtack.registry.config.document import Config
    from hardtack.registry.maintenance.backup import Report
    from hardtack.registry.server.stores import Stores


def config_of(place: str) -> Config:
    """What a folder or a file of configuration means.

    Raises:
        TackError: neither, or the file is wrong.
    """
    from dataclasses import replace

    from hardtack.registry.config.document import Config
    from hardtack.registry.config.loading import load

    if os.path.isfile(place):
        config = load(place)
        if config.data.root:
            return replace(
                config, data=replace(config.data, root=os.path.join(os.path.dirname(place), config.data.root))
            )
        if not (config.metadata.url and config.blobs.s3):
            raise TackError(f"{place} names no data folder", "Set root in its section [data]")
        return config
    if place.endswith(".toml"):
        raise TackError(f"no file {place}")
    config = Config()
    return replace(config, data=replace(config.data, root=os.path.abspath(place)))


@asynccontextmanager
async def opened(config: Config, place: str, new: bool) -> AsyncIterator[Stores]:
    """Open a registry.

    Args:
        place: as people called it.
        new: it may be made; otherwise it has to be there.
    Raises:
        TackError: it is not there, or something else is.
    """
    from hardtack.registry.server.stores import exists, open_stores, prepare_stores

    if new:
        _expect_free(config)
    elif not exists(config):
        raise TackError(f"no registry at {place}")
    prepare_stores(config)
    async with open_stores(config) as stores:
        yield stores


def _expect_free(config: Config) -> None:
    from hardtack.registry.server.stores import database_path

    root = config.data.root
    if not root or (config.metadata.url and config.blobs.s3):
        return
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TackError(f"cannot use {root}: {(error.strerror or str(error)).lower()}") from error
    ours = {"blobs", "uploads", "trash", "quarantine", "restore"}
    if not os.path.exists(database_path(root)) and set(names) - ours:
        raise TackError(f"{root} holds something that is no registry", "Name an empty folder")


def drawn(streams: Streams) -> Drawing:
    """Progress where somebody looks at it; nothing in a pipe, where the last line says it all."""
    from hardtack.cli.progress import for_streams

    return for_streams(streams, quiet=not streams.err_is_terminal, to_errors=True)


def summary(report: Report) -> str:
    """What a copy holds, in words."""
    from hardtack.cli.units import size

    rows = {table.name: table.rows() for table in report.manifest.tables}
    lost = f", {report.manifest.lost} of them lost before" if report.manifest.lost else ""
    return (
        f"{rows.get('repository', 0)} repositories, {rows.get('manifest', 0)} manifests, {rows.get('tag', 0)} tags, "
        f"{rows.get('account', 0)} accounts, {report.manifest.blobs + report.manifest.lost} blobs{lost} of "
        f"{size(report.manifest.size)}; {report.new_blobs} blobs of {size(report.new_size)} were copied"
    )
