"""Everything one may ask of a container that exists: signals, stop, wait, pause, restart, another name.

Each begins by settling a container whose monitor has died, so that the answer is about what really runs. Waiting is
done on the monitor's socket: no polling, and the row is true when it answers.
"""

from __future__ import annotations

import os
import select
import time

from hardtack.container import client, frames, states
from hardtack.container.current import current, runtime_of
from hardtack.container.errors import ContainerError, MonitorLost, NameInUse, NotRunning, WrongState
from hardtack.container.names import check_name
from hardtack.container.row import Container, Paths, get
from hardtack.linux import signals
from hardtack.linux.process import pidfd_open, pidfd_send_signal, start_ticks
from hardtack.store.sqlite import IntegrityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root

DEFAULT_TIMEOUT = 10
_KILL_PATIENCE = 30.0


def send_signal(container: Container, number: int) -> bool:
    """Signal the container's own process, and nobody who has its pid by now. Returns whether it was there."""
    if not container.pid:
        return False
    try:
        descriptor = pidfd_open(container.pid)
    except ProcessLookupError:
        return False
    try:
        if start_ticks(container.pid) != container.pid_ticks:
            return False
        pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait(root: Root, text: str) -> int:
    """Wait until a container does not run. Returns its exit code, 0 for one that never ran."""
    while True:
        container = current(root, text)
        if container.state not in states.ALIVE:
            return container.exit_code
        code = wait_for_end(root, container)
        if code is not None:
            return code


def wait_for_end(root: Root, container: Container, timeout: float | None = None) -> int | None:
    """Wait for the monitor to report the end. Returns None when time is up or the monitor is gone."""
    try:
        connection, reader, early = client.attach(Paths(root, container.id).run, container.id, frozenset())
    except MonitorLost:
        return _end_by_row(root, container, timeout)
    until = None if timeout is None else time.monotonic() + timeout
    try:
        for kind, payload in early:
            if kind == frames.EXITED:
                return int(payload)
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        while True:
            left = None if until is None else max(0, int((until - time.monotonic()) * 1000))
            if not poll.poll(left):
                return None
            data = connection.recv(65_536)
            if not data:
                return None
            for kind, payload in reader.feed(data):
                if kind == frames.EXITED:
                    return int(payload)
    except ConnectionResetError:
        return None
    finally:
        connection.close()


def _end_by_row(root: Root, container: Container, timeout: float | None) -> int | None:
    """The monitor does not listen: it is about to, or it has reported the end already. Look again in a moment."""
    time.sleep(min(0.01, timeout) if timeout is not None else 0.01)
    found = get(root.db, container.id)
    if found is None:
        return container.exit_code
    return None if found.state in states.ALIVE else found.exit_code


def stop(root: Root, text: str, timeout: float | None = None, signal: str = "") -> None:
    """Ask a container to stop; kill it when it has not done so in time. One that does not run is left alone.

    Args:
        timeout: seconds; the container's own or ten otherwise, below 0 for ever.
        signal: in place of the container's stop signal.
    Raises:
        ContainerError: it does not end even when killed.
    """
    container = current(root, text)
    if container.state not in states.ALIVE:
        return
    number = signals.number(signal or container.config.get("StopSignal") or "TERM") or signals.TERM
    if timeout is None:
        own = container.config.get("StopTimeout")
        timeout = DEFAULT_TIMEOUT if own is None else own
    _mark_stopped(root, container)
    _signal_even_paused(root, container, number)
    if not _ends(root, container, None if timeout < 0 else timeout):
        kill_now(root, get(root.db, container.id) or container)


def kill_now(root: Root, container: Container) -> None:
    """Kill a container and wait for its end. Raises ContainerError when it does not come."""
    _mark_stopped(root, container)
    _signal_even_paused(root, container, signals.KILL)
    if not _ends(root, container, _KILL_PATIENCE):
        raise ContainerError(
            f"cannot stop container {container.name}: its process {container.pid} does not end, although it was killed",
            "It waits for the kernel, perhaps for a disk; try again later",
        )


def _ends(root: Root, container: Container, timeout: float | None) -> bool:
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        if wait_for_end(root, container, left) is not None:
            return True
        found = get(root.db, container.id)
        if found is None or found.state not in states.ALIVE:
            return True
        if not found.claimed():
            current(root, container.id)  # its monitor died while we waited
        if until is not None and time.monotonic() >= until:
            return False


def _mark_stopped(root: Root, container: Container) -> None:
    """No policy starts it again; a monitor that waits to do so hears of it."""
    with root.transaction() as db:
        db.execute("UPDATE container SET stopped = 1 WHERE id = ?", (container.id,))
    if container.state != states.RESTARTING:
        return
    try:
        connection, _, _ = client.attach(Paths(root, container.id).run, container.id, frozenset())
    except MonitorLost:
        return
    try:
        connection.sendall(frames.frame(frames.CANCEL))
    except OSError:
        pass
    finally:
        connection.close()


def _signal_even_paused(root: Root, container: Container, number: int) -> None:
    send_signal(container, number)
    if container.state == states.PAUSED:
        unpause(root, container.id)  # what is frozen cannot end


def kill(root: Root, text: str, signal: str = "KILL") -> None:
    """Send a signal to a container's process.

    Raises:
        ContainerError: there is no such signal.
        NotRunning: it does not run.
    """
    number = signals.number(signal)
    if number is None:
        raise ContainerError(f"Invalid signal: {signal}")
    container = current(root, text)
    if container.state not in (states.RUNNING, states.PAUSED):
        raise NotRunning(container.id, f"kill container: {text}")
    if number == signals.KILL:
        kill_now(root, container)
        return
    if number == signals.number(container.config.get("StopSignal") or "TERM"):
        _mark_stopped(root, container)
    if not send_signal(container, number):
        raise NotRunning(container.id, f"kill container: {text}")


def pause(root: Root, text: str) -> None:
    """Freeze every process of a container.

    Raises:
        NotRunning, WrongState: there is nothing to freeze.
        RuntimeRefused: the OCI runtime could not.
    """
    container = current(root, text)
    if container.state not in states.ALIVE:
        raise NotRunning(container.id, "pause")
    _change(root, container, "pause", "pause")


def unpause(root: Root, text: str) -> None:
    """Let a frozen container go on.

    Raises:
        WrongState: it is not paused.
        RuntimeRefused: the OCI runtime could not.
    """
    container = current(root, text)
    if container.state != states.PAUSED:
        raise WrongState("unpause", text, f"not paused but {container.state}")
    _change(root, container, "unpause", "resume")


def _change(root: Root, container: Container, event: str, command: str) -> None:
    from hardtack.container.runtime import call

    following = states.after(container.state, event, event, container.name)
    call(root, runtime_of(root, container), [command, container.id], f"{event} container {container.name}")
    with root.transaction() as db:
        db.execute(
            "UPDATE container SET state = ? WHERE id = ? AND state = ?", (following, container.id, container.state)
        )


def rename(root: Root, text: str, name: str) -> None:
    """Give a container another name.

    Raises:
        InvalidName, NameInUse.
        ContainerError: it is called so already.
    """
    container = current(root, text)
    wanted = check_name(name)
    if wanted == container.name:
        raise ContainerError("Renaming a container with the same name as its current name")
    try:
        with root.transaction() as db:
            db.execute("UPDATE container SET name = ? WHERE id = ?", (wanted, container.id))
    except IntegrityError:
        holder = root.db.execute("SELECT id FROM container WHERE name = ?", (wanted,)).fetchone()
        raise NameInUse(wanted, holder[0] if holder else "") from None
