"""How long a start takes: one at a time, many at once, and a command in a running container."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench.engines import Engine
from bench.images import busybox_archive
from bench.table import Samples, compare

IMAGE = "bench/busybox:latest"
ONE_AT_A_TIME = {
    "run --rm IMAGE true, bridge": (),
    "run --rm --network none IMAGE true": ("--network", "none"),
}
AT_ONCE = (4, 16, 64)


def measure(engines: list[Engine], folder: Path, runs: int) -> str:
    """Medians over `runs` rounds, engines in turn within each round; bursts three rounds."""
    archive = busybox_archive(folder, IMAGE)
    for engine in engines:
        engine.call(engine.words("load", "-i", str(archive)))
    rows: dict[str, Samples] = {}
    for what, flags in ONE_AT_A_TIME.items():
        rows[what] = in_turns(engines, runs, lambda e, f=flags: e.seconds(e.run_words("--rm", *f, IMAGE, "true")))
    rows["exec true"] = executions(engines, runs)
    for count in AT_ONCE:
        rows[f"{count} starts at once, total"] = in_turns(engines, 3, lambda e, n=count: burst(e, n))
    return compare(rows)


def in_turns(engines: list[Engine], runs: int, once) -> Samples:  # type: ignore[no-untyped-def]
    """One uncounted round, then `runs` rounds of every engine; milliseconds."""
    samples: Samples = {engine.name: [] for engine in engines}
    for round_number in range(runs + 1):
        for engine in engines:
            took = once(engine) * 1000
            if round_number:
                samples[engine.name].append(took)
    return samples


def executions(engines: list[Engine], runs: int) -> Samples:
    for engine in engines:
        engine.call(engine.run_words("-d", "--name", "bench-exec", IMAGE, "sleep", "600"))
    try:
        return in_turns(engines, runs, lambda e: e.seconds(e.words("exec", "bench-exec", "true")))
    finally:
        for engine in engines:
            engine.call(engine.words("rm", "-f", "bench-exec"))


def burst(engine: Engine, count: int) -> float:
    """`count` whole `run --rm` commands begun at the same moment; seconds until the last has ended."""
    words = engine.run_words("--rm", IMAGE, "true")
    began = time.perf_counter()
    running = [
        subprocess.Popen(words, env=engine.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(count)
    ]
    failed = [process for process in running if process.wait() != 0]
    took = time.perf_counter() - began
    if failed:
        error = failed[0].stderr.read().decode()[-300:] if failed[0].stderr else ""
        raise RuntimeError(f"{engine.name}: {len(failed)} of {count} starts failed: {error}")
    for process in running:
        if process.stderr:
            process.stderr.close()
    return took
