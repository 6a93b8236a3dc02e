"""What can go wrong with images as people name them."""

from __future__ import annotations

from hardtack.errors import TackError


class ImageError(TackError):
    """The root of this family."""


class PlatformMissing(ImageError):
    """The image is here, but not for the wanted platform.

    Attributes:
        name: as it was asked for.
        wanted, offered: platforms as text; offered is what the store holds of it.
    """

    def __init__(self, name: str, wanted: str, offered: str) -> None:
        super().__init__(
            f"image with reference {name} was found but its platform ({offered}) does not match the specified platform"
            f" ({wanted})",
            f"Pull it with --platform {wanted}",
        )
        self.name = name
        self.wanted = wanted
        self.offered = offered
