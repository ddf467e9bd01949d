"""In: a recipe and its lock.
Out: every layer's parts and keys, and what the store has of them.
"""

from portside.plan.parts import plan

__all__ = ["plan"]
