"""What the OCI's own suite for registries finds: in ours, and with the same binary in the peers.

Every version of the suite meets a fresh registry. `tests/conformance` insists on what this only counts, and does so
with accounts, over S3 and with three replicas as well.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from bench import peers
from bench.registries import KINDS, Hardtack, Registry

SPARSE = "dev, sparse manifests"
VERSIONS = {"1.0": {}, "1.1": {}, "dev": {}, SPARSE: {"OCI_VERSION": "dev", "OCI_DATA_SPARSE": "true"}}
_COUNT = re.compile(r"^\s+(Skip|Pass|FAIL|Error)\.+:\s+(\d+)$", re.MULTILINE)


class Sparse(Hardtack):
    """Ours, which wants to be told that images may lack their layers."""

    def words(self) -> list[str]:
        return [*super().words(), "--sparse"]


def measure(folder: Path, _runs: int, _quick: bool) -> str:
    """A table: failed / skipped / passed."""
    found = peers.folder("conformance")
    if found is None:
        return "The suite is not built, and there is no Go to build it with."
    kinds = [kind for kind in KINDS if not kind.problem()]
    left_out = [f"- {kind.name}: left out: {kind.problem()}\n" for kind in KINDS if kind.problem()]
    lines = [
        f"Suite {peers.module_version('conformance')}; failed / skipped / passed.\n",
        f"| version | {' | '.join(f'{kind.name} {kind.version()}' for kind in kinds)} |",
        "| --- |" + " --- |" * len(kinds),
    ]
    for version in VERSIONS:
        cells = [_cell(found / "conformance", kind, folder, version) for kind in kinds]
        lines.append(f"| {version} | {' | '.join(cells)} |")
    return "".join(left_out) + "\n".join(lines)


def _cell(suite: Path, kind: type[Registry], folder: Path, version: str) -> str:
    registry = (Sparse if kind is Hardtack and version == SPARSE else kind)(folder, None)
    registry.start()
    try:
        counts = _counts(suite, registry, version)
    finally:
        registry.stop()
    return f"{counts['FAIL'] + counts['Error']} / {counts['Skip']} / {counts['Pass']}"


def _counts(suite: Path, registry: Registry, version: str) -> dict[str, int]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCI_")} | {
        "OCI_REGISTRY": f"{registry.place.host}:{registry.place.port}",
        "OCI_TLS": "disabled",
        "OCI_REPO1": "conformance/first",
        "OCI_REPO2": "conformance/second",
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(registry.folder / "results"),
        **VERSIONS[version],
    }
    done = subprocess.run([suite], env=environment, cwd=registry.folder, capture_output=True, text=True, check=False)
    counts = {name: int(number) for name, number in _COUNT.findall(done.stdout)}
    if len(counts) != 4:
        raise RuntimeError(f"the suite said of {registry.name}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return counts
