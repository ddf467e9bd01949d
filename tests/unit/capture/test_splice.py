"""Lines put into YAML: what is read afterwards is what was meant, and every other line is as it was."""

import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from portside.capture.splice import RecipeText, read_text
from portside.errors import RecipeError

STEP = {"name": "a: b", "replace": "x\n  y\n", "with": "# no\n", "files": ["a/*.py", "b"], "count": 2}

FORMS = {
    "block": "a: 1\npatches:\n  - name: one  # said\n    count: 1\n# behind\nrun:\n  command: x\n",
    "unindented": "patches:\n- delete: x\n  count: 1\n\nrun: {}\n",
    "missing": "description: x\n# of the base\nbase:\n  debian: {suite: s}\n\nrun: {command: x}\n",
    "empty": "patches:\nrun: {}\n",
    "brackets": "patches: []\nrun: {}\n",
    "one line": "patches: [{delete: x, count: 1}]\nrun: {}\n",
    "json": '{\n  "patches": [\n    {\n      "delete": "x"\n    }\n  ],\n  "run": {}\n}\n',
    "literal at the end": "patches:\n  - replace: |\n      a\n      b\n    with: |-\n      c\n",
    "kept lines": "patches:\n  - replace: |+\n      a\n\n\nrun: {}\n",
    "no line end": "run: {}\npatches:\n  - delete: x",
    "windows": "patches:\r\n  - delete: x\r\n    count: 1\r\nrun: {}\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_items_go_behind_those_of_a_list(form: str) -> None:
    text = RecipeText(FORMS[form], "r.yaml")
    wanted = text.values()
    wanted["patches"] = [*(wanted.get("patches") or []), STEP, "x"]
    text.append(("patches",), [STEP, "x"])
    assert read_text(text.text) == wanted
    before, after = FORMS[form].splitlines(), text.text.splitlines()
    if form not in ("empty", "brackets", "one line", "json"):  # there the line itself goes on
        rest = iter(after)
        assert all(line in rest for line in before)
    if form == "windows":
        assert text.text.count("\n") == text.text.count("\r\n")


def test_a_new_key_stands_where_people_expect_it() -> None:
    text = RecipeText("description: x\nbase: {debian: {suite: s}}\n\nrun:\n  command: x  # y\n", "r.yaml")
    text.append(("env", "python", "requirements"), ["a==1", "b==2"])
    text.put(("run", "targets", "go"), {"description": "x", "command": "y: z", "env": {"A": "1"}})
    assert text.text == (
        "description: x\nbase: {debian: {suite: s}}\n\n"
        "env:\n  python:\n    requirements:\n      - a==1\n      - b==2\n\n"
        'run:\n  command: x  # y\n  targets:\n    go:\n      description: x\n      command: "y: z"\n      env:\n'
        '        A: "1"\n'
    )


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("x: &x [1]\npatches: *x\n", ("patches",)),
        ("x: &x {a: [1]}\nenv:\n  <<: *x\n", ("env", "a")),
    ],
)
def test_what_is_written_elsewhere_is_not_changed(text: str, at: tuple[str, ...]) -> None:
    changed = RecipeText(text, "r.yaml")
    with pytest.raises(RecipeError, match=r"r\.yaml: .*: there is no place") as caught:
        changed.append(at, [{"delete": "x"}])
    assert "- delete: x" in str(caught.value)
    assert changed.text == text


def test_values_are_replaced_and_items_go() -> None:
    text = RecipeText("patches:\n  - a: |\n      x\n    count: 2  # two\n  # of b\n  - b: 1\nf: [a, b, c]\n", "r.yaml")
    text.replace(("patches", 0, "count"), 3)
    text.replace(("patches", 0, "a"), "y\nz\n")
    assert text.text == (
        "patches:\n  - a: |\n      y\n      z\n    count: 3  # two\n  # of b\n  - b: 1\nf: [a, b, c]\n"
    )
    text.remove(("patches", 1))
    text.remove(("f", 1))
    assert read_text(text.text) == {"patches": [{"a": "y\nz\n", "count": 3}], "f": ["a", "c"]}


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t :#-'\"{}[]&*!|>%@`,"), max_size=30
)
keys = st.sampled_from(["alpha", "beta", "gamma", "patches", "run"])
plain = st.recursive(
    st.one_of(texts, st.integers(0, 99), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(keys, plain, min_size=1), plain, st.data(), st.sampled_from(["json", "block", "flow"]))
def test_whatever_stands_there(values: dict[str, Any], item: Any, data: st.DataObject, style: str) -> None:
    """A list anywhere gets an item, in files of any style."""
    values = copy.deepcopy(values)
    lists = [(key,) for key, value in values.items() if isinstance(value, list)]
    lists += [
        (key, inner)
        for key, value in values.items()
        if isinstance(value, dict)
        for inner, below in value.items()
        if isinstance(below, list)
    ]
    at = data.draw(st.sampled_from([*lists, ("delta",), ("delta", "new")]))
    if style == "json":
        written = json.dumps(values, indent=2, ensure_ascii=False)
    else:
        written = yaml.safe_dump(values, default_flow_style=style == "flow", allow_unicode=True, width=1000)
    try:
        before = read_text(written)
    except RecipeError:
        return  # what our reading of YAML refuses is no recipe
    text = RecipeText(written, "r.yaml")
    text.append(at, [item])
    wanted = before
    for key in at[:-1]:
        wanted = wanted.setdefault(key, {})
    wanted[at[-1]] = [*(wanted.get(at[-1]) or []), item]
    assert read_text(text.text) == before
