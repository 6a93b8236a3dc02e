"""What is left in a namespace when its account goes, as scripts: repositories keep the name, nothing else survives it.

Whoever gets a name that was somebody else's gets an empty namespace: rights and webhooks that the one before gave away
in it would reach into what the next one keeps there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.metadata.script import hits

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_WITHIN = "substr(pattern, 1, ?) = ?"


def owns_repositories(name: str) -> Script[bool]:
    """Whether there are repositories in the namespace of a name."""
    # "0" is what follows "/" in the order of bytes.
    return (yield from hits("SELECT 1 FROM repository WHERE name > ? AND name < ? LIMIT 1", f"{name}/", f"{name}0"))


def vacate(name: str) -> Script[None]:
    """Take back what was given away in a namespace that nobody has any more, and how open it was."""
    prefix = f"{name}/"
    within = (len(prefix), prefix)
    yield f"DELETE FROM permission WHERE {_WITHIN}", within
    yield f"DELETE FROM delivery WHERE webhook IN (SELECT id FROM webhook WHERE {_WITHIN})", within
    yield f"DELETE FROM webhook WHERE {_WITHIN}", within
    yield "UPDATE namespace SET visibility = '' WHERE name = ?", (name,)
