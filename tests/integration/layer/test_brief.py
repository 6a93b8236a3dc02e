"""A mount that was meant for a moment does not outlive the process that made it by more than a collection."""

from __future__ import annotations

import os
import signal

from hardtack.linux import mount as mounts
from hardtack.store.collect import collect
from hardtack.store.layer import brief
from hardtack.store.root import Root
from support.world import mounts_below


def _make_and_mount(root: Root) -> str:
    path = brief.make(root)
    os.mkdir(f"{path}/fs")
    mounts.mount("tmpfs", f"{path}/fs", "tmpfs", 0, "size=64k")
    return path


def test_what_a_killed_process_had_mounted_goes_with_the_next_collection(root: Root) -> None:
    pid = os.fork()
    if pid == 0:
        _make_and_mount(root)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert len(mounts_below(root.path)) == 1
    collect(root)
    assert mounts_below(root.path) == []
    assert os.listdir(root.tmp) == []


def test_what_a_living_process_has_mounted_stays(root: Root) -> None:
    path = _make_and_mount(root)
    collect(root)
    assert mounts_below(root.path) == [f"{path}/fs"]
