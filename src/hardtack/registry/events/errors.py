"""What goes wrong with webhooks.

Their HTTP status belongs to the edge, `api/answers.py`.
"""

from __future__ import annotations

from hardtack.registry.errors import RegistryError


class WebhookInvalid(RegistryError):
    """A webhook that cannot be made as it was asked for."""

    code = "WEBHOOK_INVALID"

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid webhook: {why}")


class WebhookUnknown(RegistryError):
    """No such webhook, or no such delivery."""

    code = "WEBHOOK_UNKNOWN"

    def __init__(self, name: int | str) -> None:
        super().__init__(f"there is no webhook or delivery {str(name)[:60]}")
