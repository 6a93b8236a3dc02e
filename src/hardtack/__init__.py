"""hardtack: a registry, its repositories, their images, the containers that run from them, in one package."""

from __future__ import annotations

__version__ = "0.1.0"
