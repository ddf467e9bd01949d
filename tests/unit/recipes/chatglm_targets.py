"""What `run-container --dry-run` prints for the chatglm recipes on the tutorial's machine, as docs/chatglm.md shows it.

Run as `python tests/unit/recipes/chatglm_targets.py` to see it.
"""

import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
RECIPES = ("chatglm", "chatglm-ptuning", "chatglm-ptuning-parallel", "chatglm-finetune", "chatglm-cpu")
SAME = ("--rm", "--pull=never", "--name", "--label", "--cap-", "--security-opt", "--ulimit", "--shm-size")
"""Options that are the same for every target: named once in the text, left out of the table."""


def commands(host_root: Path) -> Iterator[tuple[str, str, str]]:
    """Recipe, target, and its `docker run` without the options that all have."""
    from fake_hosts import sixteen

    from portside.engines.docker_run import as_command
    from portside.lock.file import read_lock
    from portside.recipe import load_recipe
    from portside.runtime import container_spec, read_intent
    from portside.runtime.datasets import data_mounts, target_data
    from portside.store import Store

    host = sixteen(host_root / "host")
    store = Store(host_root / "store")
    for name in RECIPES:
        recipe = load_recipe(ROOT, name)
        lock = read_lock(recipe.lock_path)
        assert lock is not None
        for target in recipe.model.run.targets:
            data = data_mounts(recipe, lock, target_data(recipe, target), store)
            spec = container_spec(read_intent(recipe, target=target), host, data=data, warn=lambda text: None)
            words = _distinct(as_command(spec))
            words = [word.replace(str(store.home), "STORE").replace(str(host.root), "") for word in words]
            yield name, target, shlex.join(words)


def _distinct(words: list[str]) -> list[str]:
    """A docker command line without the options that are the same everywhere."""
    out: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith(SAME):
            if word != "--rm" and "=" not in word:
                next(rest)
            continue
        out.append(word)
    return out


def table(host_root: Path) -> str:
    """As Markdown; a target that a recipe inherits as it is stands once, with the recipe that says it."""
    rows = ["| recipe | target | container |", "| --- | --- | --- |"]
    seen = set()
    for name, target, line in commands(host_root):
        here = (target, line.replace(f"portside/{name}:", "portside/…:"))
        if here not in seen:
            rows.append(f"| {name} | {target} | `{line}` |")
        seen.add(here)
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.path += [str(ROOT), str(ROOT / "tests" / "unit" / "runtime")]
    with tempfile.TemporaryDirectory() as folder:
        print(table(Path(folder)), end="")
