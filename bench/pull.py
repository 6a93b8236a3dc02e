"""How long a pull takes: one gzip layer of about 80 MB (220 MB of tar, 11,097 files) from a registry on loopback.

The registry is a peer's, the same for all. Before each pull the image is removed and the store emptied of it.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench import peers
from bench.engines import Engine
from bench.images import debian_layout
from bench.start import in_turns
from bench.table import compare


def measure(engines: list[Engine], folder: Path, runs: int) -> str:
    """Medians of at most seven rounds."""
    layout = debian_layout(folder)
    with registry(folder) as (address, version):
        reference = f"{address}/bench/debian:1"
        words = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{reference}"]
        subprocess.run(words, check=True)
        samples = in_turns(engines, min(runs, 7), lambda engine: one(engine, reference))
    return compare({f"pull of an 80 MB gzip layer, from {version}": samples})


def one(engine: Engine, reference: str) -> float:
    took = engine.seconds(engine.pull_words(reference))
    engine.call(engine.words("rmi", reference))
    if engine.name == "tack":  # the others free the layer with the image
        engine.call(engine.words("system", "prune", "-a", "-f"))
    return took


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[tuple[str, str]]:
    """distribution, the newest that can be had, else Debian's, on a free port of loopback."""
    newest = peers.folder("registry")
    program = str(newest / "registry") if newest else shutil.which("docker-registry")
    if not program:
        raise RuntimeError("no registry to pull from: neither a built distribution nor Debian's docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    log = (folder / "registry.log").open("wb")
    server = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
    try:
        wait_for(f"http://{address}/v2/")
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
        yield address, f"distribution {version[2] if len(version) > 2 else ''}".strip()
    finally:
        server.terminate()
        server.wait(30)


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")
