"""In: a built plan.
Out: what testinfra finds in a container of each layer.
"""

from portside.check.layer_checks import check

__all__ = ["check"]
