"""Medians, ratios, and the table they are printed in."""

from __future__ import annotations

import os
import platform
import statistics

Samples = dict[str, list[float]]


def machine(folder: str) -> str:
    """One line that says on what this was measured."""
    kind = "tmpfs" if folder.startswith("/dev/shm") else folder
    return f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, stores on {kind}\n"


def median(samples: list[float]) -> float:
    return statistics.median(samples)


def compare(rows: dict[str, Samples], unit: str = "ms") -> str:
    """A Markdown table: a row per measurement, a column per engine, each with its ratio to ours."""
    engines: list[str] = []
    for samples in rows.values():
        engines += [name for name in samples if name not in engines]
    lines = ["| what | " + " | ".join(engines) + " |", "| --- |" + " --- |" * len(engines)]
    for what, samples in rows.items():
        ours = median(samples["tack"]) if samples.get("tack") else None
        cells = [cell(name, samples.get(name), ours, unit) for name in engines]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(name: str, samples: list[float] | None, ours: float | None, unit: str) -> str:
    if not samples:
        return "not measured"
    value = median(samples)
    text = f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    spread = f" ({min(samples):.1f}–{max(samples):.1f})" if len(samples) > 1 else ""
    ratio = f", {value / ours:.1f}×" if ours and name != "tack" else ""
    return text + ratio + spread


def beside(rows: dict[str, tuple[str, bool, Samples]], names: dict[str, str]) -> str:
    """A Markdown table with a unit per row and, beside each peer's figure, how many times better ours is.

    Args:
        rows: unit, whether more is better, samples by name; ours is the first name.
        names: what to call each column.
    """
    lines = ["| what | " + " | ".join(names.values()) + " |", "| --- |" + " ---: |" * len(names)]
    for what, (unit, more, samples) in rows.items():
        ours = median(next(iter(samples.values())))
        cells = []
        for number, name in enumerate(names):
            value = median(samples[name])
            better = (ours / value if more else value / ours) if value and ours else 0
            cells.append(f"{figure(value)} {unit}" + (f" ({better:.1f}×)" if number else ""))
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
