"""Measurements beside the peers, in one run, on one machine: `./dev bench [NAME...]`.

Absolute times move from machine to machine and from day to day, so every figure is a median next to the peer's
median, taken in turns within the same minutes. A peer that cannot be had here is named and left out.
"""

from __future__ import annotations
