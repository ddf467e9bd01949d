"""One file that carries a recipe and all its inputs to a machine without a network. docs/reproducibility.md

In: a plan and the store, or a bundle.
Out: one file, or its recipe in the checkout and its inputs in the store.
"""

from portside.bundle.read import Unbundled, unbundle
from portside.bundle.write import bundle

__all__ = ["Unbundled", "bundle", "unbundle"]
