"""A registry seen from outside: the distribution client that pulls and pushes.

`client` speaks the API's nouns, `transport` sends one request safely (authentication, redirects, retries), `fetch`
and `upload` move blobs between a registry and the store. What an image is called and when it counts as pulled is
decided above, in `hardtack.image`.
"""

from __future__ import annotations
