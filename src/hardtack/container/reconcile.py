"""Bring rows and kernel together again after somebody was killed: adopt what still runs, finish what was begun.

A row names the process that holds it. Where that process is gone, whoever notices takes over: a container that runs
gets a new monitor, one that does not is recorded as ended, and what its life left in the kernel is taken down. Every
step may be repeated, and costs nothing where nobody died.
"""

from __future__ import annotations

import os
import time

from hardtack.container import groups, rootfs, states
from hardtack.container.remove import clean_run, erase
from hardtack.container.row import COLUMNS, Container, Paths, cgroup_of, claim, get
from hardtack.container.tree import remove_tree
from hardtack.linux import cgroup, signals
from hardtack.linux.process import start_ticks
from hardtack.network import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root

LOST_CODE = 255
LOST = "its monitor was killed, so how it ended is not known"
_KILL_PATIENCE = 10.0


def check(root: Root) -> int:
    """Settle every container whose holder has died. One query and a glance at each holder where nobody did.

    Returns:
        How many there were.
    """
    alive = ", ".join(f"'{state}'" for state in (*states.ALIVE, states.REMOVING))
    query = f"SELECT {COLUMNS} FROM container WHERE monitor != 0 OR state IN ({alive})"
    lost = [found for found in map(Container, root.db.execute(query)) if not found.claimed()]
    for container in lost:
        settle(root, container)
    return len(lost)


def settle(root: Root, container: Container) -> None:
    """Take over a container whose holder has died; one that is held again meanwhile is left alone."""
    with root.transaction() as db:
        found = get(db, container.id)
        if found is None or found.claimed():
            return
        if found.monitor == 0 and found.state in (states.CREATED, states.EXITED, states.DEAD):
            return
        claim(db, found.id)
    if found.state in states.ALIVE and found.process_alive():
        from hardtack.container.adopt import adopt

        adopt(root, found)
        return
    take_down(root, found)
    record_loss(root, found)


def record_loss(root: Root, found: Container) -> None:
    """Say in the row what became of it, and let go."""
    begun = found.state in (states.CREATED, states.EXITED)
    if found.state == states.REMOVING or found.autoremove:
        with root.transaction() as db:
            db.execute("UPDATE container SET state = 'removing', name = NULL WHERE id = ?", (found.id,))
        erase(root, found.id)
        return
    with root.transaction() as db:
        if not begun:
            state = states.after(found.state, "lose")
            db.execute(
                "UPDATE container SET state = ?, pid = 0, pid_ticks = 0, exit_code = ?, error = ?, finished = ?"
                " WHERE id = ?",
                (state, LOST_CODE, LOST, time.time(), found.id),
            )
        db.execute("UPDATE container SET monitor = 0, monitor_ticks = 0 WHERE id = ?", (found.id,))


def take_down(root: Root, container: Container) -> None:
    """End every process of a container and take away what its run left in the kernel and the run directory."""
    end_processes(root, container.id)
    attach.teardown(root, container.id)
    rootfs.release(root, container.id)
    clean_run(Paths(root, container.id))


def end_processes(root: Root, ident: str) -> None:
    """Kill what runs for a container: an OCI runtime in the middle of a start, and all in its control group."""
    group = cgroup_of(root, ident)
    until = time.monotonic() + _KILL_PATIENCE
    while True:
        found = _runtimes_of(ident) | cgroup.processes(group)
        for pid in found:
            try:
                os.kill(pid, signals.KILL)
            except ProcessLookupError:
                continue
        if not found and cgroup.remove(group):
            break
        if time.monotonic() > until:
            break
        time.sleep(0.002)
    remove_tree(f"{root.run}/oci/state/{ident}")
    groups.tidy(root)


def _runtimes_of(ident: str) -> set[int]:
    """OCI runtimes that were called for a container and have not ended. Our own process is none."""
    found = set()
    wanted = ident.encode()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            descriptor = os.open(f"/proc/{name}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            words = os.read(descriptor, 65_536).split(b"\0")
        except OSError:
            continue
        finally:
            os.close(descriptor)
        if wanted in words and b"--root" in words and b"--bundle" in words and start_ticks(int(name)) is not None:
            found.add(int(name))
    return found


def sweep(root: Root) -> list[str]:
    """Everything: rows whose holder died, and whatever carries the mark of this root without a row.

    Returns:
        What was taken away, in words.
    """
    done = [f"{check(root)} containers without their monitor"]
    known = {row[0] for row in root.db.execute("SELECT id FROM container")}
    from hardtack.container.once import is_running

    stray = cgroup.children(groups.parent_of(root))
    stray = (stray | _names(f"{root.run}/containers") | _names(f"{root.run}/oci/state")) - known
    stray |= {row[0] for row in root.db.execute("SELECT container FROM endpoint")} - known
    for ident in sorted(stray):
        if is_running(ident):
            continue
        end_processes(root, ident)
        attach.teardown(root, ident)
        remove_tree(f"{root.run}/containers/{ident}")
        rootfs.release(root, ident)
        done.append(f"the remains of {ident[:24]}")
    for ident in sorted(_names(f"{root.path}/containers") - known):
        if root.db.execute("SELECT 1 FROM container WHERE id = ?", (ident,)).fetchone() is None:
            remove_tree(f"{root.path}/containers/{ident}")
            done.append(f"the files of {ident[:12]}")
    return done if len(done) > 1 or not done[0].startswith("0 ") else []


def _names(path: str) -> set[str]:
    try:
        return set(os.listdir(path))
    except FileNotFoundError:
        return set()
