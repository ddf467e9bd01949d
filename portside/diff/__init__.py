"""What distinguishes two images or layers: files, packages and config. `sides` finds them, `report` shows them.

In: two names of images, layers or archives.
Out: the files, packages and settings that differ.
"""

from portside.diff.compare import ImageDiff, diff
from portside.diff.sides import Side, open_side

__all__ = ["ImageDiff", "Side", "diff", "open_side"]
