"""The table of harnesses."""

from __future__ import annotations

from fuzz import addresses, credentials, headers, manifests, names
from fuzz.harness import Harness

HARNESSES: dict[str, Harness] = {
    **names.HARNESSES,
    **addresses.HARNESSES,
    **headers.HARNESSES,
    **manifests.HARNESSES,
    **credentials.HARNESSES,
}
