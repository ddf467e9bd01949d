"""In: a recipe that is built.
Out: a folder with its code to edit, as a git repository, and a container of its image that sees each edit at once.
"""

from portside.develop.session import Wanted, develop

__all__ = ["Wanted", "develop"]
