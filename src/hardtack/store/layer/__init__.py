"""Layers: the tar of one step of an image, made mountable. Two drivers behave alike; `erofs` unpacks nothing."""

from __future__ import annotations

from hardtack.store.layer.layers import LayerStore

__all__ = ["LayerStore"]
