"""The numbered changes of the schema: one set for every database, in the SQL that SQLite and PostgreSQL share.

Replicas are exchanged one by one, so a program serves on while a newer one has already migrated. Hence a migration only
adds: tables, indexes, columns with a default. What is no longer used is dropped a version later, by a migration that
raises OLDEST; so is a column that is renamed: added and written with the old one, then read, then the old one dropped.
"""

from __future__ import annotations

from importlib import resources

from hardtack.registry.errors import CannotServe

MIGRATIONS = (
    "0001_registry",
    "0002_service",
    "0003_accounts",
    "0004_repositories",
    "0005_maintenance",
    "0006_scale",
    "0007_usage",
    "0008_holders",
)
"""In their order; a database remembers how many it has. Append, never insert."""

OLDEST = 2
"""How many of them a program has to know at least to serve on what they make. Written into the database with them."""


def expect_usable(version: int, oldest: int, where: str) -> None:
    """Refuse a schema that a newer program has made, unless it said that this one may use it.

    Args:
        version: how many migrations the database has had.
        oldest: what OLDEST was for whoever made them.
        where: the database, as people know it.
    Raises:
        CannotServe: this program must not.
    """
    if version > len(MIGRATIONS) and oldest > len(MIGRATIONS):
        raise CannotServe(
            f"cannot open the registry's database {where}: its version is {version}, this program knows up to "
            f"{len(MIGRATIONS)}",
            "Use the newer hardtack that wrote it, or another database",
        )


def statements(name: str) -> list[str]:
    """The statements of a migration, without comments."""
    script = (resources.files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
    lines = [line.partition(" -- ")[0] for line in script.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
