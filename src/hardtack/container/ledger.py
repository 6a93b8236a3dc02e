"""What a monitor writes into its container's row: one short transaction for each turn of a life.

Whoever reads the row sees the state before or after, never between; addresses are free in the same step in which the
container has ended.
"""

from __future__ import annotations

import time

from hardtack.container import states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.launch import Running
    from hardtack.container.row import Container
    from hardtack.store.root import Root
    from hardtack.store.sqlite import Connection


def started(root: Root, container: Container, running: Running) -> None:
    """It runs."""
    document = container.changed_document()
    with root.transaction() as db:
        db.execute(
            "UPDATE container SET state = 'running', pid = ?, pid_ticks = ?, started = ?, finished = 0,"
            " exit_code = 0, error = '', oom = 0, runtime = ? WHERE id = ?",
            (running.pid, running.ticks, running.started, running.runtime_name, container.id),
        )
        if document:
            db.execute("UPDATE container SET document = ? WHERE id = ?", (document, container.id))


def is_stopped(root: Root, ident: str) -> bool:
    """Whether somebody has asked for its end; also when it is gone."""
    row = root.db.execute("SELECT stopped FROM container WHERE id = ?", (ident,)).fetchone()
    return row is None or bool(row[0])


def retrying(root: Root, ident: str, code: int, bridged: bool) -> None:
    """It has ended and will be started again."""
    with root.transaction() as db:
        db.execute(
            "UPDATE container SET state = 'restarting', pid = 0, pid_ticks = 0, exit_code = ?, finished = ?,"
            " restarts = restarts + 1 WHERE id = ?",
            (code, time.time(), ident),
        )
        _free_addresses(db, ident, bridged)


def ended(
    root: Root, ident: str, code: int, automatic: bool, bridged: bool, oom: bool = False, error: str = ""
) -> None:
    """It has ended for good.

    Args:
        automatic: it is going to be removed: its name is free from now on.
        bridged: it had an address.
    """
    with root.transaction() as db:
        db.execute(
            "UPDATE container SET state = ?, name = CASE WHEN ? THEN NULL ELSE name END, pid = 0, pid_ticks = 0,"
            " exit_code = ?, oom = ?, error = ?, finished = ? WHERE id = ?",
            (_last_state(automatic), automatic, code, oom, error, time.time(), ident),
        )
        _free_addresses(db, ident, bridged)


def failed(root: Root, ident: str, state: str, code: int, error: str, automatic: bool) -> None:
    """It could not be started, and nothing of it is left; its monitor lets go of it."""
    with root.transaction() as db:
        db.execute(
            "UPDATE container SET state = ?, name = CASE WHEN ? THEN NULL ELSE name END, pid = 0, exit_code = ?,"
            " error = ?, monitor = CASE WHEN ? THEN monitor ELSE 0 END WHERE id = ?",
            (states.REMOVING if automatic else state, automatic, code, error, automatic, ident),
        )


def released(root: Root, ident: str) -> None:
    """Its last run is cleaned up: whoever comes next may have it."""
    with root.transaction() as db:
        db.execute("UPDATE container SET monitor = 0, monitor_ticks = 0 WHERE id = ?", (ident,))


def _last_state(automatic: bool) -> str:
    return states.REMOVING if automatic else states.EXITED


def _free_addresses(db: Connection, ident: str, bridged: bool) -> None:
    if bridged:
        from hardtack.network import attach

        attach.release(db, ident)
