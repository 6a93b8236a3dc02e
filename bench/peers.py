"""Where newer peers than Debian's are: built from their Go modules into $PEERS/bin, or built now if Go is here.

Nothing of them enters the checkout. Without Go, or without its module proxy, the peer is named and skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("PEERS", "/tmp/peers"))
MODULES = {
    "dockerd": ("github.com/moby/moby/v2@latest", "github.com/moby/moby/v2/cmd/dockerd", ""),
    "docker-proxy": ("github.com/moby/moby/v2@latest", "github.com/moby/moby/v2/cmd/docker-proxy", ""),
    "containerd": (
        "github.com/containerd/containerd/v2@latest",
        "github.com/containerd/containerd/v2/cmd/containerd",
        "",
    ),
    "containerd-shim-runc-v2": (
        "github.com/containerd/containerd/v2@latest",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        "",
    ),
    "runc": ("github.com/opencontainers/runc@latest", "github.com/opencontainers/runc", "seccomp"),
    "registry": (
        "github.com/distribution/distribution/v3@latest",
        "github.com/distribution/distribution/v3/cmd/registry",
        "",
    ),
    "conformance": (
        "github.com/opencontainers/distribution-spec/conformance@latest",
        "github.com/opencontainers/distribution-spec/conformance",
        "",
    ),
}
BESIDE = {"dockerd": ("docker-proxy",), "containerd": ("containerd-shim-runc-v2",)}


def folder(*names: str) -> Path | None:
    """The folder that holds all of `names`, building what is missing; None when one cannot be had."""
    wanted = [part for name in names for part in (name, *BESIDE.get(name, ()))]
    bin_folder = FOLDER / "bin"
    return bin_folder if all((bin_folder / name).exists() or build(name) for name in wanted) else None


def module_version(name: str) -> str:
    """The version of the module that a built program came from, for those that do not know it themselves."""
    done = subprocess.run(
        ["go", "version", "-m", str(FOLDER / "bin" / name)], capture_output=True, text=True, check=False
    )
    wanted = MODULES[name][0].partition("@")[0]
    return next((line.split()[2] for line in done.stdout.splitlines() if f"\t{wanted}\t" in line), "unknown")


def build(name: str) -> bool:
    """One program from its module, in a wrapper module so that the peer's replace directives do not matter."""
    if not shutil.which("go"):
        return False
    module, package, tags = MODULES[name]
    source = FOLDER / "src" / f"bench-{name}"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    (source / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{package}"\n')
    environment = os.environ | {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "1" if tags else "0"}
    steps = (
        ["go", "mod", "init", f"peer/{name}"],
        ["go", "get", module],
        ["go", "mod", "tidy"],
        ["go", "build", "-tags", tags, "-o", str(FOLDER / "bin" / name), package],
    )
    for words in steps:
        done = subprocess.run(words, cwd=source, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"- {name}: cannot be built here: {done.stderr.strip().splitlines()[-1:]}")
            return False
    return True


if __name__ == "__main__":
    sys.exit(0 if folder(*sys.argv[1:]) else 1)
