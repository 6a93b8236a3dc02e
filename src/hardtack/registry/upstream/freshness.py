"""What to do about a reference: serve what is held, ask the upstream first, or say at once that there is nothing. Pure.

A manifest named by its digest never changes, so it is never asked for again. A tag is asked for again when the last
time is longer ago than the upstream's `fresh`; what was not there is believed to be missing for its `missing`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.patterns import covering

if TYPE_CHECKING:
    from hardtack.registry.config.upstreams import Upstream
    from hardtack.registry.metadata.rows import StoredManifest


class Known(NamedTuple):
    """What is known here of a reference in a repository.

    Attributes:
        held: the manifest, when it is here.
        home: the upstream that the repository is fetched from; "" when it is our own, None when there is none yet.
        found: whether the upstream had it the last time; None when it was never asked.
        checked: when that was.
    """

    held: StoredManifest | None
    home: str | None
    found: bool | None
    checked: float


class Step(Enum):
    """What comes next."""

    SERVE = "serve what is held"
    ASK = "ask the upstream"
    MISSING = "there is none"


def next_step(known: Known, reference: str, upstream: Upstream, now: float) -> Step:
    """Decide what to do about a reference."""
    age = now - known.checked
    if known.held is not None:
        if ":" in reference or covering(upstream.immutable, reference):
            return Step.SERVE
        return Step.SERVE if known.found and 0 <= age < upstream.fresh else Step.ASK
    if known.found is False and 0 <= age < upstream.missing:
        return Step.MISSING
    return Step.ASK
