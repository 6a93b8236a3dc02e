"""The OCI's own suite for registries, run against ours: no failure, and nothing skipped that is ours to have.

The suite is a Go program (`github.com/opencontainers/distribution-spec/conformance`), looked for in `$PEERS/bin`, in
/tmp/peers/bin and on the PATH. Run with `-s` to see the counts.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from support.our_registry import TACK, our_registry

_COUNT = re.compile(r"^\s+(Disabled|Skip|Pass|FAIL|Error|Total)\.+:\s+(\d+)$", re.MULTILINE)


class Outcome(NamedTuple):
    """What the suite counted; `told` is what it said of failures and skips."""

    counts: dict[str, int]
    told: str


def suite() -> str:
    """The program. Skips where there is none."""
    places = [Path(os.environ.get("PEERS", "/tmp/peers")) / "bin" / "conformance"]
    if found := shutil.which("conformance"):
        places.append(Path(found))
    for place in places:
        if os.access(place, os.X_OK):
            return str(place)
    pytest.skip(f"the conformance suite is not there: neither {places[0]} nor `conformance` on the PATH; it needs Go")


def run_suite(host: str, folder: Path, version: str, **settings: str) -> Outcome:
    """Run the suite against a registry; results are written into the folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCI_")} | {
        "OCI_REGISTRY": host,
        "OCI_TLS": "disabled",
        "OCI_REPO1": "conformance/first",
        "OCI_REPO2": "conformance/second",
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(folder / "results"),
        **settings,
    }
    done = subprocess.run(
        [suite()], env=environment, cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    counts = {name.lower(): int(number) for name, number in _COUNT.findall(done.stdout)}
    assert counts, done.stdout[-2000:] + done.stderr[-2000:]
    return Outcome(counts, "\n".join(line for line in done.stderr.splitlines() if "WARN" in line))


def token(root: Path) -> str:
    """A token of a user whose repositories the suite writes to, in a registry that has accounts from now on."""
    tack(root, "user", "create", "conformance", "--no-password")
    return tack(root, "token", "create", "conformance").splitlines()[0]


def tack(root: Path, noun: str, verb: str, *words: str) -> str:
    """Administer a registry from the shell."""
    command = [TACK, "registry", noun, verb, *words, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.mark.parametrize("accounts", [False, True], ids=["anonymous", "accounts"])
@pytest.mark.parametrize(
    ("version", "options", "settings", "least"),
    [
        ("1.0", [], {}, 850),
        ("1.1", [], {}, 860),
        ("dev", [], {}, 980),
        ("dev", ["--sparse"], {"OCI_DATA_SPARSE": "true"}, 1030),
    ],
    ids=["1.0", "1.1", "dev", "dev-sparse"],
)
def test_the_suite_finds_nothing(
    tmp_path: Path, accounts: bool, version: str, options: list[str], settings: dict[str, str], least: int
) -> None:
    suite()
    root = tmp_path / "root"
    if accounts:
        # A token per request: one that was made to push to a repository is not good for mounting from another.
        login = {"OCI_USERNAME": "conformance", "OCI_PASSWORD": token(root), "OCI_CACHE_AUTH": "false"}
        settings = {**settings, **login}
    with our_registry(root, *options) as registry:
        counts, told = run_suite(registry.host, tmp_path, version, **settings)
    print(f"\nconformance {version} {' '.join(options)}{' with accounts' if accounts else ''}: {counts}")
    assert counts["fail"] == counts["error"] == counts["skip"] == 0, told
    assert counts["pass"] >= least
