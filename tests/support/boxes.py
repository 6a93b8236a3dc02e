"""A container as far as its network goes: rows, an interface, a namespace, and no process."""

from __future__ import annotations

import os

from hardtack.network import attach
from hardtack.network.attach import Attachment
from hardtack.store.root import Root


class Box:
    """A container as far as its network goes."""

    def __init__(self, root: Root, ident: str, attachment: Attachment, namespace: int) -> None:
        self.root = root
        self.id = ident
        self.attachment = attachment
        self.namespace = namespace

    @property
    def address(self) -> str:
        return self.attachment.address

    def host_port(self, position: int = 0) -> int:
        return self.attachment.ports[position].host_port

    def end(self) -> None:
        """Take it down as the engine does."""
        self.attachment.close()
        attach.teardown(self.root, self.id)
        if self.namespace >= 0:
            os.close(self.namespace)
            self.namespace = -1
