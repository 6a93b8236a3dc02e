"""What the registry knows about its content: repositories, tags, manifests, links to blobs, uploads.

`interface` says what every implementation promises, `rows` what they hand out. SQLite is the embedded one.
"""
