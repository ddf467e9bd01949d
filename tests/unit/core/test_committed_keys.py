"""Every key of every committed recipe, as it is written down: a change of code that changes one says so."""

import json
from pathlib import Path

from committed_recipes import LOCKED

from portside.common.canonical import digest_of
from portside.prepare import locked_plan
from portside.project import Project

ROOT = Path(__file__).parents[3]


KEPT = "e8d15a45687efe559f016721ddf3c286bc4aa537da0f518f548b9dbe6a8934cc"
"""Of the keys that image format 2 had to leave as they were: nobody builds a base, source or weights again for it.
Since then ffmpy and jieba are built in env, and no sources of the chatglm recipes any more; others are as they were."""


def test_the_image_format_changed_no_key_of_what_is_only_data() -> None:
    written = json.loads((Path(__file__).parent / "keys.json").read_text(encoding="utf-8"))
    kept = ("env/base", "env/files", "sources", "weights")
    found = {recipe: {n: k for n, k in keys.items() if n.startswith(kept)} for recipe, keys in written.items()}
    assert sum(map(len, found.values())) == 83
    assert digest_of(found) == KEPT


def test_keys_are_those_that_are_written_down() -> None:
    project = Project(ROOT)
    found = {}
    for name in LOCKED:
        made = locked_plan(project, project.recipe(name))
        found[name] = {f"{part.layer}/{part.name}": part.key for part in made.stack()}
        found[name] |= {layer.name: layer.key for layer in made.layers}
    written = json.loads((Path(__file__).parent / "keys.json").read_text(encoding="utf-8"))
    assert found == written
