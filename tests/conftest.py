"""Fixtures that every folder of tests may use; each says what it costs."""

from __future__ import annotations
