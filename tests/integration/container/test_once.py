"""One step of a build: a process, an upper directory, an exit code, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hardtack.container.errors import StartFailed
from hardtack.container.once import run_once, wait_clean
from hardtack.container.reconcile import sweep
from hardtack.image.find import find
from support.containers import World

Step = Callable[..., int]


@pytest.fixture
def step(world: World, tmp_path: Path) -> Iterator[Step]:
    """Runs a command on the busybox image; its changes are in tmp_path/upper."""
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    layers = list(find(world.root, "busybox").config.diff_ids)
    null = os.open("/dev/null", os.O_WRONLY)

    def run(*command: str, folder: Path = tmp_path, **options: Any) -> int:
        body = {"Cmd": list(command), "Env": ["PATH=/bin"], **options.pop("config", {})}
        given: dict[str, Any] = {"stdout": null, "stderr": null, "network_mode": "none", **options}
        return run_once(world.root, layers, str(folder / "upper"), str(folder / "work"), body, **given)

    yield run
    wait_clean()
    os.close(null)
    assert world.left() == []


def test_changes_are_in_the_upper_directory_when_it_returns(step: Step, tmp_path: Path) -> None:
    assert step("sh", "-c", "echo new > /new; rm /etc/group") == 0
    assert (tmp_path / "upper/new").read_text() == "new\n"
    assert os.stat(tmp_path / "upper/etc/group").st_rdev == 0
    assert step("cat", "/new") == 0 and step("cat", "/etc/group") == 1


def test_output_goes_to_the_callers_descriptors(step: Step, tmp_path: Path) -> None:
    with (
        open(tmp_path / "out", "w+") as out,
        open(tmp_path / "err", "w+") as err,
        open(tmp_path / "in", "w+") as source,
    ):
        source.write("typed")
        source.seek(0)
        words = {"stdin": source.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        assert step("sh", "-c", "cat; echo err >&2; exit 5", **words) == 5
    assert ((tmp_path / "out").read_text(), (tmp_path / "err").read_text()) == ("typed", "err\n")


def test_descriptors_may_be_given_in_any_order(step: Step, tmp_path: Path) -> None:
    with open(tmp_path / "both", "w+") as both:
        assert step("sh", "-c", "echo a; echo b >&2", stdout=both.fileno(), stderr=both.fileno()) == 0
    assert sorted((tmp_path / "both").read_text().split()) == ["a", "b"]


@pytest.mark.parametrize(("command", "code"), [("nothing", 127), ("/etc", 126), ("/etc/passwd", 126)])
def test_what_cannot_run_is_an_error_with_dockers_code(step: Step, command: str, code: int) -> None:
    with pytest.raises(StartFailed) as caught:
        step(command)
    assert caught.value.exit_code == code


def test_user_directory_and_mounts_are_as_given(step: Step, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    os.chmod(tmp_path / "shared", 0o777)
    mounts = [{"destination": "/cache", "type": "bind", "source": str(tmp_path / "shared"), "options": ["rbind", "rw"]}]
    config = {"User": "nobody", "WorkingDir": "/cache"}
    assert step("sh", "-c", "id -u > here", mounts=mounts, config=config) == 0
    assert (tmp_path / "shared/here").read_text() == "65534\n"


def test_steps_in_several_threads_do_not_meet(step: Step, tmp_path: Path) -> None:
    codes: dict[int, int] = {}

    def one(number: int) -> None:
        folder = tmp_path / str(number)
        for name in ("upper", "work"):
            (folder / name).mkdir(parents=True)
        codes[number] = step("sh", "-c", f"echo {number} > /n; exit {number}", folder=folder)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {number: number for number in range(4)}
    assert all((tmp_path / str(number) / "upper/n").read_text() == f"{number}\n" for number in range(4))


def test_the_death_of_the_caller_ends_the_step(world: World, tmp_path: Path) -> None:
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    layers = [str(diff_id) for diff_id in find(world.root, "busybox").config.diff_ids]
    body = {"Cmd": ["sh", "-c", "echo > /begun; sleep 600"], "Env": ["PATH=/bin"]}
    program = (
        "from hardtack.container.once import run_once\n"
        "from hardtack.store.root import Root\n"
        f"run_once(Root.open(), {layers!r}, {str(tmp_path / 'upper')!r}, {str(tmp_path / 'work')!r}, {body!r})"
    )
    caller = subprocess.Popen([sys.executable, "-c", program], env=world.environment)
    try:
        world.wait_for((tmp_path / "upper/begun").exists, "the step's beginning")
    finally:
        caller.kill()
        caller.wait()
    time.sleep(0.3)
    sweep(world.root)
    world.root.close()
    assert world.left() == []
