"""How fast a registry serves and takes in, beside its peers in the same minutes, with TLS and without.

All registries run at the same time, idle but for the one whose turn it is. Every figure is a median over the rounds; a
ratio above 1 says how many times better ours is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.loads import rate, tool
from bench.registries import Registry, certificate, running
from bench.table import Samples, beside
from bench.wire import Wire, digest_of, together

NAME = "bench/app"


class Sizes(NamedTuple):
    """How much of everything."""

    large: int = 300_000_000
    small: int = 1_000_000
    images: int = 1000
    clients: int = 16
    seconds: float = 5


QUICK = Sizes(large=5_000_000, images=64, seconds=1)


class Content(NamedTuple):
    """What is stored in every registry before the measurements."""

    large: str
    small: str


def measure(folder: Path, runs: int, quick: bool) -> str:
    """Tables without and with TLS."""
    sizes, rounds = (QUICK, 1) if quick else (Sizes(), min(runs, 5))
    parts = [f"Load by {tool()}; {rounds} rounds; figures are medians, (×) how many times better ours is."]
    for tls in (None, certificate(folder)):
        with running(folder, tls) as registries:
            names = {registry.name: f"{registry.name} {registry.version()}" for registry in registries}
            table = _table(registries, sizes, rounds)
        parts.append(f"\n{'with' if tls else 'without'} TLS\n\n{beside(table, names)}")
    return "\n".join(parts)


def _table(registries: list[Registry], sizes: Sizes, rounds: int) -> dict[str, tuple[str, bool, Samples]]:
    """Rows: the unit, whether more is better, and the samples by registry."""
    large = bytearray(os.urandom(1 << 20) * (sizes.large // (1 << 20) + 1))[: sizes.large]
    stored = {registry.name: _store(registry, large, sizes) for registry in registries}
    memory = {registry.name: [_memory(registry)] for registry in registries}

    def gets(connections: int, path: Callable[[Content], str], scale: float = 1.0) -> Callable[[Registry], float]:
        def once(registry: Registry) -> float:
            asked = path(stored[registry.name])
            return rate(registry.place, f"/v2/{NAME}/{asked}", connections, sizes.seconds) * scale

        return once

    megabytes = sizes.large / 1e6
    rows: dict[str, tuple[str, bool, Callable[[Registry], float]]] = {
        "manifest by tag, GET, 32 connections": ("/s", True, gets(32, lambda _: "manifests/v0")),
        f"blob of {sizes.small // 1000} kB, GET, 16 connections": ("/s", True, gets(16, lambda c: f"blobs/{c.small}")),
        f"blob of {megabytes:.0f} MB, GET, 1 connection": (
            "MB/s",
            True,
            gets(1, lambda c: f"blobs/{c.large}", megabytes),
        ),
        f"blob of {megabytes:.0f} MB, push": ("s", False, lambda registry: _push(registry, large)),
        f"{sizes.images} images of 3 blobs of 20 kB, push by {sizes.clients}": (
            "images/s",
            True,
            lambda registry: _push_images(registry, sizes),
        ),
    }
    table = {what: (unit, more, _in_turns(registries, rounds, once)) for what, (unit, more, once) in rows.items()}
    table["memory of an idle server, all its processes"] = ("MB", False, memory)
    return table


def _in_turns(registries: list[Registry], rounds: int, once: Callable[[Registry], float]) -> Samples:
    samples: Samples = {registry.name: [] for registry in registries}
    for _ in range(rounds):
        for registry in registries:
            samples[registry.name].append(once(registry))
    return samples


def _store(registry: Registry, large: bytearray, sizes: Sizes) -> Content:
    wire = Wire(registry.place)
    wire.push_image(NAME, "v0", [os.urandom(20_000)])
    content = Content(wire.push_blob(NAME, memoryview(large)), wire.push_blob(NAME, os.urandom(sizes.small)))
    wire.close()
    return content


def _push(registry: Registry, large: bytearray) -> float:
    """Seconds for one upload of bytes that nobody has seen; hashing them here is not counted."""
    large[:16] = os.urandom(16)
    digest = digest_of(large)
    wire = Wire(registry.place)
    began = time.perf_counter()
    wire.push_blob(NAME, memoryview(large), digest)
    took = time.perf_counter() - began
    wire.close()
    return took


def _push_images(registry: Registry, sizes: Sizes) -> float:
    """Images a second; any error ends the measurement."""
    each = sizes.images // sizes.clients

    def push(number: int) -> int:
        wire = Wire(registry.place)
        for count in range(each):
            wire.push_image(f"bench/client{number}", f"v{count}", [os.urandom(20_000) for _ in range(2)])
        return each

    took, count = together(push, sizes.clients)
    return count / took


def _memory(registry: Registry) -> float:
    """PSS of all its processes, so that what they share counts once."""
    total = 0
    for pid in registry.processes():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
