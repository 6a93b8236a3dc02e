"""The layer driver that unpacks: a directory per layer in overlayfs' own form."""
