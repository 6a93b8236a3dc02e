"""Retention at work: judge a repository, say what would go and how much that frees, and let it go; all on schedule.

One process of all replicas does it at a time. Each removal is a transaction of its own, so that nobody waits long, and
what goes can be brought back as if somebody had deleted it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.errors import RegistryError, SettingInvalid
from hardtack.registry.metadata.script import first
from hardtack.registry.retention import removing
from hardtack.registry.retention.facts import gather
from hardtack.registry.retention.judging import judge
from hardtack.registry.retention.rules import rules_for

if TYPE_CHECKING:
    from hardtack.registry.config.document import Config
    from hardtack.registry.metadata.database import Database
    from hardtack.registry.metadata.script import Script
    from hardtack.registry.retention.facts import Facts
    from hardtack.registry.retention.judging import Judgement

log = logging.getLogger("hardtack.registry")

_PAUSE = 3600.0
_LOOK = 60.0
_BREATH = 0.01
_PAGE = 500


class Plan(NamedTuple):
    """What the rules say of a repository as it was; `sizes` in bytes are of the manifests that go, in their order."""

    repository: str
    facts: Facts
    judgement: Judgement
    sizes: tuple[int, ...]


class Outcome(NamedTuple):
    """How much has gone, and how much of what should have is still there because it changed or is being pushed."""

    tags: int
    manifests: int
    left: int


class Retention:
    """The rules of a registry.

    Args:
        config: has the rules for repositories that have none of their own, and for how long what goes is kept.
    """

    def __init__(self, database: Database, config: Config) -> None:
        self._db = database
        self._rules = config.retention.rules
        self._keep = config.retention.undelete > 0
        self._grace = config.limits.grace

    async def plan(self, repository: str, instead: str | None = None) -> Plan | None:
        """What would become of everything in a repository; None when no rule is for it, or it does not exist.

        Args:
            instead: rules to try, in place of the repository's own.
        Raises:
            SettingInvalid: they cannot be read.
        """
        own = await self._db.read(_own_rules, repository) if instead is None else instead
        rules = () if own is None else rules_for(repository, own, self._rules)
        facts = await self._db.browse(gather, repository) if rules else None
        if facts is None:
            return None
        judgement = await asyncio.to_thread(judge, facts, rules, self._db.now())
        going = [verdict.digest for verdict in judgement.manifests if not verdict.stays]
        sizes = await self._db.browse(removing.bytes_of, repository, going)
        return Plan(repository, facts, judgement, tuple(sizes))

    async def apply(self, plan: Plan) -> Outcome:
        """Let go what a plan says, as far as it is still so."""
        db, repository = self._db, plan.repository
        going = [verdict.digest for verdict in plan.judgement.manifests if not verdict.stays]
        pushed = {manifest.digest: manifest.pushed for manifest in plan.facts.manifests}
        updated = {tag.name: tag.updated for tag in plan.facts.tags}
        tags: dict[str, dict[str, float]] = {}
        tag_count = manifest_count = left = 0
        for verdict in plan.judgement.tags:
            if not verdict.stays:
                tags.setdefault(verdict.digest, {})[verdict.tag] = updated[verdict.tag]
        for digest in going:
            names = tags.pop(digest, {})
            now = db.now()
            gone = await db.free(
                removing.drop_manifest,
                repository,
                digest,
                pushed[digest],
                names,
                now - self._grace,
                self._grace,
                self._keep,
                now,
            )
            manifest_count += gone
            tag_count += gone * len(names)
            left += not gone
            await asyncio.sleep(_BREATH)
        for digest, names in tags.items():
            for name, when in sorted(names.items()):
                now = db.now()
                gone = await db.free(removing.drop_tag, repository, name, digest, when, now - self._grace, now)
                tag_count += gone
                left += not gone
                await asyncio.sleep(_BREATH)
        return Outcome(tag_count, manifest_count, left)

    async def repositories(self, after: str = "", limit: int = _PAGE) -> list[str]:
        """Names of repositories that some rule may be for, after one."""
        return await self._db.browse(_concerned, bool(self._rules), after, limit)

    async def run(self) -> None:
        """Apply the rules for ever, every hour, in one process of all."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                async with self._db.alone("retention") as ours:
                    if ours and await self._db.note(_is_due, self._db.now(), _PAUSE):
                        await self.everything()
            except RegistryError as error:
                log.warning("retention stopped for now: %s", error)

    async def everything(self) -> None:
        """Apply the rules to every repository once."""
        after = ""
        while names := await self.repositories(after):
            for name in names:
                await self._one(name)
                await asyncio.sleep(_BREATH)
            after = names[-1]

    async def _one(self, name: str) -> None:
        try:
            plan = await self.plan(name)
        except SettingInvalid as error:
            log.warning("retention in %s: %s", name, error)
            return
        if plan is not None and not all(verdict.stays for part in plan.judgement for verdict in part):
            outcome = await self.apply(plan)
            log.info("retention in %s: %d tags and %d manifests are gone", name, outcome.tags, outcome.manifests)


def _own_rules(repository: str) -> Script[str | None]:
    row = yield from first("SELECT retention FROM repository WHERE name = ?", repository)
    return None if row is None else row[0]


def _concerned(every: bool, after: str, limit: int) -> Script[list[str]]:
    own = "" if every else " AND retention <> ''"
    rows = yield (
        f"SELECT name FROM repository WHERE name > ? AND name < '~'{own} ORDER BY name LIMIT ?",
        (after, limit),
    )
    return [name for (name,) in rows]


def _is_due(now: float, pause: float) -> Script[bool]:
    """Whether the last round of any process is long enough ago; if so, this one is the last from now on."""
    row = yield from first("SELECT value FROM fact WHERE name = 'retention' FOR UPDATE")
    if row is not None and float(row[0]) > now - pause:
        return False
    yield (
        "INSERT INTO fact (name, value) VALUES ('retention', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (str(now),),
    )
    return True
