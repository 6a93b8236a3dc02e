"""Real clients pull what our registry fetches from Debian's: by the prefix, as a mirror, and by `ns=`."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hardtack.oci.digest import Digest
from support.daemons import Docker, Podman, call, dockerd
from support.debian_registry import debian_registry
from support.our_registry import Client, OurRegistry, image_config, our_registry
from support.tars import busybox_tar
from support.world import take_down

pytestmark = pytest.mark.clients


class Cache(NamedTuple):
    """Our registry as a cache of an upstream, and the digest of `library/hello:v1` there."""

    registry: OurRegistry
    digest: str


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """Costs 800 ms."""
    folder = tmp_path_factory.mktemp("cache")
    with debian_registry(folder / "debian") as upstream:
        tar = busybox_tar()
        config = image_config(Cmd=["echo", "hello"], Env=["PATH=/bin"])
        config["rootfs"]["diff_ids"] = [Digest.of(tar)]
        digest = Client(upstream).push_image("library/hello", "v1", [gzip.compress(tar, 1, mtime=0)], config)
        text = '[access]\nmode = "open"\n[network]\nallow = ["127.0.0.1"]\n'
        for prefix, ns in (("hub", "docker.io"), ("", "catch.all")):
            text += f'[[upstream]]\nprefix = "{prefix}"\nns = ["{ns}"]\nurl = "http://{upstream}"\n'
        (folder / "registry.toml").write_text(text)
        with our_registry(folder / "root", "--config", str(folder / "registry.toml")) as running:
            yield Cache(running, digest)


def test_docker_and_skopeo_pull_by_the_prefix(cache: Cache, docker: Docker) -> None:
    name = f"{cache.registry.host}/hub/library/hello:v1"
    docker("pull", "-q", name)
    assert docker("run", "--rm", "--network", "none", name).stdout == "hello\n"
    if shutil.which("skopeo"):
        inspected = call(["skopeo", "inspect", "--tls-verify=false", f"docker://{name}", "--format", "{{.Digest}}"])
        assert inspected.stdout.strip() == cache.digest


def test_docker_uses_it_as_its_mirror(cache: Cache) -> None:
    with tempfile.TemporaryDirectory(prefix="tack-mirror-", ignore_cleanup_errors=True) as folder:
        with dockerd(Path(folder), f"--registry-mirror=http://{cache.registry.host}") as docker:
            docker("pull", "-q", "hello:v1")
            (digest,) = docker("inspect", "-f", "{{index .RepoDigests 0}}", "hello:v1").stdout.split()
            assert digest == f"hello@{cache.digest}"
        take_down(folder)


def test_podman_uses_it_as_a_mirror_with_the_prefix(
    cache: Cache, their_podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registries.conf").write_text(
        '[[registry]]\nlocation = "docker.io"\n'
        f'[[registry.mirror]]\nlocation = "{cache.registry.host}/hub"\ninsecure = true\n'
    )
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    their_podman("pull", "-q", "docker.io/library/hello:v1")
    assert their_podman.run("--rm", "docker.io/library/hello:v1").stdout == "hello\n"


def test_containerd_names_the_upstream_in_its_query(cache: Cache) -> None:
    containerd, ctr = shutil.which("containerd"), shutil.which("ctr")
    if containerd is None or ctr is None or os.geteuid() != 0:
        pytest.skip("needs root, containerd and ctr (Debian: containerd)")
    with tempfile.TemporaryDirectory(prefix="tack-ctr-", ignore_cleanup_errors=True) as folder:
        hosts = Path(folder) / "hosts" / "docker.io"
        hosts.mkdir(parents=True)
        (hosts / "hosts.toml").write_text(
            f'server = "https://docker.io"\n[host."http://{cache.registry.host}"]\ncapabilities = ["pull", "resolve"]\n'
        )
        socket = f"{folder}/sock"
        words = [containerd, "--root", f"{folder}/root", "--state", f"{folder}/state", "--address", socket]
        with open(f"{folder}/log", "wb") as log:
            daemon = subprocess.Popen([*words, "--log-level", "warn"], stdout=log, stderr=log)
        try:
            end = time.monotonic() + 20
            while call([ctr, "-a", socket, "version"], check=False).returncode:
                assert time.monotonic() < end, Path(f"{folder}/log").read_text()[-2000:]
                time.sleep(0.1)
            pull = [ctr, "-a", socket, "images", "pull", "--hosts-dir", f"{folder}/hosts", "--snapshotter", "native"]
            call([*pull, "docker.io/library/hello:v1"])
            assert cache.digest in call([ctr, "-a", socket, "images", "ls"]).stdout
        finally:
            daemon.terminate()
            daemon.wait(30)
        take_down(folder)
    names = cache.registry.client("GET", "/v2/_catalog").json()["repositories"]
    assert "hub/library/hello" in names
