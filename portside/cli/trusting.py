"""Asking whether a recipe's own checks may run here: they are code of whoever wrote it."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from portside.common.called import to_person
from portside.common.values import shown_value

if TYPE_CHECKING:
    from portside.recipe import Recipe
    from portside.store import Store


def need_trust(recipe: "Recipe", store: "Store", said: bool, ours: "Callable[[], list[Recipe]]") -> None:
    """Ask, where it is not known. said: whether the person has said so. ours: the recipes of Portside itself.

    Raises CheckError where nobody can be asked, or says no.
    """
    from portside.check.trust import brought_by, is_trusted, own_checks, trust
    from portside.errors import CheckError

    checks = own_checks(recipe)
    known = None if checks is None else is_trusted(checks, store)
    if checks is None or known:
        return
    theirs = known is not None or checks.digest not in {own.digest for r in ours() if (own := own_checks(r))}
    if theirs and not said:
        bundle = brought_by(checks, store)
        whose = f"that came in {shown_value(bundle)}" if bundle else "that have not run here before as they are now"
        files = ", ".join(str(file) for file in checks.files)
        problem = f"the recipe {recipe.name} has checks of its own {whose}, and they are code: {files}"
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise CheckError(problem, f"Read them; then: invoke check --recipe {recipe.name} --trust")
        print(to_person(f"{problem}\nRead them first. Run them? [y/N] "), end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CheckError(f"the checks of {recipe.name} were not run", "Nothing was done.")
    trust(checks, store)
