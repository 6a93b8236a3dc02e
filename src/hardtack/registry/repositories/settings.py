"""Making repositories and saying things of them, as scripts; which values can be is a rule of its own, `checked`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardtack.registry.access import Visibility
from hardtack.registry.errors import RepositoryExists, RepositoryUnknown, SettingInvalid
from hardtack.registry.metadata.changes import NOWHERE, find
from hardtack.registry.metadata.events import happened
from hardtack.registry.metadata.quotas import namespace_of, usage
from hardtack.registry.metadata.script import first, hits
from hardtack.registry.names import is_official
from hardtack.registry.patterns import check_patterns
from hardtack.registry.repositories.rows import Details, Namespace, Settings
from hardtack.registry.retention.rules import check

if TYPE_CHECKING:
    from hardtack.registry.metadata.script import Script

SUMMARY_LIMIT = 200
README_LIMIT = 100_000
_VISIBILITIES = tuple(visibility.value for visibility in Visibility)


def checked(settings: Settings) -> dict[str, str]:
    """What is to be written, by column.

    Raises:
        SettingInvalid: a value that cannot be.
    """
    columns: dict[str, str] = {}
    if settings.visibility is not None:
        columns["visibility"] = check_visibility(settings.visibility)
    if settings.summary is not None:
        summary = settings.summary.strip()
        if len(summary) > SUMMARY_LIMIT or not summary.isprintable():
            raise SettingInvalid(f"a summary is one line of at most {SUMMARY_LIMIT} characters")
        columns["summary"] = summary
    if settings.readme is not None:
        columns["readme"] = _text(settings.readme, README_LIMIT, "a README")
    if settings.immutable is not None:
        columns["immutable"] = "\n".join(check_patterns(settings.immutable))
    if settings.retention is not None:
        columns["retention"] = check(settings.retention)
    return columns


def check_visibility(visibility: str) -> str:
    """Return a visibility. Raises SettingInvalid."""
    if visibility not in _VISIBILITIES:
        raise SettingInvalid(f"{visibility[:40]!r} is no visibility", f"Use one of {', '.join(_VISIBILITIES)}")
    return visibility


def _text(text: str, limit: int, what: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise SettingInvalid(f"{what} is Unicode text") from None
    if size > limit or "\0" in text:
        raise SettingInvalid(f"{what} is text of at most {limit:,} bytes")
    return text


def create(name: str, columns: dict[str, str], usual: str, who: str, now: float) -> Script[None]:
    """Make a repository that is empty, and stays until it is deleted."""
    rows = yield (
        "INSERT INTO repository (name, created, updated, explicit, visibility) VALUES (?, ?, ?, 1,"
        " coalesce(nullif((SELECT n.visibility FROM namespace n WHERE n.name = ?), ''), ?))"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        (name, now, now, namespace_of(name), "public" if is_official(name) else usual),
    )
    if not rows:
        raise RepositoryExists(name)
    yield from _write(rows[0][0], columns)
    yield from happened("repository", name, "", "", "", 0, who, now)


def change(name: str, columns: dict[str, str]) -> Script[None]:
    """Set something; from then on the repository stays when it is empty."""
    home = yield from find(name)
    if home == NOWHERE:
        raise RepositoryUnknown(name)
    yield from _write(home, columns)


def _write(home: int, columns: dict[str, str]) -> Script[None]:
    sets = "".join(f", {column} = ?" for column in columns)  # names from `checked`, never from a caller
    yield f"UPDATE repository SET explicit = 1{sets} WHERE id = ?", (*columns.values(), home)


_DETAILS = (
    "SELECT r.name, r.visibility, r.summary, r.readme, r.immutable, r.retention, r.upstream,"
    " (SELECT count(*) FROM tag t WHERE t.repository = r.id),"
    " (SELECT count(*) FROM manifest m WHERE m.repository = r.id),"
    " r.size, coalesce(p.pulls, 0), coalesce(p.latest, 0.0), r.created, r.updated FROM repository r"
    " LEFT JOIN pulled p ON p.repository = r.id AND p.subject = '' WHERE r.name = ?"
)


def details(name: str) -> Script[Details]:
    """Everything about one repository. Raises RepositoryUnknown."""
    row = yield from first(_DETAILS, name)
    if row is None:
        raise RepositoryUnknown(name)
    return Details._make((*row[:4], tuple(filter(None, row[4].split("\n"))), *row[5:]))


def namespace(name: str) -> Script[Namespace]:
    """What is set for a namespace, and what it uses; any name is one, whether anything is in it or not."""
    row = yield from first("SELECT quota, visibility FROM namespace WHERE name = ?", name)
    quota, visibility = (None, "") if row is None else row
    return Namespace(name, quota, visibility, (yield from usage(name)))


def namespaces(after: str, limit: int) -> Script[list[Namespace]]:
    """Namespaces for which something is set, after one."""
    rows = yield "SELECT name FROM namespace WHERE name > ? ORDER BY name LIMIT ?", (after, limit)
    found = []
    for (name,) in rows:
        found.append((yield from namespace(name)))
    return found


def set_quota(name: str, quota: int | None) -> Script[None]:
    """Set how many bytes a namespace may use."""
    yield from _namespace(name)
    if quota is None:
        yield "UPDATE namespace SET quota = NULL WHERE name = ?", (name,)
    else:
        yield "UPDATE namespace SET quota = ? WHERE name = ?", (quota, name)


def set_visibility(name: str, visibility: str) -> Script[None]:
    """Set who may see repositories that will be made in a namespace; "" for what is usual."""
    yield from _namespace(name)
    yield "UPDATE namespace SET visibility = ? WHERE name = ?", (visibility, name)


def _namespace(name: str) -> Script[None]:
    if not (yield from hits("SELECT 1 FROM namespace WHERE name = ? FOR UPDATE", name)):
        yield "INSERT INTO namespace (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (name,)
