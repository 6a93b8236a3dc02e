"""Where the bytes of blobs and of unfinished uploads are: the promise in `interface`, the embedded way in `files`."""
