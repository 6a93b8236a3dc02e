"""Platforms: spellings and choice, by containerd's rules."""

from __future__ import annotations

import posix

import pytest

from hardtack.oci import platform as module
from hardtack.oci.descriptor import Descriptor
from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidPlatform, NoMatchingPlatform
from hardtack.oci.mediatypes import OCI_MANIFEST
from hardtack.oci.platform import Platform, choose, choose_one, host


def entry(text: str | None, **more: object) -> Descriptor:
    """An index entry whose digest is made from its platform, so that results can be named by platform."""
    platform = None if text is None else Platform(*text.split("/"), **more)  # type: ignore[arg-type]
    return Descriptor(OCI_MANIFEST, Digest.of(repr((text, more)).encode()), 1, platform)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/i386", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("macos/arm64", "darwin/arm64"),
        ("windows/amd64", "windows/amd64"),
        ("arm64", "linux/arm64"),
        ("armhf", "linux/arm/v7"),
        ("s390x", "linux/s390x"),
        ("plan10/mine", "plan10/mine"),
    ],
)
def test_spellings_become_one(text: str, canonical: str) -> None:
    platform = Platform.parse(text)
    assert str(platform) == canonical
    assert Platform.parse(str(platform)) == platform
    assert Platform.from_json(platform.to_json()) == platform


def test_an_operating_system_alone_takes_this_machine_s_architecture() -> None:
    assert Platform.parse("linux") == host()
    assert Platform.parse("freebsd").architecture == host().architecture


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "/amd64", "a/b/c/d", "vax", "linux/a b", "linux/\n", "x" * 99, None]
)
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("wanted", "offered", "order"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64", "linux/386"], ["linux/amd64", "linux/386"]),
        ("linux/amd64", ["linux/amd64/v2"], []),
        ("linux/amd64", ["linux/amd64/v1"], ["linux/amd64/v1"]),
        (
            "linux/amd64/v3",
            ["linux/386", "linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4"],
            ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"],
        ),
        (
            "linux/arm/v7",
            ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8", "linux/arm", "linux/arm64"],
            ["linux/arm", "linux/arm/v6", "linux/arm/v5"],
        ),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], ["linux/arm/v5"]),
        (
            "linux/arm64",
            ["linux/arm/v7", "linux/arm64/v8", "linux/arm/v8", "linux/amd64"],
            ["linux/arm64/v8", "linux/arm/v8", "linux/arm/v7"],
        ),
        ("linux/arm64", ["linux/arm64/v9"], []),
        ("linux/arm64/v9", ["linux/arm64", "linux/arm64/v9"], ["linux/arm64/v9", "linux/arm64"]),
        ("linux/riscv64", ["linux/amd64", "linux/riscv64"], ["linux/riscv64"]),
        ("linux/amd64", ["windows/amd64", "unknown/unknown", "/"], []),
        ("linux/amd64", [None, "linux/amd64"], ["linux/amd64", None]),
        ("linux/amd64", [], []),
    ],
)
def test_the_best_match_comes_first(wanted: str, offered: list[str | None], order: list[str | None]) -> None:
    entries = {text: entry(text) for text in offered}
    assert choose(entries.values(), Platform.parse(wanted)) == [entries[text] for text in order]


def test_equals_keep_the_order_of_the_index() -> None:
    first, second = entry("linux/amd64", os_version="1"), entry("linux/amd64", os_version="2")
    assert choose([first, second], Platform.parse("linux/amd64")) == [first, second]
    assert choose([second, first], Platform.parse("linux/amd64")) == [second, first]


def test_features_and_versions_that_do_not_fit_rule_an_entry_out() -> None:
    special = entry("linux/amd64", os_features=("gpu",))
    assert choose([special], Platform.parse("linux/amd64")) == []
    assert choose([special], Platform("linux", "amd64", os_features=("gpu", "more"))) == [special]
    old = entry("windows/amd64", os_version="10.0.1")
    assert choose([old], Platform("windows", "amd64", os_version="10.0.2")) == []
    assert choose([old], Platform("windows", "amd64")) == [old]


def test_no_match_says_what_was_wanted_and_what_is_there() -> None:
    with pytest.raises(NoMatchingPlatform) as caught:
        choose_one([entry("linux/arm64"), entry("unknown/unknown")], Platform.parse("linux/s390x"), "nginx:1")
    assert str(caught.value) == (
        "no matching manifest for linux/s390x: nginx:1 offers linux/arm64. Choose one of them with --platform."
    )


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("i686", "linux/386"),
        ("riscv64", "linux/riscv64"),
        ("ppc64le", "linux/ppc64le"),
        ("s390x", "linux/s390x"),
        ("loongarch64", "linux/loong64"),
        ("mips64", "linux/mips64le"),
        ("mips", "linux/mipsle"),
    ],
)
def test_the_host_is_named_from_uname(machine: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = posix.uname()
    monkeypatch.setattr(posix, "uname", lambda: posix.uname_result((*real[:4], machine)))
    assert str(module.host()) == expected


@pytest.mark.parametrize(
    "value", [{"os": 7}, {"architecture": ["amd64"]}, {"os.features": "x"}, {"os.features": [1]}, {"os": "x" * 300}]
)
def test_ill_typed_json_is_a_refusal(value: dict[str, object]) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.from_json(value)
