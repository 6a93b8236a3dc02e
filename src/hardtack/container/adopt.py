"""A new monitor for a container whose own was killed: the same pipes, the same log, and its end if the kernel tells.

Not the container's parent, it learns the exit code from the pidfd where the kernel keeps it (Linux 6.15) and says
honestly that it does not know it elsewhere.
"""

from __future__ import annotations

import os
import time

from hardtack.container import reconcile
from hardtack.container.hub import Hub
from hardtack.container.launch import Running, Undo
from hardtack.container.monitor import Monitor, become_monitor
from hardtack.container.row import Paths, claim, get
from hardtack.container.stdio import Stdio
from hardtack.errors import TackError
from hardtack.linux.process import pidfd_exit_status, pidfd_open, set_process_name
from hardtack.network.attach import Attachment, parse_mode, reserve_ports
from hardtack.network.ports import Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.row import Container
    from hardtack.store.root import Root

_REAP_PATIENCE = 2.0


def adopt(root: Root, container: Container) -> None:
    """Fork a monitor for a running container that this process has claimed. Returns once the new one holds it."""
    root.close()  # see `start.Pad`
    ready, told = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ready)
            if os.fork() == 0:  # not our child: we may live long, and would have to collect it
                _live(root, container, told)
        finally:
            os._exit(0)
    os.close(told)
    os.waitpid(pid, 0)
    os.read(ready, 1)
    os.close(ready)


def _live(root: Root, container: Container, told: int) -> None:
    become_monitor()
    set_process_name(f"tack:{container.id[:10]}")
    with root.transaction() as db:
        found = get(db, container.id)
        if found is None or not found.process_alive():
            claim(db, container.id)
            found = None
        else:
            claim(db, container.id)
    os.close(told)
    if found is None:
        reconcile.take_down(root, container)
        reconcile.record_loss(root, container)
        return
    stdio = Stdio.reopened(Paths(root, found.id))
    pidfd = pidfd_open(found.pid)
    monitor = Monitor(root, found.id, None)
    hub = Hub(stdio, monitor.open_log(found), False, pidfd)
    monitor.listen(hub)
    running = _running(root, found, stdio)
    automatic = found.autoremove
    root.close()
    while not hub.step():
        pass
    code = _exit_code(pidfd)
    lost = reconcile.LOST if code is None else ""
    monitor.end(running, hub, reconcile.LOST_CODE if code is None else code, automatic, lost)


def _running(root: Root, container: Container, stdio: Stdio) -> Running:
    """What a monitor that has started the container would know of it."""
    attachment = Attachment(container.id, *parse_mode(container.host_config.get("NetworkMode") or ""))
    query = "SELECT protocol, host_address, host_port, container_port FROM port WHERE container = ?"
    attachment.ports = [Port(*row) for row in root.db.execute(query, (container.id,))]
    try:
        reserve_ports(attachment)
    except TackError:
        pass  # somebody took a port in between; the translation of ours comes first all the same
    undo = Undo()
    undo.add(lambda: reconcile.take_down(root, container))
    running = Running(None, None, attachment, -1, stdio, undo)
    running.pid, running.ticks, running.started = container.pid, container.pid_ticks, container.started
    return running


def _exit_code(pidfd: int) -> int | None:
    """The exit code, once whoever inherited the process has collected it; None where the kernel does not tell."""
    until = time.monotonic() + _REAP_PATIENCE
    while True:
        status = pidfd_exit_status(pidfd)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if time.monotonic() > until:
            return None
        time.sleep(0.005)
