"""Stages, what they need, and the faults of names that lead nowhere."""

from __future__ import annotations

import pytest

from hardtack.build.arguments import Arguments
from hardtack.build.dockerfile import parse
from hardtack.build.errors import BuildError, DockerfileError
from hardtack.build.graph import Graph
from hardtack.oci.platform import Platform

AMD64 = Platform("linux", "amd64")


def graph(text: str, **given: str) -> Graph:
    dockerfile = parse(text)
    arguments = Arguments(given, AMD64, AMD64, "")
    arguments.declare_globals(dockerfile)
    return Graph(dockerfile, arguments)


SEVERAL = """
ARG BASE=alpine
FROM $BASE AS a
RUN 1
FROM scratch AS b
COPY --from=a /x /
FROM a AS c
RUN --mount=from=b,target=/b 2
FROM busybox AS unused
RUN 3
FROM b
COPY --from=c /y /
COPY --from=0 /z /
COPY --from=nginx /n /
"""


def test_bases_and_origins_are_stages_images_or_nothing() -> None:
    found = graph(SEVERAL)
    assert [stage.base for stage in found.stages] == ["alpine", "", 0, "busybox", 1]
    assert [stage.needs() for stage in found.stages] == [set(), {0}, {0, 1}, set(), {0, 1, 2}]
    assert found.stages[4].images() == {"nginx"}
    assert [stage.shown for stage in found.stages] == ["a", "b", "c", "unused", "stage-4"]
    assert [stage.layered() for stage in found.stages] == [2, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("target", "needed"), [("", [0, 1, 2, 4]), ("b", [0, 1]), ("A", [0]), ("unused", [3]), ("2", [0, 1, 2])]
)
def test_only_what_a_target_needs_is_built_and_in_an_order_that_works(target: str, needed: list[int]) -> None:
    found = graph(SEVERAL)
    assert found.needed(found.target(target)) == needed


def test_a_target_that_is_not_there_is_refused_with_the_likely_one() -> None:
    with pytest.raises(BuildError, match="Did you mean unused"):
        graph(SEVERAL).target("unusd")


def test_arguments_choose_the_base() -> None:
    assert graph("ARG V=1\nFROM a:$V", V="2").stages[0].base == "a:2"
    assert graph("FROM a-${TARGETARCH}").stages[0].base == "a-amd64"
    assert graph("FROM --platform=$BUILDPLATFORM a").stages[0].platform == "linux/amd64"


def test_the_only_stage_has_no_name_in_the_progress() -> None:
    assert graph("FROM a AS only").stages[0].shown == ""


def test_a_name_used_twice_means_the_last_one_before() -> None:
    found = graph("FROM x AS a\nFROM y AS a\nFROM a\nCOPY --from=a /x /")
    assert found.stages[2].base == 1


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("FROM $NOTHING", "names nothing", 1),
        ("FROM a\nFROM --platform=$NOTHING b", "is empty", 2),
        ("FROM a\nCOPY --from=0 x y", "no stage 0 before", 2),
        ("FROM a\nCOPY --from=7 x y", "no stage 7 before", 2),
        ("FROM a\nCOPY --from=b x y\nFROM c AS b", "comes later", 2),
        ("FROM a AS a2\nCOPY --from=a2 x y", "comes later", 2),
        ("FROM a\nRUN --mount=from=b,target=/b x\nFROM c AS b", "comes later", 2),
        ("ARG A=${B:?no}\nFROM a", "B: no", 1),
    ],
)
def test_names_that_lead_nowhere_are_told_with_their_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(DockerfileError, match=reason) as caught:
        graph(text)
    assert caught.value.line == line


def test_triggers_come_first_and_may_need_more_stages() -> None:
    found = graph("FROM scratch AS tools\nFROM base\nRUN own")
    assert found.needed(1) == [1]
    found.add_triggers(1, ["RUN first", "COPY --from=tools /t /"])
    assert [step.instruction.source for step in found.stages[1].steps] == [
        "RUN first",
        "COPY --from=tools /t /",
        "RUN own",
    ]
    assert [(step.trigger, step.line) for step in found.stages[1].steps] == [(True, 2), (True, 2), (False, 3)]
    assert found.needed(1) == [0, 1]


def test_a_trigger_that_cannot_be_read_is_told_at_the_from() -> None:
    with pytest.raises(
        DockerfileError, match="Dockerfile:1: an ONBUILD of its base cannot be run: unknown instruction"
    ):
        graph("FROM base").add_triggers(0, ["NOPE x"])


def test_the_triggers_of_a_stage_are_for_the_next() -> None:
    assert graph("FROM a AS b\nONBUILD RUN x\nFROM b").own_triggers(0) == ["RUN x"]
