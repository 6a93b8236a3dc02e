"""What a page says after a form was done. An address carries a word of this table, never the text itself."""

from __future__ import annotations

NOTICES = {
    "saved": "Saved.",
    "created": "Created.",
    "renamed": "Moved. The old name no longer leads here.",
    "tag-deleted": "The tag is deleted.",
    "deleted": "Deleted.",
    "deleted-for-now": "Deleted. It can be brought back under “Deleted” for a while.",
    "restored": "It is back.",
    "forgotten": "Its space is being freed.",
    "password": "Your password is changed. You were logged out everywhere else.",
    "ended": "All sessions were ended.",
    "revoked": "Revoked. It is no good any more, anywhere.",
    "given": "Given.",
    "taken": "Taken back.",
    "added": "Added.",
    "removed": "Removed.",
    "enabled": "Enabled.",
    "disabled": "Disabled, with everything that it logs in with.",
    "retried": "It will be tried again in a moment.",
}
