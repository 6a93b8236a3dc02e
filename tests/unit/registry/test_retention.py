"""Retention: the rules by tables, and at work against a repository that changes meanwhile."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hardtack.registry.config.document import Config
from hardtack.registry.config.topics import RetentionRule, RetentionSection
from hardtack.registry.errors import SettingInvalid
from hardtack.registry.metadata.database import Database
from hardtack.registry.repositories.pulls import Pulls
from hardtack.registry.repositories.rows import Settings
from hardtack.registry.repositories.store import Repositories
from hardtack.registry.repositories.undelete import Undelete
from hardtack.registry.retention.facts import Facts, ManifestFacts, TagFacts, gather
from hardtack.registry.retention.judging import judge
from hardtack.registry.retention.keeper import Retention
from hardtack.registry.retention.rules import check, parse, rules_for
from support.databases import Clock
from support.registry_content import Content, digest

DAY = 86_400.0
NOW = 1000 * DAY


def facts(
    tags: dict[str, tuple[str, float]],
    pulled: dict[str, float] | None = None,
    parts: dict[str, list[str]] | None = None,
    subjects: dict[str, str] | None = None,
    untagged: dict[str, float] | None = None,
    immutable: tuple[str, ...] = (),
) -> Facts:
    """Times as ages in days: tags point at a manifest, `parts` are images of indexes."""
    pulled, parts, subjects, untagged = pulled or {}, parts or {}, subjects or {}, untagged or {}
    ages = dict(tags.values()) | untagged
    latest = {name: NOW - age * DAY for name, age in pulled.items()}
    return Facts(
        "a/b",
        immutable,
        tuple(
            TagFacts(tag, name, NOW - age * DAY, max(latest.get(tag, 0.0), latest.get(name, 0.0)))
            for tag, (name, age) in sorted(tags.items())
        ),
        tuple(
            ManifestFacts(
                name,
                NOW - age * DAY,
                latest.get(name, 0.0),
                subjects.get(name, ""),
                tuple(index for index, images in parts.items() if name in images),
            )
            for name, age in sorted(ages.items())
        ),
    )


def rule(**said: object) -> RetentionRule:
    return replace(RetentionRule(), **said)  # type: ignore[arg-type]


FIVE = {f"v{age}": (f"m{age}", float(age)) for age in range(1, 6)}


@pytest.mark.parametrize(
    ("rules", "going"),
    [
        ([rule(keep_newest=2)], ["v3", "v4", "v5"]),
        ([rule(keep_newest=9)], []),
        ([rule(keep_tags=("v5", "v1"))], ["v2", "v3", "v4"]),
        ([rule(keep_pushed=2.5 * DAY)], ["v3", "v4", "v5"]),
        ([rule(keep_pulled=DAY)], ["v1", "v2", "v3"]),
        ([rule(keep_pulled=2.5 * DAY)], ["v3"]),
        ([rule(keep_newest=1), rule(keep_pulled=DAY)], ["v2", "v3"]),
        ([rule(keep_newest=1, keep_pulled=DAY)], ["v2", "v3"]),
        ([rule(tags=("v[45]",), keep_newest=1)], ["v5"]),
        ([rule(tags=("*", "!v5"), keep_newest=1)], ["v2", "v3", "v4"]),
        ([rule(tags=("none*",), keep_newest=1)], []),
        ([rule(delete_untagged=DAY)], []),
        ([], []),
    ],
)
def test_a_tag_goes_when_rules_are_for_it_and_none_keeps_it(rules: list[RetentionRule], going: list[str]) -> None:
    found = judge(facts(FIVE, pulled={"v4": 0.5, "m5": 0.5}), rules, NOW)
    assert [verdict.tag for verdict in found.tags if not verdict.stays] == going
    gone = [f"m{tag[1:]}" for tag in going]
    assert sorted(verdict.digest for verdict in found.manifests if not verdict.stays) == gone
    assert all(verdict.reason for verdict in (*found.tags, *found.manifests))


@pytest.mark.parametrize(
    ("what", "known", "stays", "order"),
    [
        ("two tags", facts({"a": ("m", 9), "b": ("m", 1)}), {"m"}, None),
        ("immutable", facts({"a": ("m", 9), "b": ("n", 1)}, immutable=("a*",)), {"m", "n"}, None),
        (
            "images of an index that stays",
            facts(
                {"new": ("index", 1), "old": ("image", 9)}, parts={"index": ["image", "other"]}, untagged={"other": 9}
            ),
            {"index", "image", "other"},
            None,
        ),
        (
            "images of an index that goes, unless they have a tag or another index",
            facts(
                {"new": ("i2", 1), "newer": ("i3", 0.5), "old": ("i1", 9), "x": ("tagged", 0.1)},
                parts={"i1": ["gone", "shared", "tagged"], "i2": ["shared"]},
                untagged={"gone": 1, "shared": 9},
            ),
            {"i2", "i3", "shared", "tagged"},
            ["i1", "gone"],
        ),
        (
            "an index within an index",
            facts(
                {"new": ("n", 1), "old": ("top", 9)},
                parts={"top": ["middle"], "middle": ["leaf"]},
                untagged={"middle": 1, "leaf": 1},
            ),
            {"n"},
            ["top", "middle", "leaf"],
        ),
        (
            "what refers to a subject that stays, however old; and what to one that goes, however new",
            facts(
                {"new": ("kept", 1), "old": ("gone", 9)},
                subjects={"s1": "kept", "s2": "gone", "s3": "s2"},
                untagged={"s1": 99, "s2": 0.1, "s3": 0.1},
            ),
            {"kept", "s1"},
            ["gone", "s2", "s3"],
        ),
        (
            "orphans by their age",
            facts({"new": ("kept", 1)}, subjects={"o1": "nowhere", "o2": "nowhere"}, untagged={"o1": 99, "o2": 1}),
            {"kept", "o2"},
            ["o1"],
        ),
        (
            "untagged by age, pulling counts",
            facts({"new": ("kept", 1)}, pulled={"u3": 1}, untagged={"u1": 99, "u2": 1, "u3": 99}),
            {"kept", "u2", "u3"},
            ["u1"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_belongs_together(what: str, known: Facts, stays: set[str], order: list[str] | None) -> None:
    newest = 3 if "unless" in what else 1
    found = judge(known, [rule(keep_newest=newest), rule(delete_untagged=7 * DAY)], NOW)
    assert {verdict.digest for verdict in found.manifests if verdict.stays} == stays
    if order is not None:
        assert [verdict.digest for verdict in found.manifests if not verdict.stays] == order


def test_signatures_under_the_tags_that_clients_give_them_go_with_what_they_sign() -> None:
    subject, other = str(digest("subject")), str(digest("other"))
    tags = {
        "new": (subject, 1.0),
        "old": (other, 9.0),
        f"{subject.replace(':', '-')}.sig": ("sig1", 99.0),
        f"{other.replace(':', '-')}.sig": ("sig2", 0.1),
        f"{other.replace(':', '-')}": ("fallback", 0.1),
        f"sha256-{'0' * 64}.sig": ("orphan", 99.0),
    }
    known = facts(
        tags, parts={"fallback": ["attestation"]}, subjects={"attestation": other}, untagged={"attestation": 1}
    )
    found = judge(known, [rule(keep_newest=1)], NOW)
    assert {verdict.digest for verdict in found.manifests if verdict.stays} == {subject, "sig1"}
    assert {verdict.tag for verdict in found.tags if verdict.stays} == {"new", f"{subject.replace(':', '-')}.sig"}


def test_rules_of_a_repository_are_read_as_those_of_the_configuration_are() -> None:
    (first, second) = parse(
        '[{"tags": ["*", "!latest"], "keep_newest": 3, "keep_pulled": "30d"}, {"delete_untagged": "7d"}]'
    )
    assert (first.tags, first.keep_newest, first.keep_pulled) == (("*", "!latest"), 3, 30 * DAY)
    assert second.delete_untagged == 7 * DAY
    assert check("  ") == ""
    assert parse("[]") == ()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        "nonsense",
        "[" * 10_000,
        '[{"keep_newest": -1}]',
        '[{"keep_oldest": 1}]',
        "[{}]",
        '[{"keep_newest": 1, "repositories": ["**"]}]',
        '[{"keep_newest": 1, "tags": ["a b"]}]',
        json.dumps([{"keep_newest": 1}] * 51),
    ],
)
def test_rules_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(SettingInvalid):
        check(text)


def test_own_rules_stand_in_the_place_of_the_configured_ones() -> None:
    configured = (rule(repositories=("team/**",), keep_newest=1), rule(repositories=("other/x",), keep_newest=2))
    assert rules_for("team/a", "", configured) == configured[:1]
    assert rules_for("other/x", "", configured) == configured[1:]
    assert rules_for("other/y", "", configured) == ()
    assert rules_for("team/a", '[{"keep_newest": 5}]', configured) == (rule(keep_newest=5),)
    assert rules_for("team/a", "[]", configured) == ()


def retention(database: Database, *rules: RetentionRule, undelete: float = DAY) -> Retention:
    return Retention(database, Config(retention=RetentionSection(undelete, rules)))


async def pushed(content: Content, clock: Clock) -> list[str]:
    names = []
    for number in range(4):
        clock.now += DAY
        names.append(await content.image("a/b", f"v{number}", "shared", f"layer {number}" * (number + 1)))
    clock.now += DAY
    return names


async def test_a_dry_run_names_what_goes_and_the_bytes_that_it_frees(
    database: Database, content: Content, clock: Clock
) -> None:
    names = await pushed(content, clock)
    keeper = retention(database, rule(keep_newest=2), undelete=0.0)
    plan = await keeper.plan("a/b")
    assert plan is not None
    assert [verdict.tag for verdict in plan.judgement.tags if not verdict.stays] == ["v0", "v1"]
    assert dict(zip(names, plan.sizes, strict=False)) == {names[0]: 7, names[1]: 14}
    assert len(await content.store.tags("a/b")) == 4
    assert await keeper.apply(plan) == (2, 2, 0)
    assert (await content.collected())[1] == sum(plan.sizes)
    assert await content.store.tag_names("a/b") == ["v2", "v3"]
    assert [change.who for change in await Repositories(database).history("a/b")][:2] == ["rule:retention"] * 2


async def test_what_goes_by_rules_can_be_brought_back(database: Database, content: Content, clock: Clock) -> None:
    names = await pushed(content, clock)
    keeper = retention(database, rule(keep_newest=3))
    await keeper.everything()
    assert await content.store.manifest("a/b", "v0") is None
    assert (await Undelete(database, DAY).restore("a/b", names[0], "kim")).tags == ("v0",)


async def test_what_changed_since_it_was_judged_stays(database: Database, content: Content, clock: Clock) -> None:
    await pushed(content, clock)
    keeper = retention(database, rule(keep_newest=1))
    plan = await keeper.plan("a/b")
    assert plan is not None
    clock.now += 1
    await content.image("a/b", "v0", "shared", "layer 0")  # pushed again
    await content.index("a/b", "index", str((await content.store.tags("a/b"))[1].digest))  # v1 is part of it
    await Repositories(database).change("a/b", Settings(immutable=("v2",)))
    assert await keeper.apply(plan) == (0, 0, 3)
    assert await content.store.tag_names("a/b") == ["index", "v0", "v1", "v2", "v3"]


async def test_what_refers_to_something_that_stays_after_all_stays_as_well(
    database: Database, content: Content, clock: Clock
) -> None:
    names = await pushed(content, clock)
    await content.image("a/b", "", "signature", subject=names[0])
    await content.image("a/b", names[0].replace(":", "-") + ".sig", "old signature")
    clock.now += DAY
    keeper = retention(database, rule(keep_newest=3))
    plan = await keeper.plan("a/b")
    assert plan is not None
    assert len([verdict for verdict in plan.judgement.manifests if not verdict.stays]) == 3
    clock.now += 1
    await content.image("a/b", "v0", "shared", "layer 0")  # pushed again
    assert await keeper.apply(plan) == (0, 0, 3)


async def test_what_is_pushed_while_a_repository_is_judged_stays(
    database: Database, content: Content, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push is acknowledged after its repository was looked at, and before anybody has judged."""
    names = await pushed(content, clock)
    await content.index("a/b", "index", names[1])
    keeper, browse = retention(database, rule(tags=("v*",), keep_newest=1)), database.browse

    async def slowly(script: object, *values: object) -> object:
        found = await browse(script, *values)  # type: ignore[arg-type]
        if script is gather:
            clock.now += 1
            await content.image("a/b", "v0", "shared", "layer 0")
            await content.image("a/b", "v1", "shared", "layer 1" * 2)
            clock.now += 1
        return found

    monkeypatch.setattr(database, "browse", slowly)
    plan = await keeper.plan("a/b")
    assert plan is not None
    assert await keeper.apply(plan) == (1, 1, 2)
    assert await content.store.tag_names("a/b") == ["index", "v0", "v1", "v3"]


