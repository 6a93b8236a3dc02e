"""Find the OCI runtime that works here, by trying: a container without a program has to fail for just that reason.

Runs once per boot and runtime; the result is kept by `runtime`. Nothing is left behind by a trial.
"""

from __future__ import annotations

import os
import subprocess

from hardtack import jsontext
from hardtack.container import groups
from hardtack.container.host import Host
from hardtack.container.refusals import last_error
from hardtack.container.runtime import PREFERRED, Runtime, unavailable
from hardtack.container.spec import Placed, make_spec
from hardtack.container.users import User
from hardtack.linux import cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.root import Root

_PLACES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/libexec")
_NEEDED_V1 = ("memory", "pids", "cpu", "devices")
_NO_PROGRAM = "/hardtack-probe"


def probe(root: Root, wanted: str = "") -> Runtime:
    """Choose a runtime.

    Args:
        wanted: a name or path that has to be it, or "".
    Raises:
        NoRuntime: nothing works; it says why for each candidate.
    """
    os.makedirs(f"{root.run}/oci/state", mode=0o700, exist_ok=True)
    os.close(os.open(f"{root.run}/oci/program", os.O_CREAT | os.O_CLOEXEC, 0o600))
    reasons: list[str] = []
    for name in (wanted,) if wanted else PREFERRED:
        path = find_program(name)
        if not path:
            reasons.append(f"{name} is not installed")
            continue
        runtime = _describe(name, path)
        reason = _try(root, runtime)
        if not reason:
            runtime.why = _explain(runtime, wanted, reasons)
            return runtime
        reasons.append(f"{name} {runtime.version} does not work here ({reason})")
    raise unavailable(reasons)


def find_program(name: str) -> str:
    """Where a program is, or nothing; a name with a slash is a path already."""
    if "/" in name:
        return os.path.realpath(name) if os.access(name, os.X_OK) else ""
    for place in (*os.environ.get("PATH", "").split(os.pathsep), *_PLACES):
        path = os.path.join(place, name)
        if place and os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.realpath(path)
    return ""


def _describe(name: str, path: str) -> Runtime:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
        lines = done.stdout.splitlines() or [""]
    except (OSError, subprocess.TimeoutExpired):
        lines = [""]
    first = lines[0].split()
    kind = first[0] if first and first[0] in ("crun", "runc") else "other"
    version = first[-1] if first else ""
    runtime = Runtime(name, path, kind, version)
    if kind == "crun":
        runtime.seals = True
        runtime.takes_filter = any("+SECCOMP" in line for line in lines) and _numbers(version) >= (1,)
        runtime.hides_unified = cgroup.layout() == cgroup.HYBRID and bool(cgroup.unified_controllers())
    return runtime


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".") if part.isdigit())


def _try(root: Root, runtime: Runtime) -> str:
    """Start a container that has nothing to run. Returns why that failed for another reason than this, or nothing."""
    if runtime.hides_unified and not all(os.path.isdir(f"{cgroup.MOUNT}/{name}") for name in _NEEDED_V1):
        return "control groups in hybrid mode, with some controllers on v2"
    ident = f"probe-{os.urandom(8).hex()}"
    bundle = f"{root.run}/oci/{ident}"
    group = f"/hardtack-{root.id}/{ident}"
    os.makedirs(f"{bundle}/rootfs", mode=0o700)
    try:
        placed = Placed(f"{bundle}/rootfs", User(0, 0, [0], "/", ""), group)
        spec = make_spec({"Cmd": [_NO_PROGRAM]}, {"NetworkMode": "none"}, placed, Host.probe())
        with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
            file.write(jsontext.dumps(spec))
        with groups.Kept(root):
            code = _run(root, runtime, bundle, ident)
        reason = last_error(f"{bundle}/log")
        if code == 0 or _NO_PROGRAM in reason:
            return ""
        return reason or f"its exit code was {code}"
    finally:
        _run_quietly(root, runtime, ident, bundle)
        cgroup.remove(group)
        groups.tidy(root)
        _remove(bundle)


def _run(root: Root, runtime: Runtime, bundle: str, ident: str) -> int:
    from hardtack.container.runtime import _call

    return _call(root, runtime, ["run", "--bundle", bundle, ident], f"{bundle}/log")


def _run_quietly(root: Root, runtime: Runtime, ident: str, bundle: str) -> None:
    from hardtack.container.runtime import _call

    if os.path.isdir(f"{root.run}/oci/state/{ident}"):
        _call(root, runtime, ["delete", "--force", ident], f"{bundle}/log-delete")


def _remove(bundle: str) -> None:
    import shutil

    shutil.rmtree(bundle, ignore_errors=True)


def _explain(runtime: Runtime, wanted: str, reasons: list[str]) -> str:
    if wanted:
        why = "asked for"
    elif reasons:
        why = "; ".join(reasons)
    else:
        why = "the fastest, and it works here"
    if runtime.hides_unified:
        why += "; the v2 control group tree, which holds none of the controllers in use, is hidden from it"
    return why
