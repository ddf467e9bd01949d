"""Build recipes anew in a store that has nothing but inputs, and print their image IDs as JSON. Runs under a row's
conditions, with its Python."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from portside.build.choose_places import Builders
from portside.build.many import Wish, build_all
from portside.engines import Builder
from portside.fetch.fetcher import Fetcher
from portside.prepare import lock_pin_and_plan
from portside.project import Project

project = Project.find(Path(sys.argv[2]))
recipes = sys.argv[3:]
plans = [lock_pin_and_plan(project, project.recipe(name), offline=True) for name in recipes]
builders = Builders(project.config.builder_settings, os.environ)
engine: Builder | None = project.engine() if builders.engine_builds else None
wish = Wish(no_cache=True, load=False, builders=builders)
report = build_all(plans, project.store, Fetcher(project.store, project.config, True), engine, wish)
found = {name: f"sha256:{built[-1].image.image_id}" for name, built in report.built.items()}
failed = {name: error.problem for name, error in report.failed.items()}
print(json.dumps({"ids": found, "failed": failed}))
