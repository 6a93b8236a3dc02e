"""Layers: the tar of one step of an image, made mountable. Two drivers behave alike; `erofs` unpacks nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardtack.store.layer.layers import LayerStore

__all__ = ["LayerStore"]


def __getattr__(name: str) -> object:
    if name != "LayerStore":
        raise AttributeError(name)
    from hardtack.store.layer.layers import LayerStore  # a start needs `mounting` alone

    return LayerStore
