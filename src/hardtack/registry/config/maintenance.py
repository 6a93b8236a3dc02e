"""[maintenance]: how the registry looks after what it holds, by itself."""

from __future__ import annotations

from dataclasses import dataclass

from hardtack.registry.config.options import duration, option, size


@dataclass(frozen=True, slots=True)
class MaintenanceSection:
    """What is done beside serving."""

    scrub_rate: int = option(
        size(0, 1 << 40), 4 << 20, "Bytes a second at which blobs are read again and verified; 0 for not at all"
    )
    scrub_period: float = option(
        duration(60), 30 * 86_400.0, "How long it takes at least from one verification of a blob to the next"
    )
