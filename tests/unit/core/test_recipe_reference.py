"""docs/recipe.md and the JSON schema are what the models say now."""

import json
from pathlib import Path

from portside.reference.recipe import reference_text, schema, schema_text

DOCS = Path(__file__).parents[3] / "docs"
REMEDY = "stale: python -m portside.reference.recipe"


def test_reference_is_current() -> None:
    assert (DOCS / "recipe.md").read_text(encoding="utf-8") == reference_text(), REMEDY


def test_schema_is_current() -> None:
    assert (DOCS / "recipe.schema.json").read_text(encoding="utf-8") == schema_text(), REMEDY


def test_every_key_of_a_recipe_is_described() -> None:
    text = reference_text()
    for name, model in {"": schema(), **schema()["$defs"]}.items():
        for key in model.get("properties", {}):
            assert f"| `{key}` |" in text, (name, key)


def test_schema_is_plain_json() -> None:
    assert json.loads(schema_text())["type"] == "object"
