"""The vocabulary: digests, references, descriptors, manifests, configs, platforms. Data and rules, no I/O.

Everything here is made valid once: a `Digest`, `Reference` or `Manifest` that exists needs no second check.
The modules are on the start path and import nothing but each other and `hardtack.jsontext`.
"""
