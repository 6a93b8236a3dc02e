"""The registry server: the distribution API over blobs and metadata, the pages for people, the online collection.

It promises that what was acknowledged is on disk, that access follows repositories and never digests alone, and that a
delete is seen by every worker at once. Of the store it uses only the blob files; it knows nothing of containers.
"""
