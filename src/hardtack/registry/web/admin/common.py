"""The tabs above the pages of those who run the registry."""

from __future__ import annotations

ADMIN_TABS = (
    ("/admin", "Overview"),
    ("/admin/users", "Users"),
    ("/admin/organisations", "Organisations"),
    ("/admin/namespaces", "Namespaces"),
    ("/admin/audit", "Audit log"),
)
PAGE = 50
