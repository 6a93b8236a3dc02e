"""Blobs in any S3-compatible store, so that a registry's processes need no disk in common.

`settings` may be imported anywhere; everything else needs aiobotocore and is imported where S3 is configured.
"""
