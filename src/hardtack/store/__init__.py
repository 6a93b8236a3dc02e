"""One content store for engine and builder: blobs by digest, references, leases, collection, mountable layers.

Everything durable lies below one root (`root.Root`). Bytes are in files, what points at what is in one database.
The registry uses the blob files alone (`blob.BlobStore`), which know nothing of the database.
"""
