"""What only root can do for now is refused before anything is fetched or drawn."""

from __future__ import annotations

from hardtack.errors import TackError


class NeedsRoot(TackError):
    """The command mounts layers or starts containers, and its user may not."""

    def __init__(self, doing: str) -> None:
        super().__init__(f"cannot {doing}: only root can mount layers and start containers for now", "Run it as root")
        self.doing = doing


def require_root(doing: str) -> None:
    """See that this process may do what the command needs.

    Args:
        doing: what is to be done, such as "pull busybox".
    Raises:
        NeedsRoot: it runs as another user.
    """
    import os

    if os.geteuid() != 0:
        raise NeedsRoot(doing)
