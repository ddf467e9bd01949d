"""What distinguishes two images or layers: files, packages and config. `sides` finds them, `report` shows them."""

from portside.diff.compare import ImageDiff, diff
from portside.diff.sides import Side, open_side

__all__ = ["ImageDiff", "Side", "diff", "open_side"]
