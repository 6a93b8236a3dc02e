"""The rules of retention: what stays, what goes, and why. Pure.

A tag stays when no rule is for it, when one of the rules that are for it keeps it, or when it is immutable. A manifest
goes when all its tags do, or when it has had none for long enough. Never does one that an index which stays is made of,
nor one that refers to a manifest which stays; and with an index go its images, with a subject what refers to it, unless
they have tags of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hardtack.registry.config import units
from hardtack.registry.patterns import covering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardtack.registry.config.topics import RetentionRule
    from hardtack.registry.retention.facts import Facts, ManifestFacts, TagFacts

# How clients without the referrers API, and cosign, say what a manifest refers to.
_ATTACHED = re.compile(r"(sha256|sha512)-([0-9a-f]{64}|[0-9a-f]{128})(\.[a-z0-9]+)?", re.ASCII)


class Verdict(NamedTuple):
    """What becomes of a tag, or of a manifest (then `tag` is empty)."""

    tag: str
    digest: str
    stays: bool
    reason: str


class Judgement(NamedTuple):
    """What becomes of everything in a repository. Manifests that go are in an order in which each may be deleted."""

    tags: tuple[Verdict, ...]
    manifests: tuple[Verdict, ...]


def judge(facts: Facts, rules: Sequence[RetentionRule], now: float) -> Judgement:
    """Apply rules to a repository."""
    known = {manifest.digest for manifest in facts.manifests}
    attached = {tag.name: signed for tag in facts.tags if (signed := target(tag.name)) in known}
    ordinary = [tag for tag in facts.tags if tag.name not in attached]
    reasons = _kept(ordinary, rules, facts.immutable, now)
    named: dict[str, list[str]] = {}
    for tag in ordinary:
        named.setdefault(tag.digest, []).append(tag.name)
    for tag in facts.tags:
        if tag.name in attached and covering(facts.immutable, tag.name):
            named.setdefault(tag.digest, []).append(tag.name)
            reasons[tag.name] = "immutable"
    subjects = {manifest.digest: manifest.subject for manifest in facts.manifests if manifest.subject in known}
    subjects |= {tag.digest: attached[tag.name] for tag in facts.tags if tag.name in attached}
    going = _going(facts.manifests, named, reasons, subjects, rules, now)
    return Judgement(
        tuple(_tag(tag, reasons, attached.get(tag.name, ""), going) for tag in facts.tags),
        tuple(Verdict("", digest, False, reason) for digest, reason in going.items())
        + tuple(
            Verdict("", manifest.digest, True, _why_kept(manifest, named, reasons, subjects, going))
            for manifest in facts.manifests
            if manifest.digest not in going
        ),
    )


def target(tag: str) -> str:
    """What a tag says that its manifest refers to; "" for ordinary ones."""
    match = _ATTACHED.fullmatch(tag)
    return "" if match is None else f"{match[1]}:{match[2]}"


def _kept(
    tags: Sequence[TagFacts], rules: Sequence[RetentionRule], immutable: Sequence[str], now: float
) -> dict[str, str]:
    """Tags that stay, each with the reason."""
    reasons: dict[str, str] = {}
    judged: set[str] = set()
    newest = sorted(tags, key=lambda tag: (-tag.updated, tag.name))
    for rule in rules:
        if not rule.keeps:
            continue
        place = 0
        for tag in newest:
            if covering(rule.tags, tag.name):
                judged.add(tag.name)
                place += 1
                if reason := _keeps(rule, tag, place, now):
                    reasons.setdefault(tag.name, reason)
    for tag in tags:
        if pattern := covering(immutable, tag.name):
            reasons[tag.name] = f"immutable ({pattern})"
        elif tag.name not in judged:
            reasons[tag.name] = "no rule is for it"
    return reasons


def _keeps(rule: RetentionRule, tag: TagFacts, place: int, now: float) -> str:
    """Why a rule keeps a tag that it is for; "" when it does not."""
    if place <= rule.keep_newest:
        return f"among the {rule.keep_newest} newest"
    if pattern := covering(rule.keep_tags, tag.name):
        return f"like {pattern}"
    if now - tag.updated < rule.keep_pushed:
        return f"pushed within {units.duration(rule.keep_pushed)}"
    if now - (tag.pulled or tag.updated) < rule.keep_pulled:
        # What nobody has pulled yet may have been pushed a moment ago, for somebody who is about to.
        done = "pulled" if tag.pulled else "not pulled yet, pushed"
        return f"{done} within {units.duration(rule.keep_pulled)}"
    return ""


def _going(
    manifests: Sequence[ManifestFacts],
    named: dict[str, list[str]],
    reasons: dict[str, str],
    subjects: dict[str, str],
    rules: Sequence[RetentionRule],
    now: float,
) -> dict[str, str]:
    """Manifests that go, each with the reason, those first on which others depend."""
    known = {manifest.digest for manifest in manifests}
    age = min((rule.delete_untagged for rule in rules if rule.delete_untagged), default=0.0)
    going: dict[str, str] = {}
    waiting = list(manifests)
    while True:
        held = []
        for manifest in waiting:
            parents = [parent for parent in manifest.parents if parent in known]
            subject = subjects.get(manifest.digest, "")
            depends = [*parents, *filter(None, (subject,))]
            reason = ""
            if all(other in going for other in depends):
                reason = _reason(manifest, named.get(manifest.digest, ()), reasons, parents, subject, age, now)
            if reason:
                going[manifest.digest] = reason
            else:
                held.append(manifest)
        if len(held) == len(waiting):
            return going
        waiting = held


def _reason(
    manifest: ManifestFacts,
    tags: Sequence[str],
    reasons: dict[str, str],
    parents: Sequence[str],
    subject: str,
    age: float,
    now: float,
) -> str:
    """Why a manifest goes on which nothing that stays depends; "" when it stays."""
    if any(tag in reasons for tag in tags):
        return ""
    if tags:
        return "all its tags go"
    if parents:
        return f"part of {parents[0]}, which goes"
    if subject:
        return f"refers to {subject}, which goes"
    if age and now - max(manifest.pushed, manifest.pulled) > age:
        return f"without a tag for more than {units.duration(age)}"
    return ""


def _tag(tag: TagFacts, reasons: dict[str, str], target: str, going: dict[str, str]) -> Verdict:
    if tag.name in reasons:
        return Verdict(tag.name, tag.digest, True, reasons[tag.name])
    if not target:
        return Verdict(tag.name, tag.digest, False, "no rule keeps it")
    stays = tag.digest not in going
    what = "goes" if target in going else "stays"
    return Verdict(tag.name, tag.digest, stays, f"belongs to {target}, which {what}")


def _why_kept(
    manifest: ManifestFacts,
    named: dict[str, list[str]],
    reasons: dict[str, str],
    subjects: dict[str, str],
    going: dict[str, str],
) -> str:
    for tag in named.get(manifest.digest, ()):
        if tag in reasons:
            return f"tagged {tag}"
    for parent in manifest.parents:
        if parent not in going:
            return f"part of {parent}, which stays"
    subject = subjects.get(manifest.digest, "")
    if subject and subject not in going:
        return f"refers to {subject}, which stays"
    return "without a tag, and no rule takes it"
