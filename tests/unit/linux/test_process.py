"""Processes: told apart for good, locked out, and left without what they should not have."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

from hardtack.linux.process import (
    Lock,
    become_subreaper,
    boot_id,
    close_descriptors,
    die_with_parent,
    is_alive,
    pidfd_open,
    start_ticks,
)
from support.faults import in_child


def test_a_process_is_known_by_the_tick_at_which_it_began() -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert ticks == start_ticks(os.getpid())
    assert is_alive(os.getpid(), ticks, boot_id())
    assert not is_alive(os.getpid(), ticks - 1)
    assert not is_alive(os.getpid(), ticks, "another boot")
    assert not is_alive(0, 0)


def test_a_process_that_ended_is_gone_even_before_it_is_reaped(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    descriptor = pidfd_open(pid)
    try:
        deadline = time.monotonic() + 5
        while start_ticks(pid) is not None and time.monotonic() < deadline:
            time.sleep(0.005)
        assert start_ticks(pid) is None  # a zombie by now
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)
        os.waitpid(pid, 0)
    assert start_ticks(pid) is None


def test_a_name_with_spaces_and_parentheses_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) S (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "10"])
    try:
        ticks = start_ticks(process.pid)
        assert ticks is not None
        assert ticks > 1000
    finally:
        process.kill()
        process.wait()


def test_a_lock_keeps_out_threads_and_processes_and_goes_with_its_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with Lock(path):
        assert not Lock(path).acquire(wait=False)
        assert in_child(lambda: os._exit(3 if Lock(path).acquire(wait=False) else 4)) == 4
    first = Lock(path)
    assert first.acquire(wait=False)
    got = threading.Event()

    def wait() -> None:
        with Lock(path):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not got.wait(0.05)
    first.release()
    first.release()  # once more does no harm
    assert got.wait(5)
    thread.join()

    def die_with_it() -> None:
        Lock(path).acquire()
        os._exit(0)

    in_child(die_with_it)
    assert Lock(path).acquire(wait=False)


def test_only_what_is_kept_stays_open() -> None:
    read, write = os.pipe()

    def close_all() -> None:
        close_descriptors((0, 1, 2, write))
        left = [int(name) for name in os.listdir("/proc/self/fd")]
        os.write(write, b"ok" if read not in left else b"no")

    in_child(close_all)
    os.close(write)
    assert os.read(read, 10) == b"ok"
    os.close(read)


def test_an_orphan_becomes_the_child_of_a_subreaper() -> None:
    def story() -> None:
        become_subreaper()
        middle = os.fork()
        if middle == 0:
            if os.fork() == 0:
                time.sleep(0.1)
                os._exit(7)
            os._exit(0)
        os.waitpid(middle, 0)
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))

    assert in_child(story) == 7


def test_a_child_that_asked_for_it_dies_with_its_parent() -> None:
    read, write = os.pipe()

    def story() -> None:
        if os.fork() == 0:
            die_with_parent()
            os.write(write, str(os.getpid()).encode())
            time.sleep(30)
        os.read(read, 20)
        os.write(write, b"gone")

    in_child(story)
    os.close(write)  # the pipe ends only when the grandchild has ended
    data = b""
    while chunk := os.read(read, 20):
        data += chunk
    os.close(read)
    assert data == b"gone"
