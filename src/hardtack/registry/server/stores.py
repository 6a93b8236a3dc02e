"""Which database and which storage of blobs a configuration means, and opening them.

What a kind needs is imported when it is wanted, so that nobody pays for a database that they do not have.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.blobs.files import FileBlobs
from hardtack.registry.blobs.s3.settings import S3Settings
from hardtack.registry.blobs.s3.settings import parse as parse_s3
from hardtack.registry.errors import CannotServe
from hardtack.registry.metadata.sqlite import SqliteDatabase
from hardtack.registry.metadata.sqlite.database import prepare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database


class Stores(NamedTuple):
    """An open registry."""

    database: Database
    blobs: Blobs


def database_path(root: str) -> str:
    """Where SQLite's file is."""
    return f"{root}/registry.db"


def exists(config: Config) -> bool:
    """Whether there is a registry; one whose database is elsewhere shows itself when it is opened."""
    return bool(config.metadata.url) or os.path.exists(database_path(config.data.root))


def prepare_stores(config: Config) -> None:
    """Make what does not exist yet, and bring the database's schema up to date; before any worker starts.

    Args:
        config: with the folder of the data.
    Raises:
        CannotServe: it cannot be done.
    """
    root = config.data.root
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotServe(f"cannot use {root} for the registry's data: {why}") from error
    if config.metadata.url:
        raise _not_yet("PostgreSQL", "[metadata] url")
    prepare(database_path(root))


@asynccontextmanager
async def open_stores(config: Config) -> AsyncIterator[Stores]:
    """The database and the blobs of a registry, closed with the block. Any number of processes have them open.

    Raises:
        CannotServe: they cannot be reached, or the extra that they need is not installed.
    """
    async with AsyncExitStack() as stack:
        database = SqliteDatabase(database_path(config.data.root))
        stack.push_async_callback(database.close)
        blobs = await _open_blobs(config)
        stack.push_async_callback(blobs.close)
        yield Stores(database, blobs)


async def _open_blobs(config: Config) -> Blobs:
    section = config.blobs
    if not section.s3:
        return FileBlobs(config.data.root)
    bucket, prefix = parse_s3(section.s3)
    keys = (section.access_key, section.secret_key)
    settings = S3Settings(bucket, prefix, section.endpoint, section.region, *keys, section.redirect)
    try:
        from hardtack.registry.blobs.s3.storage import S3Blobs
    except ImportError as error:
        raise CannotServe(
            f"cannot keep blobs in {settings.place}: the library for it is missing ({error.name})",
            "Install hardtack[s3]",
        ) from None
    return await S3Blobs.connect(settings)


def _not_yet(what: str, where: str) -> CannotServe:
    return CannotServe(
        f"cannot keep the registry's data in {what}: this version has only files and SQLite", f"Leave {where} out"
    )
