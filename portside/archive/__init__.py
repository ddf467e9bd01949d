"""Image archives: docker-archive and OCI layout in a tar, read and written as streams."""
