"""The table of a container's states."""

from __future__ import annotations

import pytest

from hardtack.container import states
from hardtack.container.errors import WrongState

EVENTS = {event for events in states.TRANSITIONS.values() for event in events}


def test_every_state_has_a_row_and_every_event_leads_to_a_state() -> None:
    assert set(states.TRANSITIONS) == set(states.ALL)
    assert {following for events in states.TRANSITIONS.values() for following in events.values()} <= set(states.ALL)


@pytest.mark.parametrize("state", states.ALL)
@pytest.mark.parametrize("event", sorted(EVENTS))
def test_an_illegal_event_is_an_error_with_both_names(state: str, event: str) -> None:
    if event in states.TRANSITIONS[state]:
        assert states.after(state, event) == states.TRANSITIONS[state][event]
        return
    with pytest.raises(WrongState) as caught:
        states.after(state, event, event, "web")
    assert event in str(caught.value) and state in str(caught.value) and "web" in str(caught.value)


def test_a_running_container_cannot_be_removed_and_an_ended_one_can() -> None:
    assert set(states.allowing("remove")) == {states.CREATED, states.EXITED, states.DEAD, states.REMOVING}


def test_everything_that_lives_can_be_lost() -> None:
    assert all("lose" in states.TRANSITIONS[state] for state in states.ALIVE)
