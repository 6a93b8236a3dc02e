"""What each instruction of a Dockerfile takes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from hardtack.build.dockerfile import instructions as ins
from hardtack.build.dockerfile import parse, parse_trigger
from hardtack.build.dockerfile.duration import format_duration, parse_duration
from hardtack.build.dockerfile.mounts import parse_mount
from hardtack.build.errors import DockerfileError


def step(line: str) -> Any:
    """The only instruction after a FROM."""
    (found,) = parse(f"FROM scratch\n{line}").stages[0].steps
    return found


def stage(line: str) -> ins.Stage:
    return parse(line).stages[0]


def test_stages_hold_their_instructions_and_arguments_stand_before() -> None:
    parsed = parse("ARG A=1\nARG B\nFROM a:$A AS One\nRUN x\nFROM --platform=$P b\nCOPY --from=one /x /\n")
    assert [argument.pairs for argument in parsed.arguments] == [[("A", "1")], [("B", None)]]
    assert [(s.base, s.name, s.platform) for s in parsed.stages] == [("a:$A", "one", ""), ("b", "", "$P")]
    assert [[type(x) for x in s.steps] for s in parsed.stages] == [[ins.Run], [ins.Copy]]


@pytest.mark.parametrize(
    "line", ["FROM", "FROM a b", "FROM a AS", "FROM a AS b c", "FROM a AS 1b", "FROM a AS b/c", "FROM a is b",
             "FROM --from=x a", "FROM --platform a"]
)  # fmt: skip
def test_a_from_that_cannot_be_read(line: str) -> None:
    with pytest.raises(DockerfileError, match="Dockerfile:1"):
        stage(line)


@pytest.mark.parametrize(
    ("line", "kind", "args", "shell"),
    [
        ("RUN echo  a", ins.Run, ["echo  a"], True),
        ('RUN ["echo", "a"]', ins.Run, ["echo", "a"], False),
        ('RUN ["echo", "a"', ins.Run, ['["echo", "a"'], True),
        ("run echo", ins.Run, ["echo"], True),
        ("CMD a b", ins.Cmd, ["a b"], True),
        ("CMD", ins.Cmd, [], True),
        ("CMD []", ins.Cmd, [], False),
        ('CMD ["a", "b c"]', ins.Cmd, ["a", "b c"], False),
        ("ENTRYPOINT a b", ins.Entrypoint, ["a b"], True),
        ("ENTRYPOINT []", ins.Entrypoint, [], False),
    ],
)
def test_commands_in_both_forms(line: str, kind: type, args: list[str], shell: bool) -> None:
    found = step(line)
    assert (type(found), found.args, found.shell) == (kind, args, shell)


def test_the_flags_of_run() -> None:
    run = step("RUN --mount=type=cache,target=/c --mount=type=bind,from=one,target=/x --network=none make")
    assert run.mounts == ["type=cache,target=/c", "type=bind,from=one,target=/x"]
    assert (run.origins, run.network, run.security, run.args) == (["", "one"], "none", "sandbox", ["make"])


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("ENV a=b", [("a", "b")]),
        ("ENV a=b c=d", [("a", "b"), ("c", "d")]),
        ('ENV a="b c" d=e\\ f', [("a", '"b c"'), ("d", "e\\ f")]),
        ("ENV a b  c", [("a", "b  c")]),
        ("ENV a= b=", [("a", ""), ("b", "")]),
        ("ENV a=b=c", [("a", "b=c")]),
        ("ENV a \\\nb", [("a", "b")]),
        ("LABEL a=b \\\n  c=d", [("a", "b"), ("c", "d")]),
        ("LABEL maintainer A <a@b>", [("maintainer", "A <a@b>")]),
        ('LABEL "a b"=c', [('"a b"', "c")]),
    ],
)
def test_pairs_in_both_forms(line: str, pairs: list[tuple[str, str]]) -> None:
    assert step(line).pairs == pairs


def test_arguments_may_have_defaults() -> None:
    assert step('ARG a b=c d="e f" g=').pairs == [("a", None), ("b", "c"), ("d", '"e f"'), ("g", "")]


@pytest.mark.parametrize(
    ("line", "sources", "destination"),
    [
        ("COPY a b", ["a"], "b"),
        ("COPY a b c/", ["a", "b"], "c/"),
        ('COPY ["a b", "c d"]', ["a b"], "c d"),
        ("ADD . /", ["."], "/"),
        ("COPY <<EOF a /d/\nx\nEOF", ["a"], "/d/"),
    ],
)
def test_copies_have_sources_and_a_destination(line: str, sources: list[str], destination: str) -> None:
    found = step(line)
    assert (found.sources, found.destination) == (sources, destination)


def test_the_flags_of_copy_and_add() -> None:
    copy = step("COPY --from=one --chown=1:2 --chmod=644 --link --parents --exclude=*.o --exclude=.git a /b")
    assert (copy.origin, copy.chown, copy.chmod, copy.link, copy.parents) == ("one", "1:2", "644", True, True)
    assert (copy.exclude, copy.adds) == (["*.o", ".git"], False)
    add = step("ADD --keep-git-dir=true --checksum=sha256:x --unpack=false --link=false a /b")
    assert (add.keep_git, add.checksum, add.unpack, add.link, add.adds) == (True, "sha256:x", False, False, True)


def test_documents_of_copies_are_files() -> None:
    (first, second) = step("COPY <<'a.txt' <<-b.txt /d/\n$x\na.txt\n\ty\nb.txt").documents
    assert (first.name, first.text(), first.expands) == ("a.txt", "$x\n", False)
    assert (second.name, second.text(), second.expands) == ("b.txt", "y\n", True)


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("WORKDIR /a b", "text", "/a b"),
        ("USER 1:2", "text", "1:2"),
        ("STOPSIGNAL SIGTERM", "text", "SIGTERM"),
        ("MAINTAINER A <a@b>", "text", "A <a@b>"),
        ("EXPOSE 80/tcp  443 $P", "words", ["$P", "443", "80/tcp"]),
        ("VOLUME /a /b", "words", ["/a", "/b"]),
        ('VOLUME ["/a b"]', "words", ["/a b"]),
        ('SHELL ["/bin/bash", "-c"]', "words", ["/bin/bash", "-c"]),
        ("ONBUILD copy a /b", "text", "copy a /b"),
        ("ONBUILD RUN <<EOF\na\nEOF", "text", "RUN <<EOF\na\nEOF"),
    ],
)
def test_the_other_instructions(line: str, attribute: str, value: object) -> None:
    assert getattr(step(line), attribute) == value


def test_a_health_check_with_everything() -> None:
    check = step(
        "HEALTHCHECK --interval=1m30s --timeout=5s --start-period=1s --start-interval=500ms --retries=3 CMD a b"
    )
    assert check.test == ["CMD-SHELL", "a b"]
    seconds = 1_000_000_000
    assert (check.interval, check.timeout, check.start_period) == (90 * seconds, 5 * seconds, seconds)
    assert (check.start_interval, check.retries) == (seconds // 2, 3)
    assert step('HEALTHCHECK CMD ["a", "b"]').test == ["CMD", "a", "b"]
    assert step("HEALTHCHECK none").test == ["NONE"]


FAULTS = [
    ("RUN", "without a command"),
    ('RUN ["a", 1]', "strings"),
    ("RUN --mout=x y", "did you mean --mount"),
    ("RUN --mount=type=bind,form=x,target=/y z", "did you mean from"),
    ("RUN --mount=type=bind,from=$x,target=/y z", "no variables"),
    ("RUN --network=bridge x", "unknown network"),
    ("RUN --network=none --network=none x", "twice"),
    ("RUN --security=any x", "unknown security"),
    ("RUN --device=x y", "not supported"),
    ("ENV", "name and a value"),
    ("ENV a", "no value"),
    ("ENV a=b c", "no '='"),
    ("ENV =b", "empty name"),
    ("ENV --a=b c=d", "no flag --a"),
    ("LABEL", "name and a value"),
    ("ARG", "needs a name"),
    ("ARG =b", "empty name"),
    ("COPY a", "source and a destination"),
    ("COPY", "source and a destination"),
    ("COPY --from=$x a b", "no variables"),
    ("COPY --link=maybe a b", "true or false"),
    ("COPY --link= a b", "true or false"),
    ("COPY --chown a b", "needs a value"),
    ("COPY a <<EOF\nEOF", "destination"),
    ("COPY --checksum=x a b", "no flag"),
    ("ADD --from=x a b", "no flag"),
    ("WORKDIR", "needs a path"),
    ("USER", "needs a user"),
    ("EXPOSE", "needs a port"),
    ("VOLUME", "needs a path"),
    ('VOLUME [""]', "needs a path"),
    ("SHELL /bin/sh -c", "JSON form"),
    ("SHELL []", "at least one"),
    ("STOPSIGNAL", "needs a signal"),
    ("MAINTAINER", "needs a name"),
    ("ONBUILD", "needs an instruction"),
    ("ONBUILD ONBUILD RUN x", "not allowed"),
    ("ONBUILD FROM x", "not allowed"),
    ("ONBUILD NOPE x", "unknown instruction"),
    ("ONBUILD COPY x", "source and a destination"),
    ("HEALTHCHECK", "CMD or NONE"),
    ("HEALTHCHECK CMD", "without a command"),
    ("HEALTHCHECK NONE x", "no arguments"),
    ("HEALTHCHECK --interval=1x CMD a", "invalid duration"),
    ("HEALTHCHECK --interval=1us CMD a", "less than 1ms"),
    ("HEALTHCHECK --retries=-1 CMD a", "whole number"),
    ("HEALTHCHECK --retires=1 CMD a", "did you mean --retries"),
    ("COPPY a b", "did you mean COPY"),
]


@pytest.mark.parametrize(("line", "reason"), FAULTS)
def test_a_fault_is_told_with_its_line(line: str, reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason) as caught:
        step(line)
    assert caught.value.line == 2
    assert caught.value.text == line.partition("\n")[0]


def test_only_arguments_stand_before_the_first_stage() -> None:
    with pytest.raises(DockerfileError, match="Dockerfile:2: RUN before the first FROM"):
        parse("ARG a\nRUN x\nFROM a")


def test_a_trigger_is_one_instruction() -> None:
    assert isinstance(parse_trigger("RUN x"), ins.Run)
    for text in ("RUN x\nRUN y", "", "FROM a", "ONBUILD RUN x"):
        with pytest.raises(DockerfileError):
            parse_trigger(text)


def mount(text: str) -> dict[str, Any]:
    found = parse_mount(text, lambda value: value.replace("$X", "1"))
    return {name: getattr(found, name) for name in found.__slots__ if getattr(found, name) not in ("", None, 0, False)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("target=/a", {"type": "bind", "target": "/a", "readonly": True}),
        ("type=bind,from=b,src=/c,dst=/a,rw", {"type": "bind", "origin": "b", "source": "/c", "target": "/a"}),
        ("type=bind,target=/a,readwrite=false", {"type": "bind", "target": "/a", "readonly": True}),
        ("type=cache,destination=/$X", {"type": "cache", "target": "/1"}),
        ("type=cache,target=/a,ro,id=i,sharing=locked,mode=0700,uid=$X,gid=2",
         {"type": "cache", "target": "/a", "readonly": True, "id": "i", "sharing": "locked", "mode": 0o700, "uid": 1,
          "gid": 2}),
        ("type=tmpfs,target=/a,size=64m", {"type": "tmpfs", "target": "/a", "size": 64 << 20}),
        ("type=secret,id=a", {"type": "secret", "id": "a", "readonly": True}),
        ("type=secret,id=a,required", {"type": "secret", "id": "a", "readonly": True, "required": True}),
        ('type=secret,id=a,"target=/a,b"', {"type": "secret", "id": "a", "readonly": True, "target": "/a,b"}),
        ("type=ssh", {"type": "ssh", "readonly": True}),
    ],
)  # fmt: skip
def test_mounts_of_run(text: str, expected: dict[str, Any]) -> None:
    assert mount(text) == expected


def test_a_secret_may_come_as_a_variable() -> None:
    assert parse_mount("type=secret,id=a,env=TOKEN", str).env == "TOKEN"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type=bnd,target=/a", "did you mean bind"),
        ("type=bind", "needs a target"),
        ("type=bind,target", "needs a value"),
        ("type=tmpfs,target=/a,size=big", "no size"),
        ("type=bind,target=/a,size=1", "not for a mount of type bind"),
        ("type=bind,target=/a,sharing=locked", "not for"),
        ("type=cache,target=/a,sharing=some", "unknown sharing"),
        ("type=bind,target=/a,required", "not for"),
        ("type=bind,target=/a,uid=1", "not for"),
        ("type=secret,id=a,from=b", "not for"),
        ("type=secret", "needs an id"),
        ("type=secret,id=a,src=b", "not both"),
        ("type=cache,target=/a,mode=9", "no mode"),
        ("type=cache,target=/a,uid=-1", "no uid"),
        ("type=bind,target=/a,ro=perhaps", "true or false"),
        ('type=bind,"target=/a', "does not end"),
    ],
)
def test_a_mount_that_cannot_be(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason):
        mount(text)


@pytest.mark.parametrize(
    ("text", "nanoseconds", "shown"),
    [
        ("0", 0, "0s"), ("30s", 30_000_000_000, "30s"), ("1m30s", 90_000_000_000, "1m30s"),
        ("1.5h", 5_400_000_000_000, "1h30m0s"), ("500ms", 500_000_000, "500ms"), ("1.5s", 1_500_000_000, "1.5s"),
        ("1h0.5s", 3_600_500_000_000, "1h0m0.5s"), ("3us", 3_000, "3µs"), ("7ns", 7, "7ns"),
        ("-2s", -2_000_000_000, "-2s"),
        (".5s", 500_000_000, "500ms"),
    ],
)  # fmt: skip
def test_durations_go_both_ways(text: str, nanoseconds: int, shown: str) -> None:
    assert parse_duration(text) == nanoseconds
    assert format_duration(nanoseconds) == shown


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1s ", "1.s.", "9" * 30 + "h", "--1s", "1,5s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(DockerfileError):
        parse_duration(text)
