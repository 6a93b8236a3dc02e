"""The processes of a container as the host sees them: by its control group, told by /proc."""

from __future__ import annotations

import os
import time

from hardtack.container import states
from hardtack.container.errors import ContainerError, NotRunning
from hardtack.container.row import cgroup_of
from hardtack.linux import cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.container.row import Container
    from hardtack.store.root import Root

TITLES = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
"""The columns of `ps -ef`."""

_STAT_PPID, _STAT_TTY, _STAT_UTIME, _STAT_STIME, _STAT_START = 1, 4, 11, 12, 19  # counted behind the name


class TopFailed(ContainerError):
    """The host's ps(1) does not understand the options, or is not there."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot list processes: {why}", "Without options no ps(1) is needed")


def processes(root: Root, container: Container, options: list[str] | None = None) -> tuple[list[str], list[list[str]]]:
    """List a running container's processes.

    Args:
        options: for the host's ps(1), whose output is then cut down to the container; none for the columns of `ps -ef`.
    Returns:
        Titles and rows.
    Raises:
        NotRunning: there are none.
        TopFailed: ps(1) refused.
    """
    if container.state not in states.ALIVE or container.state == states.RESTARTING:
        raise NotRunning(container.id)
    pids = cgroup.processes(cgroup_of(root, container.id)) or {container.pid}
    if options:
        return _by_program(pids, options)
    rows = [_row(pid) for pid in sorted(pids)]
    return TITLES, [row for row in rows if row]


def _row(pid: int) -> list[str]:
    """One process, empty when it is gone. Source: proc(5), /proc/pid/stat and status; procps, `ps -f`."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
        uid = os.stat(f"/proc/{pid}").st_uid
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(1 << 16).rstrip(b"\0").split(b"\0")
    except OSError:
        return []
    name = text[text.index(b"(") + 1 : text.rindex(b")")]
    fields = text[text.rindex(b")") + 2 :].split()
    hertz = os.sysconf("SC_CLK_TCK")
    used = (int(fields[_STAT_UTIME]) + int(fields[_STAT_STIME])) / hertz
    began = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + int(fields[_STAT_START]) / hertz
    lived = max(0.001, time.time() - began)
    command = b" ".join(words) if words != [b""] else b"[" + name + b"]"
    return [
        _user(uid),
        str(pid),
        fields[_STAT_PPID].decode(),
        str(min(99, int(100 * used / lived))),
        _start(began),
        _terminal(int(fields[_STAT_TTY])),
        f"{int(used) // 3600:02}:{int(used) // 60 % 60:02}:{int(used) % 60:02}",
        command.decode("utf-8", "replace"),
    ]


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _start(began: float) -> str:
    same_day = time.localtime(began)[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if same_day else "%b%d", time.localtime(began))


def _terminal(number: int) -> str:
    if number == 0:
        return "?"
    major, minor = os.major(number), os.minor(number)
    return f"pts/{minor}" if 136 <= major <= 143 else f"tty{minor}" if major == 4 else "?"


def _by_program(pids: set[int], options: list[str]) -> tuple[list[str], list[list[str]]]:
    import subprocess

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["ps", *words], capture_output=True, text=True, errors="replace", check=False)

    try:
        done = ask(*options, "-q", ",".join(map(str, sorted(pids))))
        if done.returncode != 0:  # some options do not go with -q
            done = ask(*options)
    except FileNotFoundError:
        raise TopFailed("this host has no ps program") from None
    if done.returncode != 0:
        raise TopFailed((done.stderr.strip().splitlines() or ["ps refused"])[0])
    lines = done.stdout.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise TopFailed("the options leave out the column PID")
    place = titles.index("PID")
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    return titles, [row for row in rows if len(row) > place and row[place].isdigit() and int(row[place]) in pids]
