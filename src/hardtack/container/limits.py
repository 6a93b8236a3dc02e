"""Limits that are refused before there is a container: outside of their range, or more than this host has.

The OCI runtime would say the same in the kernel's words, after everything else was done. Sentences that scripts may
look for are docker's. Imported only where such a limit is asked for.
"""

from __future__ import annotations

import os

from hardtack.container.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_CPUSET = "/sys/fs/cgroup/cpuset/cpuset.effective_{0}", "/sys/fs/cgroup/cpuset.{0}.effective"
_SMALLEST, _LARGEST = 1000, 1_000_000
_HIGHEST_CPU = 8192


def check(host_config: dict[str, Any]) -> None:
    """See that the limits can be kept on this host.

    Raises:
        InvalidOption: one cannot.
    """
    _check_times(host_config, len(os.sched_getaffinity(0)))
    swappiness = host_config.get("MemorySwappiness")
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidOption(
            "--memory-swappiness", swappiness, f"invalid value: {swappiness}, valid memory swappiness range is 0-100"
        )
    check_set("--cpuset-cpus", host_config.get("CpusetCpus") or "", available("cpus"), "Requested CPUs are")
    check_set("--cpuset-mems", host_config.get("CpusetMems") or "", available("mems"), "Requested memory nodes are")


def _check_times(host_config: dict[str, Any], processors: int) -> None:
    nano, period, quota = (host_config.get(key) or 0 for key in ("NanoCpus", "CpuPeriod", "CpuQuota"))
    if nano and not 10_000_000 <= nano <= processors * 1_000_000_000:
        only = "there is only 1 CPU" if processors == 1 else f"there are only {processors} CPUs"
        raise InvalidOption(
            "--cpus", f"{nano / 1e9:g}", f"range of CPUs is from 0.01 to {processors}.00, as {only} available"
        )
    if period and not _SMALLEST <= period <= _LARGEST:
        raise InvalidOption(
            "--cpu-period",
            period,
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        )
    if 0 < quota < _SMALLEST:
        raise InvalidOption("--cpu-quota", quota, "CPU cfs quota can not be less than 1ms (i.e. 1000)")


def check_set(option: str, text: str, here: str, what: str) -> None:
    """See that a list such as "0-2,4" can be read and lies within another one.

    Args:
        here: what there is, in the same form; "" when nobody knows.
        what: the beginning of the sentence when it does not.
    Raises:
        InvalidOption.
    """
    if not text:
        return
    wanted = numbers(text)
    if wanted is None:
        kind = option.removeprefix("--cpuset-")
        raise InvalidOption(option, text, f"Invalid value {text} for cpuset {kind}", "Write it like 0-2,4")
    held = numbers(here)
    if held and not wanted <= held:
        raise InvalidOption(option, text, f"{what} not available - requested {text}, available: {here}")


def numbers(text: str) -> set[int] | None:
    """The numbers of a list such as "0-2,4"; None when it is none."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        ends = [first, last] if dash else [first]
        if not _are_numbers(ends):
            return None
        low, high = int(ends[0]), int(ends[-1])
        if low > high:
            return None
        found.update(range(low, high + 1))
    return found


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _HIGHEST_CPU for text in texts)


def available(kind: str) -> str:
    """What of "cpus" or "mems" the host gives to control groups, "" when it does not say."""
    for form in _CPUSET:
        try:
            with open(form.format(kind), encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            continue
    return ""
