"""Every harness over its seeds, over what hypothesis makes of them, and for a moment under atheris."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.all import HARNESSES
from fuzz.harness import HOSTILE, Harness

TESTS = Path(__file__).parents[1]


def mutated(harness: Harness) -> st.SearchStrategy[bytes]:
    """Seeds with something cut out and something put in, once or a few times."""
    piece = st.sampled_from((*HOSTILE, *harness.seeds)) | st.binary(max_size=8)
    change = st.tuples(st.integers(0, 400), st.integers(0, 12), piece)

    def made(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for place, cut, put in changes:
            at = place % (len(seed) + 1)
            seed = seed[:at] + put + seed[at + cut :]
        return seed

    return st.builds(made, st.sampled_from(harness.seeds), st.lists(change, max_size=4))


@pytest.mark.parametrize("name", HARNESSES)
def test_no_seed_is_handled_wrongly(name: str) -> None:
    harness = HARNESSES[name]
    for seed in (*harness.seeds, *HOSTILE):
        harness.check(seed)


@pytest.mark.parametrize("name", HARNESSES)
def test_nothing_made_of_the_seeds_is_handled_wrongly(name: str) -> None:
    harness = HARNESSES[name]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(harness))
    def attack(data: bytes) -> None:
        harness.check(data)

    attack()


def atheris(folder: Path, name: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run it as `./dev fuzz` does, with what it finds in a folder."""
    pytest.importorskip("atheris", reason="atheris has no build for this Python and machine")
    words = [sys.executable, "-m", "fuzz", name, str(seconds)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(words, cwd=TESTS, env=environment, capture_output=True, text=True, timeout=90, check=False)


def test_atheris_finds_nothing_in_a_moment(tmp_path: Path) -> None:
    """All harnesses in one process, since starting and instrumenting costs more than running."""
    done = atheris(tmp_path, "all", 2)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Done" in done.stderr, done.stderr[-1000:]


def test_atheris_would_tell_of_a_fault(tmp_path: Path) -> None:
    done = atheris(tmp_path, "_fault", 20)
    assert done.returncode != 0
    assert "a fault that is there on purpose" in done.stdout + done.stderr
