"""Why a content is kept: every chain from what somebody wants down to it, as data and as text.

A manifest is kept until it is deleted, with or without a tag; a blob while a manifest of its repository needs it, a
push is in progress, something that was deleted can still be brought back, or it has only just become idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hardtack.registry.metadata.script import first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardtack.registry.metadata.script import Script

LIMIT = 200
_DEPTH = 16


class Step(NamedTuple):
    """One member of a chain: tag, subject, index, manifest, config, layer, grave or upload; and its name."""

    kind: str
    name: str


class Chain(NamedTuple):
    """One reason, from the holder down to the content.

    `reason` is tag, manifest (one without a tag), upload, push, deleted, or idle; `who` and `since` belong to the last
    four: who uploads or deleted, and since when. Idle is what nothing keeps, and the collector takes after a while.
    """

    repository: str
    reason: str
    steps: tuple[Step, ...]
    who: str = ""
    since: float = 0.0


def why(digest: str, repository: str = "", limit: int = LIMIT) -> Script[list[Chain]]:
    """The chains that keep a content.

    Args:
        repository: look only there; "" for everywhere, which is for administrators.
        limit: stop at so many.
    Returns:
        Nothing when the registry does not have it.
    """
    chains: list[Chain] = []
    homes = yield (
        "SELECT r.id, r.name FROM repository r WHERE r.id IN (SELECT l.repository FROM link l WHERE l.digest = ?"
        " UNION SELECT m.repository FROM manifest m WHERE m.digest = ?) AND r.name < '~' ORDER BY r.name",
        (digest, digest),
    )
    for home, name in homes:
        if repository in ("", name) and len(chains) < limit:
            chains += yield from _in_repository(home, name, digest, limit - len(chains))
    chains += yield from _uploads(digest, repository, limit)
    chains += yield from _graves(digest, repository, limit)
    if not chains and not repository:
        row = yield from first("SELECT idle FROM blob WHERE digest = ?", digest)
        if row is not None:
            chains.append(Chain("", "idle", (Step("blob", digest),), "", row[0] or 0.0))
    return chains[:limit]


def _in_repository(home: int, name: str, digest: str, limit: int) -> Script[list[Chain]]:
    chains: list[Chain] = []
    waiting: list[tuple[str, tuple[Step, ...]]] = [(digest, ())]
    while waiting and len(chains) < limit:
        content, below = waiting.pop()
        manifest = yield from first(
            "SELECT media_type, subject FROM manifest WHERE repository = ? AND digest = ?", home, content
        )
        if manifest is not None:
            below = (Step(_kind(manifest[0]), content), *below)
        parents = yield (
            "SELECT e.parent, e.kind FROM edge e WHERE e.repository = ? AND e.child = ? ORDER BY e.parent LIMIT ?",
            (home, content, limit),
        )
        if manifest is None and parents:
            waiting += [(parent, (Step(kind, content), *below)) for parent, kind in reversed(parents)]
        elif manifest is None:
            chains += yield from _pushed(home, name, content, below)
        else:
            chains += yield from _holders(home, name, content, manifest[1], below, bool(parents), limit)
            if len(below) < _DEPTH:
                waiting += [(parent, below) for parent, _ in reversed(parents)]
    return chains[:limit]


def _kind(media_type: str) -> str:
    return "index" if media_type.endswith((".index.v1+json", ".list.v2+json")) else "manifest"


def _holders(
    home: int, name: str, digest: str, subject: str, below: tuple[Step, ...], within: bool, limit: int
) -> Script[list[Chain]]:
    """Chains that begin at a manifest: with its tags, or with itself."""
    tags = yield (
        "SELECT t.name FROM tag t WHERE t.repository = ? AND t.digest = ? ORDER BY t.name LIMIT ?",
        (home, digest, limit),
    )
    if tags:
        return [Chain(name, "tag", (Step("tag", tag), *below)) for (tag,) in tags]
    if within:
        return []
    above = (Step("subject", subject),) if subject else ()
    return [Chain(name, "manifest", (*above, *below))]


def _pushed(home: int, name: str, digest: str, below: tuple[Step, ...]) -> Script[list[Chain]]:
    """A blob that no manifest needs: somebody may be pushing one that will."""
    row = yield from first("SELECT idle, created FROM link WHERE repository = ? AND digest = ?", home, digest)
    if row is None:
        return []
    steps = (Step("blob", digest), *below)
    pushing = yield from first(
        "SELECT id, who, started FROM upload WHERE repository = ? AND finished = 0 ORDER BY touched DESC LIMIT 1", name
    )
    if pushing is not None:
        return [Chain(name, "push", (Step("upload", pushing[0]), *steps), pushing[1], pushing[2])]
    return [Chain(name, "idle", steps, "", row[0] or row[1])]


def _uploads(digest: str, repository: str, limit: int) -> Script[list[Chain]]:
    rows = yield (
        "SELECT id, repository, who, started FROM upload WHERE digest = ? AND digest <> '' AND finished = 0"
        " ORDER BY id LIMIT ?",
        (digest, limit),
    )
    return [
        Chain(name, "upload", (Step("upload", upload), Step("blob", digest)), who, started)
        for upload, name, who, started in rows
        if repository in ("", name)
    ]


def _graves(digest: str, repository: str, limit: int) -> Script[list[Chain]]:
    rows: list[tuple[Any, ...]] = yield (
        "SELECT r.name, g.digest, g.deleted_by, g.deleted, 'manifest' FROM grave g"
        " JOIN repository r ON r.id = g.repository WHERE g.digest = ?"
        " UNION ALL SELECT r.name, g.digest, g.deleted_by, g.deleted, n.kind FROM grave_need n"
        " JOIN grave g ON g.id = n.grave JOIN repository r ON r.id = g.repository WHERE n.child = ? AND n.held = 1"
        " ORDER BY 1, 2 LIMIT ?",
        (digest, digest, limit),
    )
    chains = []
    for name, manifest, who, deleted, kind in rows:
        below = () if manifest == digest else (Step(kind, digest),)
        if repository in ("", name):
            chains.append(Chain(name, "deleted", (Step("manifest", manifest), *below), who, deleted))
    return chains


_REASONS = {
    "tag": "tagged",
    "manifest": "a manifest without a tag, kept until it is deleted",
    "upload": "an upload claims it",
    "push": "no manifest needs it yet, and a push is in progress",
    "deleted": "deleted, and can be brought back for now",
    "idle": "nothing needs it; the collector takes it when it has been idle for long enough",
}


def lines(chain: Chain) -> Iterator[str]:
    """A chain as text: the reason, then each step below the one that keeps it."""
    yield f"{chain.repository}: {_REASONS[chain.reason]}".removeprefix(": ") + (f" ({chain.who})" if chain.who else "")
    for depth, step in enumerate(chain.steps, 1):
        yield f"{'  ' * depth}{step.kind} {step.name}"
