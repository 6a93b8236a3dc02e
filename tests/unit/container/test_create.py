"""From flags to a request, and from a request and an image to a document."""

from __future__ import annotations

from typing import Any

import pytest

from hardtack.cli.commands.run import COMMAND
from hardtack.cli.parse import parse
from hardtack.container.body import LATER, Read, make_body
from hardtack.container.create import merge
from hardtack.container.errors import ContainerError, InvalidOption, Unsupported


def body(*words: str) -> dict[str, Any]:
    args = parse(COMMAND, [*words, "busybox", "sh"])
    return make_body(args, Read(), args.args[0], args.args[1:])


@pytest.mark.parametrize(
    ("words", "path", "expected"),
    [
        (["-e", "A=1", "-e", "B=2"], "Env", ["A=1", "B=2"]),
        (["-i"], "StdinOnce", True),
        (["-di"], "StdinOnce", False),
        (["-di"], "OpenStdin", True),
        (["-t"], "Tty", True),
        (["-u", "1:2"], "User", "1:2"),
        (["-w", "/x"], "WorkingDir", "/x"),
        (["-l", "a=b", "-l", "c"], "Labels", {"a": "b", "c": ""}),
        (["--entrypoint", "x"], "Entrypoint", ["x"]),
        (["--entrypoint", ""], "Entrypoint", [""]),
        (["-p", "80:8080"], "ExposedPorts", {"8080/tcp": {}}),
        (["--expose", "53/udp"], "ExposedPorts", {"53/udp": {}}),
        (["-m", "64m"], "HostConfig.Memory", 64 << 20),
        (["--cpus", "1.5"], "HostConfig.NanoCpus", 1_500_000_000),
        (["--rm"], "HostConfig.AutoRemove", True),
        (["--network", "none"], "HostConfig.NetworkMode", "none"),
        (["-v", "./x:/y"], "HostConfig.Binds", ["/x:/y"]),
        (["-v", "data:/y:ro"], "HostConfig.Binds", ["data:/y:ro"]),
        (["--tmpfs", "/t:size=1m"], "HostConfig.Tmpfs", {"/t": "size=1m"}),
        (
            ["-p", "127.0.0.1:80:8080"],
            "HostConfig.PortBindings",
            {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]},
        ),
        (["--add-host", "a:1.2.3.4"], "HostConfig.ExtraHosts", ["a:1.2.3.4"]),
        (["--dns", "1.1.1.1"], "HostConfig.Dns", ["1.1.1.1"]),
        (["--cap-add", "net_admin"], "HostConfig.CapAdd", ["CAP_NET_ADMIN"]),
        (["--restart", "on-failure:2"], "HostConfig.RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 2}),
        (["--no-healthcheck"], "Healthcheck", {"Test": ["NONE"]}),
    ],
)
def test_a_flag_lands_where_docker_keeps_it(words: list[str], path: str, expected: Any) -> None:
    value: Any = body(*words)
    for key in path.split("."):
        value = value[key]
    assert value == expected


@pytest.mark.parametrize("attribute", sorted(LATER))
def test_what_is_not_there_is_refused_by_its_name(attribute: str) -> None:
    flag = "--" + attribute.replace("_", "-")
    with pytest.raises(Unsupported) as caught:
        body(flag, "x")
    assert flag in str(caught.value) and caught.value.exit_code == 125


@pytest.mark.parametrize(
    "words",
    [
        ["--rm", "--restart", "always"],
        ["-d", "-a", "stdout"],
        ["-a", "nonsense"],
        ["--stop-signal", "NONSENSE"],
        ["-w", "relative"],
        ["--cpu-shares", "-1"],
        ["--blkio-weight", "5"],
        ["--oom-score-adj", "5000"],
        ["--pid", "nonsense"],
        ["--ipc", "container:x"],
        ["--uts", "x"],
        ["--userns", "keep-id"],
        ["--init"],
        ["--health-interval", "3s"],
        ["--memory", "-1"],
        ["-v", "a:b:c:d"],
        ["-p", "x"],
        ["--dns", "name"],
        ["--tmpfs", "relative"],
    ],
)
def test_what_has_no_meaning_is_refused(words: list[str]) -> None:
    with pytest.raises(ContainerError if words[0] not in ("-v", "-p", "--dns", "--tmpfs") else Exception):
        body(*words)


IMAGE = {
    "Env": ["PATH=/bin", "A=image"],
    "Cmd": ["serve"],
    "Entrypoint": ["/entry"],
    "WorkingDir": "/srv",
    "User": "app",
    "Labels": {"from": "image", "kept": "1"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "INT",
    "Healthcheck": {"Test": ["CMD", "x"], "Retries": 3},
}


@pytest.mark.parametrize(
    ("own", "entrypoint", "command"),
    [
        ({}, ["/entry"], ["serve"]),
        ({"Cmd": ["other"]}, ["/entry"], ["other"]),
        ({"Entrypoint": ["/own"]}, ["/own"], None),
        ({"Entrypoint": ["/own"], "Cmd": ["x"]}, ["/own"], ["x"]),
        ({"Entrypoint": [""]}, None, None),
        ({"Entrypoint": [""], "Cmd": ["x"]}, None, ["x"]),
        ({"Entrypoint": []}, None, ["serve"]),
    ],
)
def test_commands_merge_as_dockers_do(own: dict[str, Any], entrypoint: Any, command: Any) -> None:
    merged = merge(own, IMAGE)
    assert (merged["Entrypoint"], merged["Cmd"]) == (entrypoint, command)


def test_the_rest_of_an_image_is_a_default() -> None:
    merged = merge({"Env": ["A=own"], "Labels": {"from": "own"}, "ExposedPorts": {"1/udp": {}}, "User": "me"}, IMAGE)
    assert merged["Env"] == ["A=own", "PATH=/bin"]
    assert merged["Labels"] == {"from": "own", "kept": "1"}
    assert merged["ExposedPorts"] == {"80/tcp": {}, "1/udp": {}}
    assert (merged["User"], merged["WorkingDir"], merged["StopSignal"]) == ("me", "/srv", "INT")
    assert merged["Healthcheck"]["Retries"] == 3
    assert merge({"Healthcheck": {"Test": ["NONE"]}}, IMAGE)["Healthcheck"]["Test"] == ["NONE"]


def test_a_nul_in_the_environment_is_refused() -> None:
    from hardtack.container.create import _refuse_nul

    with pytest.raises(InvalidOption):
        _refuse_nul(merge({"Env": ["A=\0"], "Cmd": ["x"]}, {}))
