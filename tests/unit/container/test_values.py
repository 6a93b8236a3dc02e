"""Values of single flags, by tables."""

from __future__ import annotations

from typing import Any

import pytest

from hardtack.container import names, values
from hardtack.container.errors import InvalidName, InvalidOption, Unsupported
from hardtack.container.jsonlog import log_limits
from hardtack.container.keys import Keys, parse_keys


@pytest.mark.parametrize(
    ("text", "soft", "hard"),
    [("nofile=10", 10, 10), ("nofile=10:20", 10, 20), ("core=unlimited", -1, -1), ("nofile=10:-1", 10, -1)],
)
def test_ulimits(text: str, soft: int, hard: int) -> None:
    assert values.ulimits([text]) == [{"Name": text.partition("=")[0], "Soft": soft, "Hard": hard}]


@pytest.mark.parametrize(
    "text", ["nofile", "nofile=", "nofile=x", "nofile=20:10", "nofile=-1:10", "=5", "nofile=1:2:3"]
)
def test_ulimits_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        values.ulimits([text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/dev/a", ("/dev/a", "/dev/a", "rwm")),
        ("/dev/a:/dev/b", ("/dev/a", "/dev/b", "rwm")),
        ("/dev/a:r", ("/dev/a", "/dev/a", "r")),
        ("/dev/a:/dev/b:rw", ("/dev/a", "/dev/b", "rw")),
    ],
)
def test_devices(text: str, expected: tuple[str, str, str]) -> None:
    assert tuple(values.device(text).values()) == expected


@pytest.mark.parametrize("text", ["", "/dev/a:/b:x", "/dev/a:b", "/a:/b:rr", "a:b:c:d", "/a:/b:"])
def test_devices_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        values.device(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"Name": "no", "MaximumRetryCount": 0}),
        ("always", {"Name": "always", "MaximumRetryCount": 0}),
        ("on-failure:5", {"Name": "on-failure", "MaximumRetryCount": 5}),
    ],
)
def test_restart_policies(text: str, expected: dict[str, Any]) -> None:
    assert values.restart_policy(text) == expected


@pytest.mark.parametrize("text", ["sometimes", "always:3", "on-failure:x", "on-failure:-1"])
def test_restart_policies_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        values.restart_policy(text)


def test_environment_takes_ours_by_name_and_leaves_out_what_we_have_not() -> None:
    assert values.environment(["A=1", "B", "C", "D="], {"B": "2"}) == ["A=1", "B=2", "D="]
    with pytest.raises(InvalidOption):
        values.environment(["=x"], {})


def test_files_of_variables_have_comments_and_no_white_space_in_names() -> None:
    assert values.env_file("\ufeff# no\n\n  A=b c \nB\nC=\n", "f") == ["A=b c ", "B", "C="]
    with pytest.raises(InvalidOption):
        values.env_file("a b=c\n", "f")


@pytest.mark.parametrize(
    ("size", "expected"), [("10k", 10 << 10), ("1m", 1 << 20), ("2g", 2 << 30), ("5", 5), ("-1", -1), ("7kb", 7 << 10)]
)
def test_sizes_of_logs(size: str, expected: int) -> None:
    assert log_limits({"max-size": size, "max-file": "2"}) == (expected, 2)


@pytest.mark.parametrize(
    "options", [{"max-size": "x"}, {"max-size": "0"}, {"max-file": "0"}, {"max-file": "a"}, {"max-size": ""}]
)
def test_sizes_of_logs_that_are_none(options: dict[str, str]) -> None:
    with pytest.raises(InvalidOption):
        log_limits(options)


def test_a_log_is_bounded_when_nothing_is_said() -> None:
    assert log_limits({}) == (10 << 20, 3)


@pytest.mark.parametrize(
    ("driver", "options"), [("syslog", []), ("json-file", ["labels=x"]), ("none", ["max-size=1m"])]
)
def test_log_drivers_and_options_that_are_not_there_are_refused(driver: str, options: list[str]) -> None:
    with pytest.raises(Unsupported):
        values.log_config(driver, options)


@pytest.mark.parametrize(
    "text", ["kernel.panic=1", "vm.swappiness=1", "net.ipv4.ip_forward", "kernel.shm_rmid_forced.x"]
)
def test_settings_of_the_entire_host_are_refused(text: str) -> None:
    if text.startswith("kernel.shm"):
        assert values.sysctls([text + "=1"], "bridge", "private")
        return
    with pytest.raises(InvalidOption):
        values.sysctls([text], "bridge", "private")


def test_settings_of_a_namespace_that_is_the_hosts_are_refused() -> None:
    with pytest.raises(InvalidOption):
        values.sysctls(["net.core.somaxconn=1"], "host", "private")
    with pytest.raises(InvalidOption):
        values.sysctls(["kernel.msgmax=1"], "bridge", "host")


@pytest.mark.parametrize("text", ["nonsense", "seccomp", "no-new-privileges=maybe"])
def test_security_options_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        values.security_options([text])


@pytest.mark.parametrize("text", ["apparmor=mine", "label=type:x", "writable-cgroups=true"])
def test_security_options_that_are_not_there(text: str) -> None:
    with pytest.raises(Unsupported):
        values.security_options([text])


@pytest.mark.parametrize(
    ("text", "expected"), [("ctrl-p,ctrl-q", b"\x10\x11"), ("a,b", b"ab"), ("ctrl-@", b"\x00"), ("", b"")]
)
def test_detach_keys(text: str, expected: bytes) -> None:
    assert parse_keys(text) == expected


@pytest.mark.parametrize("text", ["ctrl-", "ab", "ctrl-1", "a,,b", "é"])
def test_detach_keys_that_are_none(text: str) -> None:
    with pytest.raises(InvalidOption):
        parse_keys(text)


@pytest.mark.parametrize(
    ("typed", "passed", "detached"),
    [
        ([b"ab"], b"ab", False),
        ([b"a\x10\x11b"], b"a", True),
        ([b"a\x10", b"\x11"], b"a", True),
        ([b"\x10x"], b"\x10x", False),
        ([b"\x10", b"\x10\x11"], b"\x10", True),
    ],
)
def test_detach_keys_are_found_across_pieces(typed: list[bytes], passed: bytes, detached: bool) -> None:
    keys, out, found = Keys(b"\x10\x11"), b"", False
    for piece in typed:
        data, found = keys.feed(piece)
        out += data
    assert (out, found) == (passed, detached)


@pytest.mark.parametrize("name", ["web", "a1", "A_b.c-d", "/web"])
def test_names(name: str) -> None:
    assert names.check_name(name) == name.lstrip("/")


@pytest.mark.parametrize("name", ["", "a", "-a", "a b", "a/b", "é1", ".a", "a\n", "//a"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidName):
        names.check_name(name)


def test_random_names_are_names_and_ids_do_not_read_as_numbers() -> None:
    for _ in range(200):
        assert names.check_name(names.new_name())
        ident = names.new_id()
        assert len(ident) == 64 and not ident[:12].isdigit()
