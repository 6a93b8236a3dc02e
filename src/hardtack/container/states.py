"""The states of a container, the events that may happen in each, and where they lead: one table, docker's words.

Rules only. Rows in the database are changed by whoever holds the container, and never to a state that is not here.
"""

from __future__ import annotations

from hardtack.container.errors import WrongState

CREATED = "created"
RUNNING = "running"
PAUSED = "paused"
RESTARTING = "restarting"
REMOVING = "removing"
EXITED = "exited"
DEAD = "dead"

ALL = (CREATED, RUNNING, PAUSED, RESTARTING, REMOVING, EXITED, DEAD)
ALIVE = (RUNNING, PAUSED, RESTARTING)
"""States in which a monitor watches over the container."""

TRANSITIONS: dict[str, dict[str, str]] = {
    #            event: state
    CREATED: {"start": RUNNING, "fail": CREATED, "remove": REMOVING},
    RUNNING: {"pause": PAUSED, "exit": EXITED, "retry": RESTARTING, "lose": EXITED},
    PAUSED: {"unpause": RUNNING, "exit": EXITED, "retry": RESTARTING, "lose": EXITED},
    RESTARTING: {"start": RUNNING, "fail": EXITED, "exit": EXITED, "lose": EXITED},
    EXITED: {"start": RUNNING, "fail": EXITED, "remove": REMOVING},
    DEAD: {"remove": REMOVING},
    REMOVING: {"remove": REMOVING, "strand": DEAD},
}
"""start: its process runs · fail: it could not be started · exit: its process ended · retry: it ended and will be
started again · lose: it is gone and nobody saw how · remove: it is being taken away · strand: that did not work."""


def after(state: str, event: str, doing: str = "", name: str = "") -> str:
    """The state that follows.

    Args:
        doing: the verb of the message when there is none, such as "pause"; the event itself when empty.
    Raises:
        WrongState: the event cannot happen in this state.
    """
    following = TRANSITIONS[state].get(event)
    if following is None:
        raise WrongState(doing or event, name, state)
    return following


def allowing(event: str) -> tuple[str, ...]:
    """The states in which an event may happen."""
    return tuple(state for state, events in TRANSITIONS.items() if event in events)
