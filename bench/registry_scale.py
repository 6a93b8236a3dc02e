"""Whether anything grows with how much there is: a hundred thousand tags and repositories beside a hundred.

The same requests in turn to two servers that differ in nothing else; and the memory of the large one over a million.
"""

from __future__ import annotations

import base64
import statistics
import subprocess
import time
from pathlib import Path

from bench.crowded import HOME, REFERRERS, Crowd, name_of, tag_of
from bench.loads import rate
from bench.registries import TACK
from bench.table import figure
from bench.wire import Wire

PAGE = 100
FEW = 10
USER, PASSWORD = "few", "a password of the bench 1"


def measure(folder: Path, runs: int, quick: bool) -> str:
    """A table of medians, and a line about memory."""
    small, large = Crowd(folder, 110), Crowd(folder, 2_000 if quick else 100_000)
    crowds, asked = (small, large), 50 if quick else max(300, runs * 20)
    for crowd in crowds:
        crowd.fill()
        crowd.start()
    try:
        rows = {what: _medians(crowds, request, asked) for what, request in PATHS.items()}
        memory = _memory(large, 5_000 if quick else 1_000_000)
        for crowd in crowds:
            crowd.end()
            _admit(crowd)
            crowd.accounts = True
            crowd.start()
        rows[f"catalog, for somebody who may pull {FEW} of them"] = _medians(
            crowds, f"GET /v2/_catalog?n={PAGE}", asked, True
        )
    finally:
        for crowd in crowds:
            crowd.stop()
    return f"{_table(rows, small.count, large.count)}\n\n{memory}"


PATHS = {
    f"tags, first page of {PAGE}": f"GET /v2/{HOME}/tags/list?n={PAGE}",
    f"tags, last page of {PAGE}": f"GET /v2/{HOME}/tags/list?n={PAGE}&last={{late_tag}}",
    f"catalog, first page of {PAGE}": f"GET /v2/_catalog?n={PAGE}",
    f"catalog, last page of {PAGE}": f"GET /v2/_catalog?n={PAGE}&last={{late_name}}",
    f"referrers of a manifest ({REFERRERS})": f"GET /v2/{HOME}/referrers/{{subject}}",
    "HEAD of a blob": f"HEAD /v2/{HOME}/blobs/{{blob}}",
    "manifest by tag": f"GET /v2/{HOME}/manifests/{{tag}}",
    "manifest of one repository of many": f"GET /v2/{{name}}/manifests/{tag_of(0)}",
    "page of the repository": f"GET /{HOME}",
}


def _asked(crowd: Crowd, request: str) -> tuple[str, str]:
    """Method and address of a request in a crowd of that size."""
    count = crowd.count
    method, _, address = request.format(
        late_tag=tag_of(count - PAGE - 1),
        late_name=name_of(count - PAGE - 2),
        subject=crowd.subject,
        blob=crowd.blob,
        tag=tag_of(count // 2),
        name=name_of(count // 2),
    ).partition(" ")
    return method, address


def _medians(crowds: tuple[Crowd, Crowd], request: str, count: int, known: bool = False) -> list[float]:
    """Milliseconds that a request takes at each, one at a time, a few at one and then at the other."""
    wires = [Wire(crowd.place, _basic() if known else "") for crowd in crowds]
    took: list[list[float]] = [[] for _ in crowds]
    for block in range(11):
        for crowd, wire, times in zip(crowds, wires, took, strict=True):
            method, address = _asked(crowd, request)
            for _ in range(max(1, count // 10)):
                began = time.perf_counter()
                status, _, said = wire(method, address)
                if block:  # the first is not counted
                    times.append((time.perf_counter() - began) * 1000)
                if status != 200:
                    raise RuntimeError(f"{address} was answered {status}: {said[:200]!r}")
    for wire in wires:
        wire.close()
    return [statistics.median(times) for times in took]


def _basic() -> str:
    return "Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _admit(crowd: Crowd) -> None:
    """Make somebody with the right to pull from a few repositories."""
    root = ["--root", str(crowd.root)]
    words = [TACK, "registry", "user", "create", *root, "--password-stdin", USER]
    subprocess.run(words, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
    for number in range(FEW):
        name = name_of(crowd.count * number // FEW)
        subprocess.run([TACK, "registry", "grant", "add", *root, USER, name, "read"], check=True, capture_output=True)


def _memory(crowd: Crowd, requests: int) -> str:
    """What the workers hold before and after so many requests of several kinds."""
    asked = [_asked(crowd, request) for what, request in PATHS.items() if not what.startswith("page")]
    paths = [address for method, address in asked if method == "GET"]
    counted, began, sizes = 0.0, 0.0, []
    while counted < requests:
        for path in paths:
            counted += rate(crowd.place, path, 16, 1 if requests < 100_000 else 5) * (1 if requests < 100_000 else 5)
        sizes.append(_resident(crowd))
        began = began or counted
    return (
        f"Resident memory of the workers after {began:,.0f} requests {sizes[0]:.1f} MB, after {counted:,.0f} "
        f"{sizes[-1]:.1f} MB (largest in between {max(sizes):.1f})."
    )


def _resident(crowd: Crowd) -> float:
    pids = crowd.processes()[1:]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def _table(rows: dict[str, list[float]], few: int, many: int) -> str:
    lines = [f"| what | {few:,} | {many:,} | ratio |", "| --- | ---: | ---: | ---: |"]
    for what, (small, large) in rows.items():
        lines.append(f"| {what} | {figure(small)} ms | {figure(large)} ms | {large / small:.2f} |")
    return "\n".join(lines)
