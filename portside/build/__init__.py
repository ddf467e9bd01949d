"""In: a plan. Out: layer blobs and images, or the Dockerfile that a plain engine builds."""
