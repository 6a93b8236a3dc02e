"""Which registry a command is about, `--root` or `--config`, and its stores, opened beside a server that runs.

Every registry command that works on the data itself takes these two flags and opens what they say through here, so that
all of them mean the same registry as `tack registry serve` does.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from hardtack.cli.parse import STRING, Flag
from hardtack.errors import TackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hardtack.cli.parse import Args
    from hardtack.registry.blobs.interface import Blobs
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database


class OpenRegistry(NamedTuple):
    """A registry's two stores and how it is configured; they are closed with the block."""

    database: Database
    blobs: Blobs
    config: Config


WHERE = (
    Flag("root", "", STRING, "directory", "Where the registry's data are kept (default: registry/ in tack's root)"),
    Flag("config", "", STRING, "file", "The registry's configuration"),
)
"""The flags that say which registry."""


def registry_root(args: Args) -> str:
    """The absolute path of the registry's folder: --root of the command, else registry/ in tack's own root."""
    import os

    from hardtack.store.root import root_path

    return os.path.abspath(args.root) if "root" in args.given and args.root else f"{root_path(args.root)}/registry"


def registry_config(args: Args) -> Config:
    """The configuration that a command line means, its data folder filled in; flags win over the file.

    Raises:
        ConfigInvalid: the file is wrong.
    """
    from dataclasses import replace

    from hardtack.registry.config.document import Config
    from hardtack.registry.config.loading import load

    config = load(args.config) if args.config else Config()
    if config.data.root and "root" not in args.given:
        return config
    return replace(config, data=replace(config.data, root=registry_root(args)))


@asynccontextmanager
async def open_registry(args: Args, create: bool = False) -> AsyncIterator[OpenRegistry]:
    """Open the registry that `--root` or `--config` names, whether a server runs on it or not.

    Args:
        create: make it when there is none at the place that the command or its configuration names. Where neither does
            none is begun: whoever forgets `--config`, or serves with another HARDTACK_ROOT than a shell has, would
            have a second registry, and the account in the wrong one.
    Raises:
        TackError: there is no registry, or it cannot be opened.
    """
    try:
        from hardtack.registry.server.stores import exists, open_stores, prepare_stores
    except ImportError as error:
        raise TackError(
            f"cannot open a registry: the Python module {error.name} is missing", "Install hardtack[registry]"
        ) from error
    config = registry_config(args)
    named = "root" in args.given or config.data.root != registry_root(args)
    if not (create and named) and not exists(config):
        raise TackError(
            f"no registry at {config.data.root}",
            "Name its folder with --root or [data] root, or its configuration with --config",
        )
    prepare_stores(config)
    async with open_stores(config) as (database, blobs):
        yield OpenRegistry(database, blobs, config)
