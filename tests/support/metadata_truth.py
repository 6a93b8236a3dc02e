"""What is always true in the registry's metadata, asked in SQL with none of the code that keeps it so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

_NEEDED = "EXISTS (SELECT 1 FROM edge e WHERE e.repository = l.repository AND e.child = l.digest)"
_HELD = (
    "(EXISTS (SELECT 1 FROM link l WHERE l.digest = b.digest)"
    " OR EXISTS (SELECT 1 FROM grave_need n WHERE n.child = b.digest AND n.held = 1))"
)
_QUESTIONS = {
    "a link is idle exactly while nothing needs it": "SELECT l.repository, l.digest, l.idle FROM link l"
    f" WHERE (l.idle IS NULL) <> {_NEEDED}",
    "a blob is idle exactly while nothing holds it": "SELECT b.digest, b.idle FROM blob b"
    f" WHERE (b.idle IS NULL) <> {_HELD}",
    "a repository's size is the sum of what it has": "SELECT r.name, r.size FROM repository r WHERE r.size <>"
    " (SELECT coalesce(sum(b.size), 0) FROM link l JOIN blob b ON b.digest = l.digest WHERE l.repository = r.id)"
    " + (SELECT coalesce(sum(m.size), 0) FROM manifest m WHERE m.repository = r.id)",
    "content belongs to a manifest or a grave": "SELECT c.digest FROM content c"
    " WHERE NOT EXISTS (SELECT 1 FROM manifest m WHERE m.digest = c.digest)"
    " AND NOT EXISTS (SELECT 1 FROM grave g WHERE g.digest = c.digest)",
    "a manifest has its content": "SELECT m.repository, m.digest FROM manifest m"
    " LEFT JOIN content c ON c.digest = m.digest WHERE c.digest IS NULL",
    "a tag has its manifest": "SELECT t.repository, t.name FROM tag t"
    " LEFT JOIN manifest m ON m.repository = t.repository AND m.digest = t.digest WHERE m.digest IS NULL",
    "a manifest has its blobs": "SELECT e.repository, e.parent, e.child FROM edge e LEFT JOIN link l"
    " ON l.repository = e.repository AND l.digest = e.child WHERE e.kind <> 'manifest' AND l.digest IS NULL",
    "a link has its blob": "SELECT l.repository, l.digest FROM link l"
    " LEFT JOIN blob b ON b.digest = l.digest WHERE b.digest IS NULL",
    "a blob that a grave holds is there": "SELECT n.grave, n.child FROM grave_need n"
    " LEFT JOIN blob b ON b.digest = n.child WHERE n.held = 1 AND b.digest IS NULL",
}


def contradictions() -> Script[list[str]]:
    """Everything that is not so; empty when all is well."""
    found = []
    for what, sql in _QUESTIONS.items():
        rows = yield sql, ()
        found += [f"not so: {what}: {row}" for row in rows]
    return found


def blobs_linked() -> Script[set[str]]:
    """The digests of blobs that some repository links to, or some grave may bring back."""
    rows = yield "SELECT digest FROM link UNION SELECT child FROM grave_need WHERE held = 1", ()
    return {digest for (digest,) in rows}


def blobs_known() -> Script[set[str]]:
    """The digests of blobs that have a row."""
    rows = yield "SELECT digest FROM blob", ()
    return {digest for (digest,) in rows}
