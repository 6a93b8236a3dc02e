"""Every instruction carried out on a real kernel, and what it leaves in the image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hardtack.build.errors import BuildError, DockerfileError, StepFailed
from hardtack.build.stage import StepRefused
from hardtack.oci.platform import Platform
from hardtack.oci.reference import Reference
from support.kitchen import Kitchen

EVERYTHING = """# syntax=docker/dockerfile:1
ARG FLAVOUR=plain
FROM scratch
ARG FLAVOUR
MAINTAINER Baker <baker@example.org>
LABEL flavour=$FLAVOUR "a b"="c d"
ENV OVEN=/oven HEAT="very hot"
COPY busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
SHELL ["/bin/busybox", "sh", "-e", "-c"]
WORKDIR $OVEN
RUN echo "$FLAVOUR $HEAT $(pwd)" > note
EXPOSE 80 443/tcp 53/udp
VOLUME ["/dough", "/tins"]
USER 1000:1000
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --retries=5 CMD test -e note
ONBUILD RUN echo again
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "cat note"]
"""


def test_an_image_from_nothing_with_every_kind_of_instruction(kitchen: Kitchen) -> None:
    kitchen.write("busybox", Path("/bin/busybox").read_bytes(), 0o755)
    dish = kitchen.build(EVERYTHING, labels={"from": "command line"})
    config = json.loads(dish.image.config.raw)
    assert config["config"] == {
        "User": "1000:1000",
        "ExposedPorts": {"443/tcp": {}, "53/udp": {}, "80/tcp": {}},
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "OVEN=/oven", "HEAT=very hot"],
        "Entrypoint": ["/bin/sh"],
        "Cmd": ["-c", "cat note"],
        "Volumes": {"/dough": {}, "/tins": {}},
        "WorkingDir": "/oven",
        "Labels": {"a b": "c d", "flavour": "plain", "from": "command line"},
        "StopSignal": "SIGQUIT",
        "ArgsEscaped": True,
        "Healthcheck": {"Test": ["CMD-SHELL", "test -e note"], "Interval": 30_000_000_000, "Retries": 5},
        "OnBuild": ["RUN echo again"],
        "Shell": ["/bin/busybox", "sh", "-e", "-c"],
    }
    assert (config["os"], config["author"]) == ("linux", "Baker <baker@example.org>")
    assert [(h["created_by"], h.get("empty_layer", False)) for h in config["history"]] == [
        ("ARG FLAVOUR=plain", True),
        ("MAINTAINER Baker <baker@example.org>", True),
        ("LABEL flavour=plain a b=c d", True),
        ("ENV OVEN=/oven HEAT=very hot", True),
        ("COPY busybox /bin/", False),
        ('RUN |1 FLAVOUR=plain ["/bin/busybox", "--install", "-s", "/bin"]', False),
        ("SHELL [/bin/busybox sh -e -c]", True),
        ("WORKDIR /oven", False),
        ('RUN |1 FLAVOUR=plain /bin/busybox sh -e -c echo "$FLAVOUR $HEAT $(pwd)" > note', False),
        ("EXPOSE [443/tcp 53/udp 80/tcp]", True),
        ("VOLUME [/dough /tins]", True),
        ("USER 1000:1000", True),
        ("STOPSIGNAL SIGQUIT", True),
        (
            "HEALTHCHECK {Test:[CMD-SHELL test -e note] Interval:30s Timeout:0s StartPeriod:0s StartInterval:0s"
            " Retries:5}",
            True,
        ),
        ('ENTRYPOINT ["/bin/sh"]', True),
        ('CMD ["-c" "cat note"]', True),
    ]
    assert len(config["rootfs"]["diff_ids"]) == 4
    assert dish.tree()["oven/note"] == ("-", 0o644, 0, 0, "plain very hot /oven\n")
    assert dish.layer_files(-1) == ["oven", "oven/note"]
    assert kitchen.leftovers() == []


def test_a_command_leaves_only_what_it_changed(kitchen: Kitchen) -> None:
    dish = kitchen.build(
        "FROM busybox\nRUN true\nRUN rm /etc/group && echo x > /etc/new && mkdir -p /a/b\nRUN ls /proc /sys"
    )
    history = [note for note in dish.image.config.history if note.created_by.startswith("RUN")]
    assert [note.empty_layer for note in history] == [True, False, True]
    assert dish.layer_files(-1) == ["a", "a/b", "etc", "etc/group", "etc/new"]
    tree = dish.tree()
    assert "etc/group" not in tree
    assert tree["etc/new"][4] == "x\n"
    assert not {"etc/hosts", "etc/resolv.conf", "etc/hostname"} & set(tree)


def test_a_command_sees_names_hosts_and_the_user_it_asks_for(kitchen: Kitchen) -> None:
    dish = kitchen.build(
        "FROM busybox\nUSER nobody\nWORKDIR /home/me\nRUN id -un; pwd; cat /etc/hosts > seen; touch mine\n"
    )
    assert dish.told.text("RUN").split() == ["nobody", "/home/me"]
    tree = dish.tree()
    assert tree["home/me"][:4] == ("d", 0o755, 65534, 65534)
    assert tree["home/me/mine"][2:4] == (65534, 65534)
    assert "localhost" in tree["home/me/seen"][4]


def test_a_working_directory_makes_a_layer_only_when_it_is_new(kitchen: Kitchen) -> None:
    dish = kitchen.build("FROM busybox\nWORKDIR /etc\nWORKDIR /new\nWORKDIR /")
    assert [(note.created_by, note.empty_layer) for note in dish.image.config.history][-3:] == [
        ("WORKDIR /etc", True),
        ("WORKDIR /new", False),
        ("WORKDIR /", True),
    ]
    assert dish.config["WorkingDir"] == "/"


DOCUMENTS = """FROM busybox
ARG NAME=bread
RUN <<EOF
echo "one $NAME"
echo two > /two
EOF
RUN cat <<A - && cat <<'B'
first $NAME
A
second $NAME
B
RUN <<-EOF
	echo tabs
	EOF
