"""In: a working folder in which somebody edited a recipe's code.
Out: the recipe that gives this code, written at once or not at all.
"""

from portside.capture.take import Captured, capture

__all__ = ["Captured", "capture"]
