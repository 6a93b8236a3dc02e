"""Instructions that change the config only, arguments, and the documents that a state becomes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from hardtack.build import image, metadata
from hardtack.build.arguments import Arguments
from hardtack.build.dockerfile import parse
from hardtack.build.errors import DockerfileError
from hardtack.build.state import PATH, Layer, State
from hardtack.oci.config import ImageConfig
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.platform import Platform

AMD64 = Platform("linux", "amd64")


def apply(body: str, given: dict[str, str] | None = None, state: State | None = None, head: str = "") -> State:
    dockerfile = parse(f"{head}FROM scratch\n{body}")
    arguments = Arguments(given or {}, AMD64, AMD64, "")
    arguments.declare_globals(dockerfile)
    state = state or State(AMD64)
    for step in dockerfile.stages[0].steps:
        metadata.apply(state, step, arguments, dockerfile.escape)
    return state


def config(body: str, **more: Any) -> dict[str, Any]:
    return apply(body, **more).config


def told(body: str, **more: Any) -> list[str]:
    return [note.created_by for note in apply(body, **more).history]


CONFIGS = [
    ("ENV A=b C='d e'", "Env", [f"PATH={PATH}", "A=b", "C=d e"]),
    ("ENV A=1\nENV A=2", "Env", [f"PATH={PATH}", "A=2"]),
    ("ENV A=1\nENV A=2 B=$A", "Env", [f"PATH={PATH}", "A=2", "B=1"]),
    ("ENV A=$PATH:/x", "Env", [f"PATH={PATH}", f"A={PATH}:/x"]),
    ("ENV A one two", "Env", [f"PATH={PATH}", "A=one two"]),
    ("ARG X=1\nENV A=$X", "Env", [f"PATH={PATH}", "A=1"]),
    ("LABEL a=b 'c d'=\"e f\"\nLABEL a=z", "Labels", {"a": "z", "c d": "e f"}),
    ("ENV V=1\nLABEL a$V=$V", "Labels", {"a1": "1"}),
    ("CMD a b", "Cmd", ["/bin/sh", "-c", "a b"]),
    ('CMD ["a", "$b"]', "Cmd", ["a", "$b"]),
    ('SHELL ["/bin/bash", "-lc"]\nCMD a', "Cmd", ["/bin/bash", "-lc", "a"]),
    ('ENTRYPOINT ["a"]', "Entrypoint", ["a"]),
    ("EXPOSE 80 53/udp 8000-8002 9000/TCP", "ExposedPorts",
     {"53/udp": {}, "80/tcp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}, "9000/tcp": {}}),
    ("ENV P='80 81'\nEXPOSE $P", "ExposedPorts", {"80/tcp": {}, "81/tcp": {}}),
    ("EXPOSE 127.0.0.1:8080:80", "ExposedPorts", {"80/tcp": {}}),
    ("VOLUME /a /b\nVOLUME [\"/c d\"]", "Volumes", {"/a": {}, "/b": {}, "/c d": {}}),
    ("USER 1000:100", "User", "1000:100"),
    ("ENV U=me\nUSER $U", "User", "me"),
    ("STOPSIGNAL SIGQUIT", "StopSignal", "SIGQUIT"),
    ("STOPSIGNAL 9", "StopSignal", "9"),
    ("HEALTHCHECK --interval=5s --retries=2 CMD x", "Healthcheck",
     {"Test": ["CMD-SHELL", "x"], "Interval": 5_000_000_000, "Retries": 2}),
    ("HEALTHCHECK NONE", "Healthcheck", {"Test": ["NONE"]}),
    ("ONBUILD RUN x\nONBUILD COPY a b", "OnBuild", ["RUN x", "COPY a b"]),
    ('SHELL ["a"]', "Shell", ["a"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "key", "value"), CONFIGS)
def test_a_config_after_an_instruction(body: str, key: str, value: object) -> None:
    assert config(body)[key] == value


HISTORY = [
    ("ENV A=b C='d e'", "ENV A=b C=d e"),
    ("LABEL a=b", "LABEL a=b"),
    ("ARG A\nARG B=1 C", "ARG B=1 C"),
    ("CMD a b", 'CMD ["/bin/sh" "-c" "a b"]'),
    ("CMD []", "CMD []"),
    ('ENTRYPOINT ["a", "b\\"c"]', 'ENTRYPOINT ["a" "b\\"c"]'),
    ("EXPOSE 80 53/udp", "EXPOSE [53/udp 80/tcp]"),
    ("VOLUME /a /b", "VOLUME [/a /b]"),
    ("USER me", "USER me"),
    ("STOPSIGNAL TERM", "STOPSIGNAL TERM"),
    ("MAINTAINER A B", "MAINTAINER A B"),
    ('SHELL ["/bin/bash", "-c"]', "SHELL [/bin/bash -c]"),
    (
        "HEALTHCHECK --interval=90s CMD x y",
        "HEALTHCHECK {Test:[CMD-SHELL x y] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
    ),
]


@pytest.mark.parametrize(("body", "line"), HISTORY)
def test_history_is_in_dockers_words(body: str, line: str) -> None:
    assert told(body)[-1] == line


def test_triggers_leave_no_history() -> None:
    assert told("ONBUILD RUN x") == []


def test_an_entrypoint_takes_an_inherited_command_away_but_not_one_of_this_file() -> None:
    inherited = State(AMD64)
    inherited.config["Cmd"] = ["old"]
    assert "Cmd" not in apply('ENTRYPOINT ["a"]', state=inherited).config
    assert config('CMD ["b"]\nENTRYPOINT ["a"]')["Cmd"] == ["b"]
    assert "Entrypoint" not in config('ENTRYPOINT ["a"]\nENTRYPOINT []')


ARGUMENTS = [
    ("", "ARG A", {}, None),
    ("", "ARG A=1", {}, "1"),
    ("", "ARG A=1", {"A": "2"}, "2"),
    ("", "ARG A", {"A": "2"}, "2"),
    ("ARG A=1\n", "", {}, None),
    ("ARG A=1\n", "ARG A", {}, "1"),
    ("ARG A=1\n", "ARG A=3", {}, "3"),
    ("ARG A=1\nARG B=$A\n", "ARG B\nARG A=$B", {}, "1"),
    ("", "ARG B=x A=$B", {}, "x"),
    ("", "ARG A=1\nENV A=2", {"A": "3"}, "2"),
    ("", "ARG TARGETARCH\nARG A=$TARGETARCH", {}, "amd64"),
    ("", "ARG A=$TARGETARCH", {}, ""),
]


@pytest.mark.parametrize(("head", "body", "given", "expected"), ARGUMENTS)
def test_the_value_of_an_argument(head: str, body: str, given: dict[str, str], expected: str | None) -> None:
    assert apply(body or "ENV X=1", given, head=head).variables.get("A") == expected


def test_arguments_that_nothing_declares_are_told_and_proxies_are_not() -> None:
    arguments = Arguments({"A": "1", "B": "2", "HTTP_PROXY": "p", "SOURCE_DATE_EPOCH": "0"}, AMD64, AMD64, "")
    arguments.declare_globals(parse("ARG A\nFROM x"))
    assert arguments.unused() == ["B"]
    assert arguments.proxies() == {"HTTP_PROXY": "p"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("EXPOSE 70000", "no port"), ("EXPOSE 80/icmp", "protocol"), ("EXPOSE 9-8", "backwards"),
        ("EXPOSE a", "no port"),
        ("STOPSIGNAL NOPE", "unknown signal"), ("VOLUME $NOTHING", "empty"), ("LABEL $NOTHING=b", "empty name"),
        ("ENV A=${B:?flour is missing}", "flour is missing"), ("ENV \"$N\"=c", "cannot name"),
        ("USER " + "x" * 5000, "4,096"),
    ],
)  # fmt: skip
def test_values_that_mean_nothing_are_refused(body: str, reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason):
        apply(body)


def test_a_config_cannot_grow_without_end() -> None:
    doubling = "ENV A=" + "x" * 1000 + "\n" + "ENV A=$A$A\n" * 40
    with pytest.raises(DockerfileError, match=r"characters|larger"):
        apply(doubling)
    many = "ENV A=" + "x" * 500_000 + "\n" + "".join(f"LABEL l{n}=$A\n" for n in range(40))
    with pytest.raises(DockerfileError, match="larger than 3 MiB"):
        apply(many)


def test_many_variables_take_time_that_grows_with_their_number() -> None:
    begun = time.monotonic()
    state = apply("".join(f"ENV v{number}=1\n" for number in range(60_000)))
    assert len(state.config["Env"]) == 60_001
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["/a"], "/a"),
        (["a"], "/a"),
        (["/a", "b/../c"], "/a/c"),
        (["/a/"], "/a"),
        (["$X/y"], "/v/y"),
        (["/a", ".."], "/"),
    ],
)
def test_working_directories_are_absolute_and_clean(steps: list[str], expected: str) -> None:
    state = State(AMD64)
    state.variables["X"] = "/v"
    for step in parse("FROM scratch\n" + "\n".join(f"WORKDIR {path}" for path in steps)).stages[0].steps:
        state.config["WorkingDir"] = metadata.workdir(state, step, "\\")  # type: ignore[arg-type]
    assert state.workdir == expected


def layer(number: int) -> Layer:
    digest = Digest(f"sha256:{number:064x}")
    return Layer(str(digest), Descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", digest, 10))


def test_the_same_state_gives_the_same_bytes_in_the_fields_that_others_read() -> None:
    def made() -> image.Written:
        state = apply("ENV A=b\nLABEL z=1 a=2\nEXPOSE 80")
        state.note("COPY x y", layer(1), "2024-01-02T03:04:05Z")
        state.note("CMD x")
        return image.write(state, {"b": "3"}, None)

    written = made()
    assert written.config == made().config
    value = json.loads(written.config)
    assert list(value) == ["architecture", "config", "created", "history", "os", "rootfs"]
    assert list(value["config"]) == ["ExposedPorts", "Env", "WorkingDir", "Labels"]
    assert list(value["config"]["Labels"]) == ["a", "b", "z"]
    assert value["rootfs"] == {"type": "layers", "diff_ids": [layer(1).diff_id]}
    assert ImageConfig.parse(written.config).diff_ids == (layer(1).diff_id,)
    manifest = json.loads(written.manifest)
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert manifest["config"]["digest"] == written.config_digest


def test_times_come_from_layers_and_a_first_entry_takes_that_of_the_first_layer() -> None:
    state = apply("ENV A=b")
    state.note("RUN x", layer(1), "2024-01-02T03:04:05Z")
    state.note("ENV C=d")
    state.note("RUN y", layer(2), "2024-01-03T00:00:00Z")
    value = json.loads(image.write(state, {}, None).config)
    assert [entry["created"][:10] for entry in value["history"]] == ["2024-01-02"] * 3 + ["2024-01-03"]
    assert value["created"] == "2024-01-03T00:00:00Z"
    assert [entry.get("empty_layer", False) for entry in value["history"]] == [True, False, True, False]


def test_an_epoch_bounds_new_times_and_leaves_those_of_the_base() -> None:
    base = ImageConfig.parse(
        json.dumps(
            {
                "os": "linux", "architecture": "amd64", "created": "2030-01-01T00:00:00Z", "author": "me",
                "config": {"Env": ["A=b"], "OnBuild": ["RUN x"], "Hostname": "gone"},
                "rootfs": {"type": "layers", "diff_ids": [layer(1).diff_id, layer(3).diff_id]},
                "history": [{"created": "2030-01-01T00:00:00Z", "created_by": "ADD x"}],
            }
        ).encode()
    )  # fmt: skip
    state = State.of_image(base, [layer(1).blob, layer(3).blob])
    state.note("RUN y", layer(2), "2031-01-01T00:00:00Z")
    value = json.loads(image.write(state, {}, 0).config)
    assert [entry.get("created", "")[:4] for entry in value["history"]] == ["2030", "2030", "1970"]
    assert (value["created"], value["author"], value["config"]["Env"]) == ("1970-01-01T00:00:00Z", "me", ["A=b"])
    assert "Hostname" not in value["config"]


@pytest.mark.parametrize(("entries", "layers"), [(0, 2), (1, 2), (3, 1)])
def test_a_history_that_does_not_fit_its_layers_is_made_to(entries: int, layers: int) -> None:
    document = {
        "os": "linux", "architecture": "amd64", "history": [{"created_by": f"step {n}"} for n in range(entries)],
        "rootfs": {"type": "layers", "diff_ids": [layer(n).diff_id for n in range(layers)]},
    }  # fmt: skip
    base = ImageConfig.parse(json.dumps(document).encode())
    state = State.of_image(base, [layer(n).blob for n in range(layers)])
    assert sum(not note.empty for note in state.history) == layers == len(state.layers)


def test_a_stage_that_begins_from_another_takes_a_copy() -> None:
    first = apply("ENV A=1\nLABEL a=b\nARG X=2")
    second = first.copy()
    apply("ENV A=2 B=3\nLABEL a=c", state=second)
    assert first.config["Env"] == [f"PATH={PATH}", "A=1"]
    assert first.config["Labels"] == {"a": "b"}
    assert (second.variables["X"], second.declared) == ("2", {"X": "2"})
