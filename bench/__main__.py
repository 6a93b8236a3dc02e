"""Choose what to measure, and print it as one Markdown table per subject."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import memory, pull, start
from bench.engines import available
from bench.table import machine

SUBJECTS = {"start": start.measure, "pull": pull.measure, "memory": memory.measure}


def main() -> int:
    words = argparse.ArgumentParser(prog="./dev bench", description="figures beside the peers that can be had here")
    words.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], help="default: all")
    words.add_argument("--runs", type=int, default=15, help="counted runs of each command (median is quoted)")
    words.add_argument("--only", help="comma-separated engines: tack, docker, docker-debian, podman")
    words.add_argument("--folder", default="/dev/shm", help="where the stores live; tmpfs by default")
    options = words.parse_args()
    only = set(options.only.split(",")) if options.only else None
    with tempfile.TemporaryDirectory(prefix="tack-bench-", dir=options.folder) as folder:
        print(machine(options.folder))
        with available(Path(folder), only) as engines:
            for engine in engines:
                print(f"- {engine.name}: {engine.version()}")
            for subject in options.subjects or SUBJECTS:
                print(f"\n## {subject}\n")
                print(SUBJECTS[subject](engines, Path(folder), options.runs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
