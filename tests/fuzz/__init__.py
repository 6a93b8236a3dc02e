"""Hostile input for everything that reads a stranger's bytes, one harness per parser.

A harness takes bytes and is silent when all is well: what was refused was refused by an error of the family that can
be told to the client, what was accepted agrees with a second, slower reading of the specification and survives being
written and read again. `./dev fuzz [NAME] [SECONDS]` looks for bytes that are not; `test_fuzz.py` replays the seeds.
"""

from __future__ import annotations
