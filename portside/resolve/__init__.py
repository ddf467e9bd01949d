"""In: a recipe.
Out: its lock, every range and name turned into exact bytes.
"""

from portside.resolve.chain import lock_recipe

__all__ = ["lock_recipe"]
