"""The keys that detach from a terminal: read as docker writes them, found in what is typed. Pure."""

from __future__ import annotations

from hardtack.container.errors import InvalidOption

DEFAULT_KEYS = "ctrl-p,ctrl-q"


def parse_keys(text: str) -> bytes:
    """Read --detach-keys: keys between commas, a character or ctrl-X.

    Raises:
        InvalidOption: none of these.
    """
    found = bytearray()
    for key in text.split(",") if text else ():
        if len(key) == 1 and key.isascii():
            found += key.encode()
        elif key.startswith("ctrl-") and len(key) == 6 and "@" <= key[5].upper() <= "_":
            found.append(ord(key[5].upper()) - 0x40)
        else:
            raise InvalidOption("--detach-keys", text, f"unknown key {key or 'of no letters'}")
    return bytes(found)


class Keys:
    """Finds the detach keys in what is typed; they may come in pieces."""

    __slots__ = ("_held", "_keys")

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on, and whether the keys are complete."""
        if not self._keys:
            return data, False
        passed = bytearray()
        for byte in data:
            if byte == self._keys[self._held]:
                self._held += 1
                if self._held == len(self._keys):
                    return bytes(passed), True
                continue
            if self._held:
                passed += self._keys[: self._held]
                self._held = 0
                if byte == self._keys[0]:
                    self._held = 1
                    continue
            passed.append(byte)
        return bytes(passed), False
