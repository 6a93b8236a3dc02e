"""What of a new configuration is taken over while the registry serves: everything but what the parent itself holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardtack.registry.server.settings import Settings

# Two generations of workers serve side by side for a while, so they need the same port and the same data; and nobody
# is let in to what was closed by a signal.
_KEPT = (("server", "listen"), ("data", "root"), ("metadata", "url"), ("blobs", "s3"), ("blobs", "endpoint"))


def merged(present: Settings, wanted: Settings) -> tuple[Settings, list[str]]:
    """The settings to go on with.

    Returns:
        Those wanted, but for what only a restart can change, and the names of what that is about.
    """
    config, kept = wanted.config, []
    for section, key in _KEPT:
        old, new = getattr(getattr(present.config, section), key), getattr(getattr(config, section), key)
        if old != new:
            kept.append(f"[{section}] {key}")
            config = replace(config, **{section: replace(getattr(config, section), **{key: old})})
    if (wanted.open_to_all, wanted.accounts) != (present.open_to_all, present.accounts):
        kept.append("[access] mode")
    return replace(
        wanted,
        config=config,
        addresses=present.addresses,
        open_to_all=present.open_to_all,
        accounts=present.accounts,
        mode=present.mode,
    ), kept
