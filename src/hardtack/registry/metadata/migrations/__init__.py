"""The numbered changes of the schema: one set for every database, in the SQL that SQLite and PostgreSQL share."""

from __future__ import annotations

from importlib import resources

MIGRATIONS = ("0001_registry", "0002_service", "0003_accounts", "0004_repositories")
"""In their order; a database remembers how many it has. Append, never insert."""


def statements(name: str) -> list[str]:
    """The statements of a migration, without comments."""
    script = (resources.files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
    lines = [line.partition(" -- ")[0] for line in script.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
