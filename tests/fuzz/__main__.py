"""`./dev fuzz [NAME] [SECONDS]`: let atheris look for bytes that a harness does not stand.

What is under attack is instrumented, so that new bytes are made of those that reached somewhere new. A find is written
into the folder that is named in the output; put its bytes among the seeds of the harness.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hardtack.oci", "hardtack.registry", "hardtack.jsontext"]):
    from fuzz.all import HARNESSES
    from fuzz.harness import HOSTILE, Harness

_LONGEST = 8192


def _fault(data: bytes) -> None:
    if data[:1] == b"!":
        raise RuntimeError("a fault that is there on purpose")


def everything(data: bytes) -> None:
    """The first byte chooses the harness."""
    if data:
        list(HARNESSES.values())[data[0] % len(HARNESSES)].check(data[1:])


def chosen(name: str) -> Harness:
    if name == "_fault":
        return Harness(_fault, (b"?",))
    if name != "all":
        return HARNESSES[name]
    seeds = [bytes([number]) + seed for number, each in enumerate(HARNESSES.values()) for seed in each.seeds]
    return Harness(everything, tuple(seeds))


def attack(harness: Harness, seconds: int, folder: Path) -> None:
    """Run until the time is over or something is found; never returns."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(harness.seeds):
        (corpus / str(number)).write_bytes(seed)
    words = (folder / "words.dict").open("wb")
    for piece in HOSTILE:
        if piece:
            words.write(b'"' + b"".join(b"\\x%02x" % byte for byte in piece[:60]) + b'"\n')
    words.close()
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        f"-dict={words.name}",
        f"-artifact_prefix={folder}/",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], harness.check)
    atheris.Fuzz()


def main(words: list[str]) -> None:
    name, seconds = (*words, *("all", "60")[len(words) :])[:2]
    if name not in (*HARNESSES, "all", "_fault") or not seconds.isdigit():
        sys.exit(f"usage: ./dev fuzz [NAME] [SECONDS]; names: all {' '.join(HARNESSES)}")
    attack(chosen(name), int(seconds), Path(tempfile.mkdtemp(prefix="tack-fuzz-")))


if __name__ == "__main__":
    main(sys.argv[1:])
