"""The seccomp profile as a rule on plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hardtack.container import seccomp
from hardtack.container.capabilities import DEFAULT, NAMES
from hardtack.container.errors import InvalidOption
from hardtack.container.seccomp import Cached, from_moby, section

DATA: dict[str, Any] = json.loads(Path(seccomp._DATA).read_text())
DANGEROUS = (  # noqa: SIM905  words to read
    "keyctl add_key request_key bpf userfaultfd io_uring_setup io_uring_enter kexec_load swapon mount umount2 setns "
    "unshare init_module pivot_root nfsservctl vm86 uselib ustat create_module acct settimeofday open_by_handle_at"
).split()


def allowed(profile: dict[str, Any], call: str, *arguments: int) -> bool:
    """What the kernel would decide: the first rule that fits in any order allows."""
    for rule in profile["syscalls"]:
        if call not in rule["names"] or rule["action"] != "SCMP_ACT_ALLOW":
            continue
        if all(fits(test, arguments) for test in rule.get("args", ())):
            return True
    return False


def fits(test: dict[str, Any], arguments: tuple[int, ...]) -> bool:
    value = arguments[test["index"]]
    if test["op"] == "SCMP_CMP_EQ":
        return value == int(test["value"])
    assert test["op"] == "SCMP_CMP_MASKED_EQ"
    return value & int(test["value"]) == int(test["valueTwo"])


@pytest.mark.parametrize("machine", sorted(DATA["architectures"]))
def test_dangerous_calls_are_refused_on_every_architecture(machine: str) -> None:
    profile = section(DEFAULT, machine, DATA)
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert [call for call in DANGEROUS if allowed(profile, call)] == []


@pytest.mark.parametrize("call", ["read", "openat", "execve", "clone3", "futex", "epoll_wait", "chroot", "ptrace"])
def test_everyday_calls_are_decided_as_dockers(call: str) -> None:
    assert allowed(section(DEFAULT, "x86_64", DATA), call) is (call != "clone3")


@pytest.mark.parametrize(
    ("family", "expected"),
    [(1, True), (2, True), (10, True), (16, True), (17, True), (38, False), (40, False), (99, False)],
)
def test_sockets_are_decided_by_their_family(family: int, expected: bool) -> None:
    assert allowed(section(DEFAULT, "x86_64", DATA), "socket", family) is expected


def test_the_way_around_families_is_closed() -> None:
    profile = section(NAMES, "x86_64", DATA)
    assert not allowed(profile, "socketcall")


def test_new_namespaces_need_the_capability() -> None:
    plain, admin = section(DEFAULT, "x86_64", DATA), section([*DEFAULT, "CAP_SYS_ADMIN"], "x86_64", DATA)
    assert allowed(plain, "clone", 0x11) and not allowed(plain, "clone", 0x10000000)
    assert allowed(admin, "clone", 0x10000000) and allowed(admin, "clone3") and allowed(admin, "mount")


def test_a_call_that_may_fall_back_fails_with_enosys() -> None:
    rules = section(DEFAULT, "x86_64", DATA)["syscalls"]
    assert {"names": ["clone3", "socketcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38} in rules


def test_the_arguments_of_clone_are_in_another_order_on_s390() -> None:
    rule = next(rule for rule in section(DEFAULT, "s390x", DATA)["syscalls"] if rule["names"] == ["clone"])
    assert rule["args"][0]["index"] == 1


def test_the_capabilities_that_matter_are_those_of_the_data() -> None:
    assert set(seccomp.RELEVANT) == set(DATA["allow_with_capability"])


def test_the_kept_text_is_the_rules_and_differs_by_capability(tmp_path: Path) -> None:
    plain, other = Cached(str(tmp_path), DEFAULT), Cached(str(tmp_path), [*DEFAULT, "CAP_SYS_ADMIN"])
    first = plain.text()
    assert json.loads(first)["syscalls"] and plain.text() == first != other.text()
    assert Cached(str(tmp_path), [*DEFAULT, "CAP_CHOWN"]).text() == first, "what does not matter makes no other file"


def test_a_moby_profile_is_filtered_by_capability_and_architecture() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["a"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["b"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["c"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_CHOWN"]}},
            {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
            {"name": "e", "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
        ],
    }
    value = from_moby(profile, DEFAULT, "x86_64")
    assert [rule["names"] for rule in value["syscalls"]] == [["a"], ["e"]]
    assert value["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


@pytest.mark.parametrize("profile", [[], {}, {"defaultAction": 1}, "text"])
def test_what_is_no_profile_is_refused(profile: Any) -> None:
    with pytest.raises(InvalidOption):
        from_moby(profile, DEFAULT, "x86_64")
