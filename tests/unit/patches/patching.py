"""What the tests of patch steps share: steps from YAML, trees from dicts."""

import textwrap

import yaml
from pydantic import TypeAdapter

from portside.common.tree import Tree, file_entry
from portside.patches.apply import Patched, apply
from portside.patches.steps import Step

STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])


def steps(text: str) -> tuple[Step, ...]:
    return STEPS.validate_python(yaml.safe_load(textwrap.dedent(text)))


def tree_of(files: dict[str, bytes | str]) -> Tree:
    return Tree(
        file_entry(path, data if isinstance(data, bytes) else data.encode(), mtime=1_600_000_000)
        for path, data in files.items()
    )


def patch(files: dict[str, bytes | str], text: str, recipe: dict[str, bytes | str] | None = None) -> Patched:
    """Apply the steps in `text` to a tree of `files`; `recipe` is the recipe's folder."""
    return apply(tree_of(files), steps(text), tree_of(recipe or {}))


def contents(tree: Tree) -> dict[str, bytes]:
    return {entry.path: entry.read() for entry in tree.files()}