COPY <<EOF <<'raw.txt' /docs/
hello $NAME
EOF
keep $NAME
raw.txt
COPY --chmod=755 <<EOF /bin/hello
#!/bin/sh
echo hello
EOF
RUN hello
"""


def test_here_documents_run_in_the_shell_or_become_files(kitchen: Kitchen) -> None:
    dish = kitchen.build(DOCUMENTS)
    tree = dish.tree()
    assert dish.told.text("RUN").splitlines() == ["one bread", "first bread", "second $NAME", "tabs", "hello"]
    assert tree["two"][4] == "two\n"
    assert tree["docs/EOF"] == ("-", 0o644, 0, 0, "hello bread\n")
    assert tree["docs/raw.txt"][4] == "keep $NAME\n"
    assert tree["bin/hello"][1] == 0o755


def test_a_here_document_with_a_first_line_of_its_own_is_a_program(kitchen: Kitchen) -> None:
    dish = kitchen.build("FROM busybox\nRUN <<'EOF'\n#!/bin/busybox sh\necho I am $0\nEOF\n")
    assert dish.told.text("RUN") == "I am /dev/pipes/EOF\n"
    assert dish.image.config.history[-1].empty_layer


def test_a_network_can_be_taken_from_a_command(kitchen: Kitchen) -> None:
    dish = kitchen.build("FROM busybox\nRUN --network=none ip -o link | wc -l\nRUN ip -o link | wc -l\n")
    assert dish.told.text("none").strip() == "1"
    assert dish.told.text("RUN ip").strip() == "2"
    quiet = kitchen.build("FROM busybox\nRUN echo other; ip -o link | wc -l\n", network="none")
    assert quiet.told.text("RUN").split() == ["other", "1"]


def test_a_failing_command_shows_its_end_its_line_and_its_code(kitchen: Kitchen) -> None:
    kitchen.build("FROM busybox\nRUN echo before")
    failing = "FROM busybox\nRUN echo before\nRUN echo first; \\\n  echo last >&2; exit 7\nRUN echo never\n"
    error = kitchen.fails(failing, StepFailed)
    assert (error.code, error.exit_code, error.place) == (7, 1, "Dockerfile:3")
    assert error.output == ["first", "last"]
    assert "   3 | >>> RUN echo first; \\\n   4 | >>>   echo last >&2; exit 7" in error.excerpt
    assert "ended with exit code 7" in str(error)
    assert kitchen.leftovers() == []
    after = kitchen.build("FROM busybox\nRUN echo before")
    assert after.steps == {"FROM busybox": "CACHED", "RUN echo before": "CACHED"}


def test_a_command_that_is_not_there_names_it(kitchen: Kitchen) -> None:
    kitchen.write("x")
    error = kitchen.fails("FROM scratch\nCOPY x /\nRUN make", StepRefused, r"Dockerfile:3: .*/bin/sh")
    assert ">>> RUN make" in error.excerpt
    kitchen.fails('FROM busybox\nRUN ["nope"]', StepRefused, "nope")


def test_a_failed_build_leaves_names_as_they_were(kitchen: Kitchen) -> None:
    before = kitchen.build("FROM busybox\nLABEL a=1").image.digest
    kitchen.fails("FROM busybox\nRUN false", StepFailed)
    row = kitchen.root.db.execute("SELECT digest FROM reference WHERE name = 'docker.io/test/dish:1'").fetchone()
    assert row == (str(before),)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("RUN --security=insecure x", "not supported"),
        ("RUN --mount=type=ssh x", "ssh"),
        ("ADD https://example.org/x /", "not fetched"),
        ("ADD --checksum=sha256:1 x /", "checksum"),
        ("ADD --keep-git-dir=true x /", "git"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(kitchen: Kitchen, line: str, reason: str) -> None:
    kitchen.fails(f"FROM busybox\nRUN touch /ran\n{line}\n", DockerfileError, f"Dockerfile:3: .*{reason}")
    assert kitchen.root.db.execute("SELECT count(*) FROM build_step").fetchone() == (0,)


def test_triggers_of_a_base_run_first_and_are_not_passed_on(kitchen: Kitchen) -> None:
    kitchen.write("f", "f")
    base = "FROM busybox\nONBUILD COPY f /from-trigger\nONBUILD RUN echo t > /ran\nONBUILD ENV T=1"
    kitchen.build(base, tags=[Reference.parse("base:1")])
    dish = kitchen.build("FROM base:1\nRUN cat /ran")
    assert list(dish.steps) == [
        "FROM base:1",
        "ONBUILD COPY f /from-trigger",
        "ONBUILD RUN echo t > /ran",
        "RUN cat /ran",
    ]
    assert "OnBuild" not in dish.config
    assert "T=1" in dish.config["Env"]
    again = kitchen.build("FROM busybox AS a\nONBUILD RUN echo s > /s\nFROM a AS b\nFROM b\nRUN test -e /s")
    assert [step for step in again.steps if "ONBUILD" in step] == ["ONBUILD RUN echo s > /s"]


MOUNTS = """FROM busybox AS tools
RUN mkdir /t && echo tool > /t/tool
FROM busybox
RUN --mount=type=bind,target=/ctx cat /ctx/src/a; ls /ctx; ! touch /ctx/x 2>/dev/null
RUN --mount=type=bind,source=src,target=/rw,rw echo changed > /rw/a; cat /rw/a
RUN --mount=type=bind,source=src/a,target=/file cat /file
RUN --mount=type=bind,from=tools,source=/t,target=/t cat /t/tool
RUN --mount=type=bind,from=tools,target=/t,rw rm /t/t/tool && ls /t/t | wc -l
RUN --mount=type=tmpfs,target=/fast,size=1m df /fast | tail -1 | tr -s ' ' | cut -d' ' -f2; touch /fast/gone
RUN --mount=type=secret,id=s cat /run/secrets/s; stat -c ' %a %u' /run/secrets/s
RUN --mount=type=secret,id=s,target=/deep/er/x,mode=0444 cat /deep/er/x
RUN --mount=type=secret,id=e,env=SPICE_OF_LIFE echo " $SPICE_OF_LIFE"
RUN --mount=type=secret,id=missing ls /run/secrets 2>&1 | wc -l
"""


def test_mounts_of_commands(kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen.write("src/a", "in context\n")
    kitchen.write("ignored", "no")
    kitchen.write(".dockerignore", "ignored\n.dockerignore")
    secret = tmp_path / "secret"
    secret.write_text("sugar")
    monkeypatch.setenv("SPICE", "cinnamon")
    dish = kitchen.build(MOUNTS, secrets={"s": (str(secret),), "e": ("", "SPICE")})
    assert dish.told.text("RUN").split("\n") == [
        "in context", "Dockerfile", "src", "changed", "in context", "tool", "0", "1024", "sugar 400 0",
        "sugar cinnamon", "1", "",
    ]  # fmt: skip
    assert (kitchen.context / "src/a").read_text() == "in context\n"
    assert len(dish.image.config.diff_ids) == 1  # none of them left anything
    stored = [path for path in Path(kitchen.root.path).rglob("*") if path.is_file() and path.stat().st_size < 1 << 22]
    assert not [path for path in stored if b"sugar" in path.read_bytes() or b"cinnamon" in path.read_bytes()]
    assert kitchen.leftovers() == []


def test_a_required_secret_has_to_be_given(kitchen: Kitchen) -> None:
    line = "RUN --mount=type=secret,id=s,required x"
    kitchen.fails(f"FROM busybox\n{line}", DockerfileError, "Dockerfile:2: the secret 's'")


def test_caches_outlive_builds_and_never_become_layers(kitchen: Kitchen) -> None:
    line = "FROM busybox\nRUN --mount=type=cache,target=/c,id=c{} echo x >> /c/n; wc -l < /c/n"
    first = kitchen.build(line.format(",mode=0700,uid=5"))
    again = kitchen.build(line.format(",mode=0700,uid=5"), no_cache=True)
    locked = kitchen.build(line.format(",sharing=locked"))
    assert [dish.told.text("RUN").strip() for dish in (first, again, locked)] == ["1", "2", "3"]
    assert "c" not in first.tree()
    seeded = "RUN --mount=type=cache,from=s,source=/d,target=/c cat /c/f"
    dish = kitchen.build(f"FROM busybox AS s\nRUN mkdir /d && echo seed > /d/f\nFROM busybox\n{seeded}")
    assert dish.told.text("cat /c/f") == "seed\n"


def test_another_platform_is_built_as_long_as_nothing_has_to_run(kitchen: Kitchen) -> None:
    kitchen.write("f")
    other = Platform("linux", "s390x")
    dish = kitchen.build("FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH", platform=other)
    assert (dish.image.config.platform.architecture, "s390x" in dish.tree()) == ("s390x", True)
    kitchen.fails("FROM scratch\nCOPY f /\nRUN x", BuildError, "Dockerfile:3: .*s390x", platform=other)


def test_variables_of_commands_are_the_shells_business_and_others_are_told_with_their_line(kitchen: Kitchen) -> None:
    kitchen.fails("FROM busybox\nRUN echo ${X", StepFailed, "Dockerfile:2")
    kitchen.fails("FROM busybox\nENV A=${X:?missing}", DockerfileError, "Dockerfile:2: X: missing")
