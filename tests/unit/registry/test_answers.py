"""Errors as answers."""

from __future__ import annotations

import inspect

from hardtack.registry import errors
from hardtack.registry.accounts import errors as of_accounts
from hardtack.registry.api import answers
from hardtack.registry.events import errors as of_webhooks
from hardtack.registry.upstream import errors as of_upstreams

NEVER_ANSWERED = {errors.RegistryError, errors.CannotServe, of_upstreams.UpstreamError}
"""Roots of families, and what keeps a server from starting."""


def test_every_error_that_a_request_can_end_with_has_a_status() -> None:
    for module in (errors, of_accounts, of_webhooks, of_upstreams):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, errors.RegistryError) and kind not in NEVER_ANSWERED:
                assert kind in answers._STATUS, kind
