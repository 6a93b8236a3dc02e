"""What an idle running container costs beside its own processes: the memory of whatever watches it.

PSS from smaps_rollup, so that pages shared between watchers count once.
"""

from __future__ import annotations

from pathlib import Path

from bench.engines import Engine
from bench.images import busybox_archive
from bench.start import IMAGE
from bench.table import Samples, compare

WATCHERS = {
    "tack": ("tack",),
    "docker": ("containerd-shim-runc-v2", "docker-proxy"),
    "docker-debian": ("containerd-shim-runc-v2", "docker-proxy"),
    "podman": ("conmon",),
}
CONTAINERS = 8


def measure(engines: list[Engine], folder: Path, _runs: int) -> str:
    """Start `CONTAINERS` idle containers and divide the watchers' PSS by their number; MB each."""
    archive = busybox_archive(folder, IMAGE)
    names = [f"bench-idle-{number}" for number in range(CONTAINERS)]
    samples: Samples = {}
    for engine in engines:
        engine.call(engine.words("load", "-i", str(archive)))
        before = watchers(engine)
        for name in names:
            engine.call(engine.run_words("-d", "--name", name, IMAGE, "sleep", "600"))
        try:
            new = watchers(engine) - before
            samples[engine.name] = [sum(pss(pid) for pid in new) / CONTAINERS]
        finally:
            engine.call(engine.words("rm", "-f", *names))
    return compare({f"PSS of the monitor, per idle container ({CONTAINERS} running)": samples}, "MB")


def watchers(engine: Engine) -> set[int]:
    """Process ids of this engine's monitors: by program name, and by our process title."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if Path(name).name in WATCHERS[engine.name] or (engine.name == "tack" and "/tack" in words):
                found.add(int(entry.name))
    return found


def pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
