"""config.json as a function of a document and what was looked up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hardtack.container import spec as rules
from hardtack.container.capabilities import NAMES
from hardtack.container.errors import InvalidOption, Unsupported
from hardtack.container.host import Host
from hardtack.container.resources import resources, rlimits
from hardtack.container.spec import Placed, environment, make_spec, render
from hardtack.container.users import User

ROOT = User(0, 0, [0, 10], "/root", "root")


def host(layout: str = "v1", swap: bool = True, held: int = (1 << len(NAMES)) - 1) -> Host:
    return Host("x86_64", layout, held, swap, (), {"nofile": (1024, 4096), "core": (0, -1)}.get)


def spec(
    host_config: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **placed: Any
) -> dict[str, Any]:
    given = {"Cmd": ["sh"], **(config or {})}
    place = Placed("/rootfs", placed.pop("user", ROOT), "/hardtack-x/id", hostname="oven", **placed)
    return make_spec(given, host_config or {}, place, host())


def mount(value: dict[str, Any], destination: str) -> dict[str, Any]:
    found = [entry for entry in value["mounts"] if entry["destination"] == destination]
    assert len(found) == 1
    return found[0]


def test_the_defaults_are_those_of_docker() -> None:
    value = spec()
    assert value["linux"]["maskedPaths"] == list(rules.MASKED)
    assert value["linux"]["readonlyPaths"] == list(rules.READ_ONLY)
    assert value["process"]["noNewPrivileges"] is False
    assert value["process"]["user"] == {"uid": 0, "gid": 0, "additionalGids": [0, 10]}
    assert value["process"]["cwd"] == "/"
    assert value["hostname"] == "oven"
    assert {item["type"] for item in value["linux"]["namespaces"]} == {"mount", "network", "uts", "pid", "ipc"}
    assert "ro" in mount(value, "/sys")["options"] and "ro" in mount(value, "/sys/fs/cgroup")["options"]


def test_labels_and_annotations_never_reach_it() -> None:
    text = json.dumps(spec(config={"Labels": {"run.oci.handler": "krun"}}))
    assert "krun" not in text and "annotations" not in text


def test_entrypoint_and_command_are_one_command_line() -> None:
    assert spec(config={"Entrypoint": ["a", "b"], "Cmd": ["c"]})["process"]["args"] == ["a", "b", "c"]


def test_privileged_opens_everything() -> None:
    value = spec({"Privileged": True})
    assert value["linux"]["maskedPaths"] == value["linux"]["readonlyPaths"] == []
    assert value["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert "rw" in mount(value, "/sys")["options"]
    assert value["process"]["capabilities"]["effective"] == NAMES
    assert rules.seccomp_option({"Privileged": True}) == "unconfined"


def test_joined_namespaces_have_a_path_and_those_of_the_host_are_left_out() -> None:
    value = spec(namespaces={"network": "/proc/1/ns/net", "pid": "", "ipc": ""})
    kinds = {item["type"]: item.get("path") for item in value["linux"]["namespaces"]}
    assert kinds == {"mount": None, "network": "/proc/1/ns/net", "uts": None}
    assert mount(value, "/dev/shm")["type"] == "bind"


def test_the_hosts_network_keeps_its_settings() -> None:
    assert spec(namespaces={"network": ""})["linux"]["sysctl"] == {}
    assert "net.ipv4.ping_group_range" in spec()["linux"]["sysctl"]


def test_a_volume_takes_the_place_of_a_default_and_parents_come_first() -> None:
    own = {"destination": "/dev/shm", "type": "tmpfs", "source": "tmpfs", "options": []}
    deep = {"destination": "/etc/hosts/x", "type": "bind", "source": "/x", "options": []}
    value = spec(mounts=[deep, own], files=[("/etc/hosts", "/run/hosts")])
    assert mount(value, "/dev/shm") is own
    order = [entry["destination"] for entry in value["mounts"]]
    assert order.index("/etc/hosts") < order.index("/etc/hosts/x") and order.index("/dev") < order.index("/dev/shm")


def test_cgroup_namespaces_are_private_on_v2() -> None:
    place = Placed("/rootfs", ROOT, "/g")
    value = make_spec({"Cmd": ["x"]}, {}, place, host("v2"))
    assert {"type": "cgroup"} in value["linux"]["namespaces"]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("no-new-privileges", True),
        ("no-new-privileges=true", True),
        ("no-new-privileges:false", False),
        ("seccomp=x", False),
    ],
)
def test_no_new_privileges_is_read_in_every_spelling(option: str, expected: bool) -> None:
    assert rules.no_new_privileges({"SecurityOpt": [option]}) is expected


def test_the_environment_has_dockers_order_and_later_values_win() -> None:
    assert environment(["A=1", "PATH=/x", "A=2", "bare"], "oven", True, "/home") == [
        "PATH=/x",
        "HOSTNAME=oven",
        "TERM=xterm",
        "A=2",
        "HOME=/home",
    ]


def test_the_profile_is_spliced_in_as_text_even_when_values_look_like_the_mark() -> None:
    value = spec(config={"Env": ['X="seccomp":"@seccomp@"']})
    text = render(value, '{"defaultAction":"SCMP_ACT_ERRNO"}', "QUJD")
    parsed = json.loads(text)
    assert parsed["linux"]["seccomp"] == {"defaultAction": "SCMP_ACT_ERRNO"}
    assert parsed["annotations"] == {"run.oci.seccomp_bpf_data": "QUJD"}
    assert 'X="seccomp":"@seccomp@"' in parsed["process"]["env"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"Memory": 64 << 20}, {"memory": {"limit": 64 << 20, "swap": 128 << 20}}),
        ({"Memory": 64 << 20, "MemorySwap": -1}, {"memory": {"limit": 64 << 20, "swap": -1}}),
        ({"Memory": 64 << 20, "MemorySwap": 64 << 20}, {"memory": {"limit": 64 << 20, "swap": 64 << 20}}),
        ({"NanoCpus": 1_500_000_000}, {"cpu": {"period": 100_000, "quota": 150_000}}),
        ({"CpuShares": 512, "CpusetCpus": "0-1"}, {"cpu": {"shares": 512, "cpus": "0-1"}}),
        ({"PidsLimit": 10}, {"pids": {"limit": 10}}),
        ({"PidsLimit": -1}, {}),
        ({"BlkioWeight": 300}, {"blockIO": {"weight": 300}}),
        ({}, {}),
    ],
)
def test_limits_become_resources(given: dict[str, Any], expected: dict[str, Any]) -> None:
    value = resources(given, host(), [])
    del value["devices"]
    assert value == expected


@pytest.mark.parametrize(
    "given",
    [
        {"Memory": 1 << 20},
        {"MemorySwap": 64 << 20},
        {"Memory": 64 << 20, "MemorySwap": 32 << 20},
        {"Memory": 64 << 20, "MemoryReservation": 128 << 20},
        {"NanoCpus": 1, "CpuQuota": 1},
    ],
)
def test_limits_that_contradict_each_other_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        resources(given, host(), [])


def test_a_limit_that_the_kernel_cannot_keep_is_refused_and_the_implied_one_left_out() -> None:
    with pytest.raises(Unsupported):
        resources({"Memory": 64 << 20, "MemorySwap": 64 << 20}, host(swap=False), [])
    assert "swap" not in resources({"Memory": 64 << 20}, host(swap=False), [])["memory"]


@pytest.mark.parametrize(
    ("soft", "hard", "held", "expected"),
    [
        (10, 20, 0, (10, 20)),
        (9999, 9999, 0, (4096, 4096)),
        (-1, -1, 0, (4096, 4096)),
        (9999, 9999, 1 << 24, (9999, 9999)),
    ],
)
def test_rlimits_are_lowered_to_ours_where_we_may_not_raise(
    soft: int, hard: int, held: int, expected: tuple[int, int]
) -> None:
    found = rlimits([{"Name": "nofile", "Soft": soft, "Hard": hard}], host(held=held))
    assert found == [{"type": "RLIMIT_NOFILE", "soft": expected[0], "hard": expected[1]}]


def test_an_unknown_rlimit_is_refused() -> None:
    with pytest.raises(InvalidOption):
        rlimits([{"Name": "nonsense", "Soft": 1, "Hard": 1}], host())


def test_further_devices_are_allowed_with_what_was_asked() -> None:
    device = {
        "path": "/dev/x",
        "type": "c",
        "major": 9,
        "minor": 8,
        "access": "r",
        "fileMode": 0o660,
        "uid": 0,
        "gid": 0,
    }
    value = spec(devices=[device])
    assert value["linux"]["resources"]["devices"][-1] == {
        "allow": True,
        "type": "c",
        "major": 9,
        "minor": 8,
        "access": "r",
    }
    assert "access" not in value["linux"]["devices"][0]
