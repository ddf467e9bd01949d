"""docs/recipe.md and docs/recipe.schema.json, generated from the models so that they cannot say anything else.

Run as `python -m portside.reference.recipe` to write both; a test fails when they are stale.
"""

import json
from pathlib import Path
from typing import Any

from portside.common.outputs import write_text
from portside.recipe.models import RecipeModel

HEAD = """# Recipe reference

Generated from `portside/recipe/models.py` by `python -m portside.reference.recipe`; edit the models, not this file.
`recipe.schema.json` beside it is the same as a JSON schema, for editors: put
`# yaml-language-server: $schema=../docs/recipe.schema.json` into a recipe's first line. An installed package has it as
`portside/recipe/recipe.schema.json`.

A recipe is `recipes/NAME.yaml`; NAME consists of lower-case letters, digits and single hyphens. Its files are in
`recipes/NAME/`, and no path leads out of that folder. What it means exactly stands in `recipes/NAME.lock`, which
`invoke lock --recipe NAME` writes.

Values are what stands in the file. The versions of YAML read some words without quotes differently, so these are
refused where a text, a number or a truth value belongs, and the error shows them as they are written: `22:22`, `010`,
`0x1F`, `1_000`, `1e3`, `yes`, `no`, `on`, `off`, dates. Whole numbers are decimal digits, truth values are `true` and
`false`, and a text that looks like anything else than text is in quotes: `version: "3.10"`, `FLAG: "on"`. Aliases
(`*name`) and merge keys (`<<: *name`, `<<: [*a, *b]`) may be used; tags (`!!int`) have no meaning. Rulesets and
accelerators are read in the same way.
"""


def schema() -> dict[str, Any]:
    """The JSON schema of a recipe."""
    return RecipeModel.model_json_schema(by_alias=True)


def schema_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def reference_text() -> str:
    """The reference for people."""
    return "\n".join([HEAD, *model_sections(schema(), "A recipe")])


def model_sections(whole: dict[str, Any], title: str) -> list[str]:
    """One section per model of a JSON schema, in the order in which its root, called `title`, mentions them."""
    models: dict[str, Any] = {"": {k: v for k, v in whole.items() if k != "$defs"}} | whole["$defs"]
    return [
        _section(_words(name) if name else title, models[name])
        for name in _mentioned("", models, [])
        if "object" in _types(models[name])
    ]


def _types(model: dict[str, Any]) -> list[str]:
    """What a value may be: some models can be written as a text too."""
    kind = model.get("type")
    return kind if isinstance(kind, list) else [str(kind)]


def _mentioned(name: str, models: dict[str, Any], seen: list[str]) -> list[str]:
    seen.append(name)
    for other in _references(models[name]):
        if other not in seen:
            _mentioned(other, models, seen)
    return seen


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if "$ref" in value else []
        return own + [ref for item in value.values() for ref in _references(item)]
    if isinstance(value, list):
        return [ref for item in value for ref in _references(item)]
    return []


def _section(title: str, model: dict[str, Any]) -> str:
    lines = [f"## {title}", "", " ".join(model.get("description", "").split()), ""]
    lines += ["| key | what it is | default | meaning |", "| --- | --- | --- | --- |"]
    for key, field in model.get("properties", {}).items():
        default = "required" if key in model.get("required", []) else _default(field)
        meaning = " ".join(field.get("description", "").split())
        if examples := field.get("examples"):
            meaning = f"{meaning}{'; ' if meaning else ''}such as `{json.dumps(examples[0], ensure_ascii=False)}`"
        cells = [f"`{key}`", _kind(field), default, meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _words(name: str) -> str:
    out = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return out[0].upper() + out[1:]


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    # The defaults of a model of its own stand in that model's section.
    return "" if value in (None, [], {}) or "$ref" in field else f"`{json.dumps(value, ensure_ascii=False)}`"


def _kind(field: dict[str, Any]) -> str:
    """A field's type in words, with a link to the section of a model."""
    if "$ref" in field:
        words = _words(field["$ref"].rpartition("/")[2])
        return f"[{words.lower()}](#{words.lower().replace(' ', '-')})"
    for union in ("anyOf", "oneOf"):
        if union in field:
            kinds = [_kind(item) for item in field[union] if item.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type")
    if kind == "array":
        return f"list of {_kind(field.get('items', {}))}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping of names to {_kind(field['additionalProperties'])}"
    if kind == "object" and "patternProperties" in field:
        return f"mapping of names to {_kind(next(iter(field['patternProperties'].values())))}"
    return {"string": "text", "boolean": "true or false", "integer": "number"}.get(str(kind), str(kind or "any"))


def main() -> None:
    docs = Path(__file__).parents[2] / "docs"
    write_text(docs / "recipe.md", reference_text())
    write_text(docs / "recipe.schema.json", schema_text())


if __name__ == "__main__":
    main()
