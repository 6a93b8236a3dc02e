"""Limits that a host cannot keep, or that mean nothing, are refused with docker's sentences."""

from __future__ import annotations

import os
from typing import Any

import pytest

from hardtack.container import limits
from hardtack.container.errors import InvalidOption


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with two processors and one memory node."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(limits, "available", {"cpus": "0-1", "mems": "0"}.__getitem__)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"NanoCpus": 99 * 10**9}, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"NanoCpus": 10**6}, "range of CPUs is from 0.01 to 2.00"),
        ({"CpusetCpus": "a"}, "Invalid value a for cpuset cpus"),
        ({"CpusetCpus": "1-0"}, "Invalid value 1-0 for cpuset cpus"),
        ({"CpusetCpus": "0-99999999999"}, "for cpuset cpus"),
        ({"CpusetCpus": "0,7"}, "Requested CPUs are not available - requested 0,7, available: 0-1"),
        ({"CpusetMems": "1"}, "Requested memory nodes are not available - requested 1, available: 0"),
        ({"MemorySwappiness": 500}, "invalid value: 500, valid memory swappiness range is 0-100"),
        ({"CpuPeriod": 5}, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 999}, "CPU cfs quota can not be less than 1ms"),
    ],
)
def test_what_cannot_be_kept_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said) as caught:
        limits.check(given)
    assert caught.value.exit_code == 125


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"NanoCpus": 2 * 10**9, "CpusetCpus": "0-1", "CpusetMems": "0", "MemorySwappiness": 0},
        {"NanoCpus": 10**7, "CpusetCpus": "1,0", "MemorySwappiness": 100},
        {"CpuPeriod": 1000, "CpuQuota": -1},
    ],
)
def test_what_can_be_kept_passes(given: dict[str, Any]) -> None:
    limits.check(given)


def test_a_host_that_does_not_say_what_it_has_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "available", lambda _: "")
    limits.check({"CpusetCpus": "7"})
