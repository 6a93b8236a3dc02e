"""How fast the same request is answered: by wrk where it is installed, else by processes of our own client."""

from __future__ import annotations

import re
import shutil
import subprocess
import time

from bench.wire import ACCEPT, Place, Wire, together

_CLIENTS = 4
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
_WRONG = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


def tool() -> str:
    """What makes the load, for the head of a table."""
    return "wrk" if shutil.which("wrk") else "our own client (wrk is not installed), which needs more of the machine"


def rate(place: Place, path: str, connections: int, seconds: float) -> float:
    """Requests a second that are answered with 200.

    Raises:
        RuntimeError: some were not.
    """
    if shutil.which("wrk") is None:
        return _own_rate(place, path, connections, seconds)
    threads = min(2, connections)
    words = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-H", ACCEPT]
    done = subprocess.run([*words, f"{place.url}{path}"], capture_output=True, text=True, check=False)
    found = _RATE.search(done.stdout)
    if found is None or _WRONG.search(done.stdout):
        raise RuntimeError(f"wrk on {path}: {done.stdout[-300:]}{done.stderr[-300:]}")
    return float(found[1])


def _own_rate(place: Place, path: str, connections: int, seconds: float) -> float:
    end = time.perf_counter() + seconds

    def ask(number: int) -> int:
        wires = [Wire(place) for _ in range(max(1, (connections + number) // _CLIENTS))]
        count = 0
        while time.perf_counter() < end:
            for wire in wires:
                if wire("GET", path)[0] != 200:
                    raise RuntimeError(f"{path} was not answered with 200")
                count += 1
        return count

    took, count = together(ask, min(_CLIENTS, connections))
    return count / took
