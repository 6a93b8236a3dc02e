"""Which database and which storage of blobs a configuration means, and opening them.

What a kind needs is imported when it is wanted, so that nobody pays for a database that they do not have.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.errors import CannotServe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.blobs.s3.settings import S3Settings
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


def described(config: Config) -> str:
    """Where the data are, for people."""
    places = []
    if config.metadata.url:
        with _extra("postgres"):
            from hardtack.registry.metadata.postgres.address import parse

            places.append(parse(config.metadata.url).shown)
    if config.blobs.s3:
        places.append(_s3(config).place)
    if len(places) < 2:
        places.append(config.data.root)
    return " and ".join(places)


def prepare_stores(config: Config) -> None:
    """Make what is to be on this machine and does not exist yet, and bring SQLite's schema up to date.

    Before any worker starts; a database elsewhere does it when it is opened.

    Args:
        config: with the folder of the data.
    Raises:
        CannotServe: it cannot be done.
    """
    if config.metadata.url and config.blobs.s3:
        return
    root = config.data.root
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotServe(f"cannot use {root} for the registry's data: {why}") from error
    if not config.metadata.url:
        from hardtack.registry.metadata.sqlite.database import prepare

        prepare(database_path(root))


@asynccontextmanager
async def open_stores(config: Config) -> AsyncIterator[Stores]:
    """The database and the blobs of a registry, closed with the block. Any number of processes have them open.

    Raises:
        CannotServe: they cannot be reached, or the extra that they need is not installed.
    """
    async with AsyncExitStack() as stack:
        database = await _database(config)
        stack.push_async_callback(database.close)
        blobs = await _blobs(config)
        stack.push_async_callback(blobs.close)
        yield Stores(database, blobs)


async def _database(config: Config) -> Database:
    if config.metadata.url:
        with _extra("postgres"):
            from hardtack.registry.metadata.postgres import PostgresDatabase
        return await PostgresDatabase.open(config.metadata.url)
    from hardtack.registry.metadata.sqlite import SqliteDatabase

    return SqliteDatabase(database_path(config.data.root))


async def _blobs(config: Config) -> Blobs:
    if config.blobs.s3:
        with _extra("s3"):
            from hardtack.registry.blobs.s3.storage import S3Blobs
        return await S3Blobs.connect(_s3(config))
    from hardtack.registry.blobs.files import FileBlobs

    return FileBlobs(config.data.root)


def _s3(config: Config) -> S3Settings:
    from hardtack.registry.blobs.s3.settings import S3Settings, parse

    given = config.blobs
    return S3Settings(
        *parse(given.s3),
        given.endpoint,
        given.region,
        given.access_key,
        given.secret_key,
        given.redirect,
        given.redirect_endpoint,
        round(given.redirect_life),
    )


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Say which of our extras is not installed."""
    try:
        yield
    except ImportError as error:
        raise CannotServe(
            f"cannot use the registry's data: the Python module {error.name} is missing", f"Install hardtack[{name}]"
        ) from error
