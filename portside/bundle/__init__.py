"""One file that carries a recipe and all its inputs to a machine without a network. docs/reproducibility.md"""

from portside.bundle.read import Unbundled, unbundle
from portside.bundle.write import bundle

__all__ = ["Unbundled", "bundle", "unbundle"]
