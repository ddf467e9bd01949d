"""A checkout with a recipe on an image of a registry, and a store of its own."""

from pathlib import Path
from typing import Any

from small_project import NoEngine

from portside.build.many import build
from portside.config import Config
from portside.fetch.fetcher import Fetcher
from portside.image.built import Built
from portside.lock.bases import ImageBase
from portside.lock.file import check_lock, read_lock, write_lock
from portside.lock.models import Lock
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.resolve.resolver import make_lock
from portside.store import Store

RECIPE = """\
description: on an image of a registry
base:
  image: {image}
accelerator: {{name: cpu}}
env: {{files: [{{from: motd, to: /etc/motd}}]}}
"""


class Site:
    """A machine with a checkout and a store of its own."""

    def __init__(self, root: Path, image: str, **config: Any) -> None:
        (root / "recipes/r").mkdir(parents=True)
        (root / "recipes/r/motd").write_text("hello\n")
        self.root = root
        self.config = Config(home=root / "home", **config)
        self.store = Store(self.config.home)
        self.ask(image)

    def ask(self, image: str) -> None:
        (self.root / "recipes/r.yaml").write_text(RECIPE.format(image=image))

    def lock(self, *update: str) -> ImageBase:
        """What `lock` does."""
        recipe = load_recipe(self.root, "r")
        old = read_lock(recipe.lock_path)
        made = make_lock(recipe, old, update, self.store, self.config)
        write_lock(recipe, made)
        assert isinstance(made.base, ImageBase)
        return made.base

    def locked(self) -> Lock:
        recipe = load_recipe(self.root, "r")
        lock = read_lock(recipe.lock_path)
        assert lock is not None
        check_lock(recipe, lock)
        return lock

    def plan(self) -> Plan:
        return plan(load_recipe(self.root, "r"), self.locked())

    def fetcher(self, offline: bool = False) -> Fetcher:
        return Fetcher(self.store, self.config, offline)

    def build(self, offline: bool = False) -> Built:
        return self.build_all(offline)[-1]

    def build_all(self, offline: bool = False) -> list[Built]:
        return build(self.plan(), self.store, self.fetcher(offline), NoEngine())  # type: ignore[arg-type]
