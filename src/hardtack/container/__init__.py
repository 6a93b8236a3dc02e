"""One container's life: what it shall be, its process, its monitor, its streams, its end.

Rules are apart from effects: `body`, `spec`, `states`, `seccomp` decide on plain values, `create`, `start`,
`monitor`, `control` and `remove` do. Nothing here knows of the command line.
"""

from __future__ import annotations
