"""Image archives: docker-archive and OCI layout in a tar, read and written as streams.

In: an image of the store, or a stream.
Out: an archive that `docker load` and others read, or an archive's image with every byte hashed.
"""
