"""Several recipes that extend a small one, and a machine that builds them together."""

from collections.abc import Sequence
from typing import Any

from small_project import Machine
from test_builds_share_parts import Executing

from portside.build.many import Wish, build_all
from portside.build.whole import BuildReport
from portside.config import Config
from portside.fetch.fetcher import Fetcher
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import load_recipe


def add(here: Machine, name: str, more: str = "", files: dict[str, str] | None = None) -> None:
    """A recipe that extends `small`. more: YAML. files: of its folder, by name."""
    folder = here.small.root / "recipes"
    (folder / f"{name}.yaml").write_text(f"description: {name}\nextends: small\n{more}")
    (folder / name).mkdir(exist_ok=True)
    for path, text in (files or {}).items():
        (folder / name / path).write_text(text)


def plans(here: Machine, names: Sequence[str]) -> list[Plan]:
    """Their plans; the lock of each is that of `small`, for they ask for nothing else."""
    lock = here.plan.lock
    found = []
    for name in names:
        recipe = load_recipe(here.small.root, name)
        found.append(plan(recipe, lock.model_copy(update={"recipe": name, "requests": recipe.requests()})))
    return found


def build(here: Machine, names: Sequence[str], **wish: Any) -> BuildReport:
    fetcher = Fetcher(here.store, Config(home=here.home, folders=(here.small.downloads,)), offline=True)
    engine: Any = here.engine
    return build_all(plans(here, names), here.store, fetcher, engine, Wish(**wish))


def executing(here: Machine, *, install: bool = True) -> Executing:
    """Give the machine an engine that is told of its builds, and the small recipe a step that it executes."""
    engine = Executing()
    here.engine = engine
    path = here.small.root / "recipes" / "small.yaml"
    if install:
        path.write_text(path.read_text() + 'install: ["true"]\n')
    return engine
