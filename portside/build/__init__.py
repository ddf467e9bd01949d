"""In: a plan.
Out: layer blobs and images, or the Dockerfile that a plain engine builds.
"""

from portside.build.builder import build

__all__ = ["build"]
