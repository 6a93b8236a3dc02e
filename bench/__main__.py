"""Choose what to measure, and print it as one Markdown table per subject."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import conformance, memory, pull, registry, registry_scale, start
from bench.engines import available
from bench.table import machine

OF_ENGINES = {"start": start.measure, "pull": pull.measure, "memory": memory.measure}
OF_REGISTRIES = {
    "registry": registry.measure,
    "registry-scale": registry_scale.measure,
    "conformance": conformance.measure,
}


def main() -> int:
    words = argparse.ArgumentParser(prog="./dev bench", description="figures beside the peers that can be had here")
    words.add_argument("subjects", nargs="*", choices=[*OF_ENGINES, *OF_REGISTRIES, []], help="default: all")
    words.add_argument("--runs", type=int, default=15, help="counted runs of each command (median is quoted)")
    words.add_argument("--only", help="comma-separated engines: tack, docker, docker-debian, podman")
    words.add_argument("--folder", default="/dev/shm", help="where the stores live; tmpfs by default")
    words.add_argument("--quick", action="store_true", help="registries: small sizes, to see that everything works")
    options = words.parse_args()
    subjects = options.subjects or [*OF_ENGINES, *OF_REGISTRIES]
    with tempfile.TemporaryDirectory(prefix="tack-bench-", dir=options.folder) as folder:
        print(machine(options.folder))
        if of_engines := [subject for subject in subjects if subject in OF_ENGINES]:
            measure_engines(of_engines, Path(folder), options)
        for subject in subjects:
            if subject in OF_REGISTRIES:
                print(f"\n## {subject}\n")
                print(OF_REGISTRIES[subject](Path(folder), options.runs, options.quick), flush=True)
    return 0


def measure_engines(subjects: list[str], folder: Path, options: argparse.Namespace) -> None:
    only = set(options.only.split(",")) if options.only else None
    with available(folder, only) as engines:
        for engine in engines:
            print(f"- {engine.name}: {engine.version()}")
        for subject in subjects:
            print(f"\n## {subject}\n")
            print(OF_ENGINES[subject](engines, folder, options.runs), flush=True)


if __name__ == "__main__":
    sys.exit(main())
