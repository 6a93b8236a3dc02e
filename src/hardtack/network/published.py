"""Which ports are published now, read from the rows: what `ps` and `port` show. Light, for short commands."""

from __future__ import annotations

from hardtack.network.ports import Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.sqlite import Connection


def published_by(db: Connection, container_id: str) -> list[Port]:
    """The published ports of one container, in their order."""
    query = (
        "SELECT protocol, host_address, host_port, container_port FROM port WHERE container = ?"
        " ORDER BY container_port, protocol, host_address, host_port"
    )
    return [Port(*row) for row in db.execute(query, (container_id,))]


def published(db: Connection) -> dict[str, list[Port]]:
    """The published ports of every container, by container."""
    found: dict[str, list[Port]] = {}
    for container, *rest in db.execute(
        "SELECT container, protocol, host_address, host_port, container_port FROM port"
        " ORDER BY container_port, protocol, host_address, host_port"
    ):
        found.setdefault(container, []).append(Port(*rest))
    return found
