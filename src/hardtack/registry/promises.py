"""For how long a registry's server keeps what nothing needs, told to commands that collect beside it, as scripts.

A command may have been given the folder and not the configuration, or one that was changed since the server read it.
Whatever it believes, it takes nothing earlier than the server that ran last would.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.script import Script

_FACT = "promised"


def promise(config: Config) -> Script[None]:
    """Write down how long a server with this configuration keeps things."""
    times = (config.limits.grace, config.limits.upload_life, config.retention.undelete)
    yield (
        "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_FACT, json.dumps(times)),
    )


def at_least(config: Config) -> Script[Config]:
    """A configuration that keeps everything for as long as the server that ran last, or longer."""
    row = yield from first("SELECT value FROM fact WHERE name = ?", _FACT)
    if row is None:
        return config
    grace, upload_life, undelete = json.loads(row[0])
    limits, retention = config.limits, config.retention
    return replace(
        config,
        limits=replace(limits, grace=max(grace, limits.grace), upload_life=max(upload_life, limits.upload_life)),
        retention=replace(retention, undelete=max(undelete, retention.undelete)),
    )
