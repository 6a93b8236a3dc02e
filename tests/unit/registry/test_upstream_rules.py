"""Rules of the pull-through cache: whose a repository is, when a tag is asked for, when an upstream is left alone."""

from __future__ import annotations

import pytest

from hardtack.registry.config.document import read
from hardtack.registry.config.upstreams import Upstream
from hardtack.registry.metadata.rows import StoredManifest
from hardtack.registry.upstream.freshness import Known, Step, next_step
from hardtack.registry.upstream.pacing import Pace
from hardtack.registry.upstream.table import UpstreamTable, may_be_fetched

HUB = Upstream(prefix="hub", url="https://docker.io")
QUAY = Upstream(prefix="hub/quay", url="https://quay.io", ns=("quay.io", "Quay.Example"))
EVERY = Upstream(url="http://localhost:5001")
TABLE = UpstreamTable((HUB, QUAY))


@pytest.mark.parametrize(
    ("repository", "upstream", "name"),
    [
        ("hub/library/nginx", HUB, "library/nginx"),
        ("hub/nginx", HUB, "library/nginx"),
        ("hub/a/b/c", HUB, "a/b/c"),
        ("hub/quay/a/b", QUAY, "a/b"),
        ("hub/quay/a", QUAY, "a"),
        ("hub/quay", HUB, "library/quay"),
        ("hub", None, ""),
        ("hubs/a", None, ""),
        ("a/hub/b", None, ""),
    ],
)
def test_a_repository_belongs_to_the_longest_prefix(repository: str, upstream: Upstream | None, name: str) -> None:
    found = TABLE.find(repository)
    assert (None if found is None else found.upstream) is upstream
    assert found is None or found.name == name


def test_an_empty_prefix_catches_what_no_other_does() -> None:
    table = UpstreamTable((EVERY, HUB))
    assert table.find("a/b") == (EVERY, "a/b")
    assert table.find("hub/a/b") == (HUB, "a/b")


@pytest.mark.parametrize(
    ("repository", "ns", "name"),
    [
        ("library/nginx", "docker.io", "hub/library/nginx"),
        ("library/nginx", "registry-1.docker.io", "hub/library/nginx"),
        ("hub/library/nginx", "docker.io", "hub/library/nginx"),
        ("a/b", "QUAY.example", "hub/quay/a/b"),
        ("a/b", "ghcr.io", None),
        ("a/b", "", "a/b"),
    ],
)
def test_a_mirrors_client_names_the_upstream(repository: str, ns: str, name: str | None) -> None:
    assert TABLE.named(repository, ns) == name


def test_upstreams_that_cannot_be_told_apart_are_refused() -> None:
    one = {"prefix": "hub", "url": "https://docker.io"}
    for other, key in (
        ({"prefix": "hub", "url": "https://other.io"}, "prefix"),
        ({"prefix": "other", "url": "https://registry-1.docker.io"}, "ns"),
        ({"prefix": "other", "url": "https://other.io", "ns": ["Docker.io"]}, "ns"),
    ):
        _, problems = read({"upstream": [one, other]}, str)
        assert {(problem.section, problem.key) for problem in problems} == {("[[upstream]] 2", key)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "https://x/path"),
        ("url", "ftp://x"),
        ("url", ""),
        ("prefix", "Hub"),
        ("prefix", "v2"),
        ("prefix", "a/"),
        ("username", "without a password"),
        ("visibility", "secret"),
        ("repositories", [""]),
        ("fresh", "-1s"),
    ],
)
def test_an_upstream_that_makes_no_sense_is_refused(key: str, value: object) -> None:
    _, problems = read({"upstream": [{"url": "https://x", "prefix": "x", key: value}]}, str)
    assert problems
    assert {problem.section for problem in problems} == {"[[upstream]] 1"}


def test_networks_hosts_and_nothing_else_can_be_allowed() -> None:
    config, problems = read({"network": {"allow": ["10.0.0.0/8", "minio.internal"]}}, str)
    assert (config.network.allow, problems) == (("10.0.0.0/8", "minio.internal"), [])
    _, problems = read({"network": {"allow": ["10.0.0.1/8"]}}, str)
    assert [(problem.section, problem.key) for problem in problems] == [("[network]", "allow")]


def test_docker_hub_is_where_its_api_is() -> None:
    for url in ("https://docker.io", "https://index.docker.io", "https://registry-1.docker.io"):
        assert str(Upstream(url=url).origin) == "https://registry-1.docker.io"
    assert str(EVERY.origin) == "http://localhost:5001"


def test_only_configured_repositories_may_be_fetched() -> None:
    table = UpstreamTable((Upstream(prefix="x", url="https://x", repositories=("library/*", "team/**")),))
    for name, may in (("x/library/a", True), ("x/library/a/b", False), ("x/team/a/b", True), ("x/a", False)):
        remote = table.find(name)
        assert remote is not None
        assert may_be_fetched(remote) is may


HELD = StoredManifest("sha256:" + "0" * 64, "", b"", "")


@pytest.mark.parametrize(
    ("held", "found", "age", "reference", "step"),
    [
        (True, True, 59, "1", Step.SERVE),
        (True, True, 60, "1", Step.ASK),
        (True, True, -1, "1", Step.ASK),  # the clock went back
        (True, None, 1, "1", Step.ASK),
        (True, False, 1, "1", Step.ASK),
        (True, None, 1e9, HELD.digest, Step.SERVE),
        (True, None, 1e9, "v1", Step.SERVE),
        (False, None, 0, "1", Step.ASK),
        (False, True, 1, "1", Step.ASK),
        (False, False, 9, "1", Step.MISSING),
        (False, False, 10, "1", Step.ASK),
        (False, False, 9, HELD.digest, Step.MISSING),
    ],
)
def test_what_to_do_about_a_reference(held: bool, found: bool | None, age: float, reference: str, step: Step) -> None:
    upstream = Upstream(url="https://x", fresh=60.0, missing=10.0, immutable=("v*",))
    known = Known(HELD if held else None, None, found, 1000.0)
    assert next_step(known, reference, upstream, 1000.0 + age) is step


def test_an_upstream_that_fails_is_left_alone_ever_longer() -> None:
    pace, pauses = Pace(), []
    for _ in range(10):
        pace.failed(100.0)
        pauses.append(pace.down(100.0))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, 30.0)
    assert pace.down(131.0) == 0.0
    pace.answered()
    assert pace.down(100.0) == 0.0


def test_a_limit_holds_for_what_it_counts() -> None:
    pace = Pace()
    assert pace.refused(100.0, True, 40.0) == 40.0
    assert (pace.limited(100.0, True), pace.limited(100.0, False)) == (40.0, 0.0)
    assert pace.refused(100.0, False, None) == 30.0
    assert pace.limited(100.0, False) == 30.0
    assert pace.refused(100.0, False, 1e9) == 3600.0


@pytest.mark.parametrize(
    ("said", "waits"),
    [("0;w=21600", True), ("0", True), ("1;w=21600", False), ("", False), ("x", False), (None, False)],
)
def test_an_allowance_that_is_used_up_is_noticed(said: str | None, waits: bool) -> None:
    pace = Pace()
    pace.told(100.0, said)
    assert bool(pace.limited(100.0, True)) is waits
    assert pace.limited(100.0, False) == 0.0
