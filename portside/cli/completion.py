"""What a shell may complete behind an option: names of recipes, layers, targets. The options are invoke's own work."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from portside.errors import PortsideError

BASH = """\
# Completion for bash: source <(COMMAND --print-completion-script bash)
_complete_portside() {
    local found
    found=$("$1" --complete -- invoke "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$found" -- "${2#=}")
}
complete -o default -F _complete_portside COMMAND"""
"""invoke's own script does not tell whether the last word is finished, so that no value could be completed."""


def values(typed: str, root: Path | None) -> list[str] | None:
    """What may follow an option that wants a value; None where the last word is no such value.

    typed: the line up to the cursor; a space at its end begins a new word. root: the project's folder, if there is one.
    """
    words = typed.replace(" = ", " ").removesuffix("=").split(" ")  # bash takes --recipe=minilm for three words
    return _of(words[-2], words, root) if len(words) > 1 else None


def _of(option: str, words: Sequence[str], root: Path | None) -> list[str] | None:
    found: Iterable[str]
    match option:
        case "--recipe":
            from portside.recipe import find_recipes

            found = find_recipes(root) if root else ()
        case "--layer":
            from portside.recipe.models import LAYERS

            found = LAYERS
        case "--target" | "--watch":
            found = _targets(words, root)
        case "--engine":
            from portside.engines import ENGINES

            found = sorted(ENGINES)
        case "--ruleset":
            from portside.migrate.rulesets import names

            found = names(root)
        case "--accelerator":
            from portside.accelerators.load import accelerator_names

            found = accelerator_names(root=root)
        case "--example":
            from portside.begin import example_names

            found = example_names()
        case "--mode":
            found = ("precise", "vendor")
        case "--weights":
            found = ("baked", "mount")
        case _:
            return None
    return list(found)


def _targets(words: Sequence[str], root: Path | None) -> Iterable[str]:
    from portside.recipe import load_recipe

    if root is None or "--recipe" not in words[:-1]:
        return ()
    try:
        recipe = load_recipe(root, words[words.index("--recipe") + 1])
    except PortsideError:
        return ()
    return sorted(recipe.model.run.targets)
