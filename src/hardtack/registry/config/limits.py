"""[limits]: bounds and times of a worker."""

from __future__ import annotations

from dataclasses import dataclass

from hardtack.registry.config.options import FLAG, duration, option, size, whole

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and times."""

    manifest: int = option(size(1024, 64 << 20), 4 << 20, "Bytes of a manifest")
    grace: float = option(
        duration(),
        900.0,
        "How long content that nothing needs stays, and a push in progress may count on what it found",
    )
    pause: float = option(duration(0.05, 24 * _HOUR), 30.0, "Between two rounds of the collector")
    upload_life: float = option(duration(1), 86_400.0, "How long an upload may rest between two requests")
    body_idle: float = option(
        duration(0.05, 24 * _HOUR),
        60.0,
        "How long a client may send nothing in the middle of a body, or take nothing of an answer",
    )
    header_time: float = option(duration(0.05, _HOUR), 20.0, "How long a client may take for the head of a request")
    keep_alive: float = option(duration(0, 24 * _HOUR), 75.0, "How long a connection may be idle")
    connections: int = option(whole(1, 1_000_000), 4096, "Connections at most, per worker")
    finish: float = option(
        duration(0, 24 * _HOUR), 15.0, "How long requests in progress have to end when the server stops"
    )
    sparse_images: bool = option(FLAG, False, "Accept images whose layers the repository does not hold")
