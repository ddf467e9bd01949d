"""Every key of every committed recipe, as it is written down: a change of code that changes one says so."""

import json
from pathlib import Path

from portside.prepare import locked_plan
from portside.project import Project
from portside.recipe import find_recipes

ROOT = Path(__file__).parents[3]


def test_keys_are_those_that_are_written_down() -> None:
    project = Project(ROOT)
    found = {}
    for name in find_recipes(ROOT):
        made = locked_plan(project, project.recipe(name))
        found[name] = {f"{part.layer}/{part.name}": part.key for part in made.stack()}
        found[name] |= {layer.name: layer.key for layer in made.layers}
    written = json.loads((Path(__file__).parent / "keys.json").read_text(encoding="utf-8"))
    assert found == written
