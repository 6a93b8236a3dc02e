"""The end of a world: groups go with the last container, the bridge and the rest when one asks for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hardtack.container import groups
from hardtack.container.reset import in_kernel
from hardtack.linux import cgroup, rtnetlink
from hardtack.network.bridge import bridge_name
from hardtack.store.lease import Lease
from support.containers import World


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """A world of the test's own, since it ends it. Costs 300 ms."""
    made = World(tmp_path)
    try:
        yield made
    finally:
        made.take_down()


def has_groups(world: World) -> bool:
    return cgroup.exists(groups.parent_of(world.root))


def has_bridge(world: World) -> bool:
    return rtnetlink.link_index(bridge_name(world.root.id)) > 0


def has_table(world: World) -> bool:
    done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return f"hardtack_{world.root.id}\n" in done.stdout


def test_the_root_s_control_group_goes_with_its_last_container_and_not_before(world: World) -> None:
    world.run("run", "-d", "--name", "oven", "busybox", "sleep", "100")
    world.run("run", "--rm", "busybox", "true")
    assert world.run("run", "--network", "none", "busybox", "/nope", check=False).returncode == 127
    assert has_groups(world)
    world.run("stop", "-t", "0", "oven")
    world.wait_for(lambda: not has_groups(world), "the end of the groups")
    assert has_bridge(world)


def test_starts_do_not_stumble_over_the_group_that_another_end_takes_away(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        codes = pool.map(
            lambda _: world.run("run", "--rm", "--network", "none", "busybox", "true").returncode, range(24)
        )
        assert set(codes) == {0}
    world.wait_for(lambda: not has_groups(world), "the end of the groups")


def test_prune_takes_the_bridge_and_the_table_only_when_nothing_runs(world: World) -> None:
    world.run("run", "-d", "--name", "oven", "busybox", "sleep", "100")
    world.run("system", "prune", "-f")
    assert has_bridge(world) and has_table(world) and has_groups(world)
    world.run("rm", "-f", "oven")
    world.run("system", "prune", "-f")
    assert not has_bridge(world) and not has_table(world) and not has_groups(world)
    assert world.output("run", "--rm", "busybox", "ip", "-o", "link").count("eth0") == 1


def test_reset_asks_first_and_no_means_no(world: World) -> None:
    said = world.run("system", "reset", data="n\n").stdout
    assert "all volumes, with the data in them" in said
    assert said.rstrip().endswith("[y/N]")
    assert "busybox" in world.output("images")


def test_reset_leaves_nothing_but_what_is_not_hardtack_s(own: World) -> None:
    own.run("run", "-d", "--name", "oven", "-v", "tray:/tray", "-p", "127.0.0.1::80", "busybox", "sleep", "100")
    own.run("run", "--name", "cold", "busybox", "true")
    (Path(own.root.path) / "recipe.txt").write_text("mine")
    said = own.run("system", "reset", data="y\n").stdout
    assert "Removed 2 containers, 1 volume, 1 image, 0 build cache entries." in said
    assert f"Removed the bridge tk-{own.root.id} and the packet filter table hardtack_{own.root.id}." in said
    assert f"Not hardtack's, and still in {own.root.path}: recipe.txt" in said
    assert [path.name for path in Path(own.root.path).iterdir()] == ["recipe.txt"]
    assert not Path(own.root.run).exists()
    assert not in_kernel(own.root) and not has_table(own)
    assert own.output("system", "reset") == f"There is nothing at {own.root.path}."
    assert own.output("images", "-q") == ""  # a new root begins


def test_reset_refuses_while_somebody_pulls_into_the_root(own: World) -> None:
    lease = Lease(own.root, "pull docker.io/library/oven:latest")
    with lease:
        refused = own.run("system", "reset", data="y\n", check=False)
        assert refused.returncode == 1
        assert "(pull docker.io/library/oven:latest)" in refused.stderr
        assert "busybox" in own.output("images")
        own.root.db.execute("DELETE FROM lease")
