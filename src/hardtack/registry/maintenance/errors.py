"""What goes wrong with backups, restores and moves; told on a terminal, never to a client of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 5
_MEND = "Run `tack registry fsck --deep --repair`, which marks them as lost, then this again; what was copied is kept"


class BackupInvalid(RegistryError):
    """Something that is no whole backup of ours."""


class InTheWay(RegistryError):
    """Another process does something that must not happen at the same time, or the target holds something else."""


class SourceChanged(RegistryError):
    """The registry that is copied was written to meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "the source has changed while it was copied, so the copy is not finished",
            "Stop its servers, or set read_only, and run the command again",
        )


class CopyDiffers(RegistryError):
    """What arrived is not what was sent.

    Attributes:
        tables: those that differ.
    """

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tuple(tables)
        super().__init__(
            f"the copy is not the same as its source: {', '.join(tables)} differ",
            "Nothing serves from it. Run the command again",
        )


class BlobsDamaged(RegistryError):
    """Blobs whose bytes are gone or wrong, so that there cannot be a whole copy.

    Attributes:
        damaged: digest and what is wrong.
    """

    def __init__(self, damaged: Sequence[tuple[str, str]], hint: str = _MEND) -> None:
        self.damaged = tuple(damaged)
        lines = "".join(f"\n  {digest}: {why}" for digest, why in damaged[:_SHOWN])
        more = f"\n  and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
        super().__init__(
            f"{len(damaged)} blobs cannot be copied, so the copy is not whole:{lines}{more}",
            hint,
        )


class NoRoom(RegistryError):
    """The place that is copied to is full."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"no room left at {where}; what was copied is kept", "Make room there, and run the command again"
        )
