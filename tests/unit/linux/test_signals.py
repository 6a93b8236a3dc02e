"""Signals by name and number."""

from __future__ import annotations

import signal

import pytest

from hardtack.linux import signals


@pytest.mark.parametrize("known", [item for item in signal.Signals if item.value < 32], ids=lambda item: item.name)
def test_every_signal_of_the_platform_has_its_number_and_name(known: signal.Signals) -> None:
    assert signals.number(known.name) == signals.number(known.name.removeprefix("SIG").lower()) == known.value
    assert signals.name(known.value) in (
        known.name,
        {"SIGABRT": "SIGIOT"}.get(known.name),
        "SIGIO",
        "SIGCHLD",
        "SIGABRT",
    )


@pytest.mark.parametrize(
    ("text", "value"), [("9", 9), ("64", 64), ("RTMIN", 34), ("RTMIN+3", 37), ("SIGRTMAX-2", 62), ("rtmax", 64)]
)
def test_numbers_and_real_time_signals(text: str, value: int) -> None:
    assert signals.number(text) == value


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "TERMINATE", "RTMIN+31", "RTMIN-1", "RTMIN+", "9.0", "1000"])
def test_what_is_no_signal(text: str) -> None:
    assert signals.number(text) is None