async def test_what_is_pushed_again_by_its_digest_stays(database: Database, content: Content, clock: Clock) -> None:
    names = [await content.image("a/b", "", f"layer {number}") for number in range(2)]
    clock.now += 2 * DAY
    keeper = retention(database, rule(delete_untagged=DAY))
    plan = await keeper.plan("a/b")
    assert plan is not None
    clock.now += 1
    await content.image("a/b", "", "layer 0")
    assert await keeper.apply(plan) == (0, 1, 1)
    assert await content.store.manifest("a/b", names[0]) is not None
    assert await content.store.manifest("a/b", names[1]) is None


async def test_nothing_goes_while_somebody_pushes(database: Database, content: Content, clock: Clock) -> None:
    await pushed(content, clock)
    keeper = retention(database, rule(keep_newest=1))
    await content.store.begin_upload("u", "a/b", "ada")
    await keeper.everything()
    assert len(await content.store.tags("a/b")) == 4
    clock.now += DAY
    await keeper.everything()
    assert len(await content.store.tags("a/b")) == 1


async def test_what_goes_while_an_index_of_it_is_pushed_comes_back(
    database: Database, content: Content, clock: Clock
) -> None:
    """The client asked for the images, they were there, so it pushes the index alone; there is no upload to see."""
    names = await pushed(content, clock)
    store = content.store
    await content.delete("a/b", names[1])
    await retention(database, rule(keep_newest=1)).everything()
    assert await store.manifest("a/b", names[0]) is None
    await content.index("a/b", "all", names[0], names[1])
    assert await store.manifest("a/b", names[0]) is not None
    assert await store.blob_size("a/b", digest("layer 0")) == 7
    assert "v0" not in await store.tag_names("a/b")
    assert await store.manifest("a/b", names[1]) is None  # somebody deleted this one


async def test_a_tag_whose_manifest_is_still_needed_goes_alone(
    database: Database, content: Content, clock: Clock
) -> None:
    names = await pushed(content, clock)
    await content.index("a/b", "index", names[0])
    await retention(database, rule(tags=("v*",), keep_newest=1)).everything()
    assert await content.store.tag_names("a/b") == ["index", "v3"]
    assert await content.store.manifest("a/b", names[0]) is not None


async def test_pulls_count_and_only_repositories_with_rules_are_looked_at(
    database: Database, content: Content, clock: Clock
) -> None:
    names = await pushed(content, clock)
    await content.image("a/c", "v0", "x")
    pulls = Pulls(database)
    pulls.count("a/b", "v1", names[1])
    pulls.count("a/b", names[2], names[2])
    await pulls.flush()
    await Repositories(database).change("a/b", Settings(retention='[{"keep_pulled": "1h"}]'))
    keeper = retention(database)
    assert await keeper.repositories() == ["a/b"]
    assert await keeper.plan("a/c") is None
    assert await keeper.plan("none") is None
    await keeper.everything()
    assert await content.store.tag_names("a/b") == ["v1", "v2"]
    assert await content.store.tag_names("a/c") == ["v0"]
