"""Values of YAML are what stands in the file: numbers and texts as they are written, or nothing that fits anywhere."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from portside.accelerators.load import load_accelerator
from portside.common.yaml_file import PlainScalar, read_yaml
from portside.errors import RecipeError
from portside.migrate.rulesets import load as load_ruleset

ROOT = Path(__file__).parents[3]
FILES = sorted([*ROOT.glob("recipes/*.yaml"), *ROOT.glob("portside/**/*.yaml")])


def value_of(folder: Path, text: str) -> Any:
    path = folder / "a.yaml"
    path.write_text(f"a: {text}\n", encoding="utf-8")
    return read_yaml(path)[0]["a"]


@pytest.mark.parametrize("loader", ["C", "Python"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("0", 0),
        ("-12", -12),
        ("123456789012345678", 123456789012345678),
        ("'010'", "010"),
        ('"yes"', "yes"),
        ("|-\n  22:22", "22:22"),
        ("!!str 3.10", "3.10"),
        ("y", "y"),
        ("N", "N"),
        ("=", "="),
        ("<<", "<<"),
        ("1.2.3", "1.2.3"),
        ("22:99", "22:99"),
        ("0644x", "0644x"),
        ("1_a", "1_a"),
        ("2024-05", "2024-05"),
        ("yes and no", "yes and no"),
        ("3.10", PlainScalar("3.10", "number")),
        ("010", PlainScalar("010", "number")),
        ("1e3", PlainScalar("1e3", "number")),
        ("22:22", PlainScalar("22:22")),
        ("on", PlainScalar("on")),
        ("2024-05-01", PlainScalar("2024-05-01", "date")),
    ],
)
def test_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str, text: str, value: Any) -> None:
    if loader == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    found = value_of(tmp_path, text)
    assert (found, type(found)) == (value, type(value))


@given(st.text("0123456789abefnosxyENOY_+-.:~=<", min_size=1, max_size=8).filter(lambda text: text[0] not in "-:"))
@example("-0")
@example("0o17")
@example("1:30.5")
@example(".inf")
@example("1_0.5")
@example("yEs")
@example("=")
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No number gets another value, no text is respelt, and what could be either is neither."""
    try:
        found = value_of(tmp_path_factory.getbasetemp(), text)
    except RecipeError:
        return  # `a: b: c`
    if isinstance(found, bool) or found is None:
        assert text in ("true", "false", "~")
    elif isinstance(found, dict):
        assert ":" in text
    elif isinstance(found, PlainScalar):
        assert found.text == text
    else:
        assert str(found) == text
        # PyYAML makes nothing of the first two.
        assert isinstance(found, int) or text in ("=", "<<") or isinstance(yaml.safe_load(f"a: {text}")["a"], str)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_our_own_files_mean_the_same_to_every_reader(path: Path) -> None:
    assert read_yaml(path)[0] == yaml.safe_load(path.read_text(encoding="utf-8"))


MERGED = """\
base: &base {a: 1, deep: {x: 1}, list: [1, 2]}
other: &other {a: 2, b: 2}
one: {<<: *base, a: 3, deep: {y: 2}, list: [3]}
two: {<<: [*other, *base]}
three: &three {c: 4, <<: *other}
four: {<<: *three, b: null}
five: {"<<": 1}
"""


def test_merge_keys_mean_what_they_mean_to_yaml(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(MERGED)
    value, places = read_yaml(path)
    assert value == yaml.safe_load(MERGED)
    assert value["one"] == {"a": 3, "deep": {"y": 2}, "list": [3]}
    assert value["two"] == {"a": 2, "b": 2, "deep": {"x": 1}, "list": [1, 2]}
    assert value["four"] == {"a": 2, "b": None, "c": 4}
    lines = {".".join(map(str, at)): place.line for at, place in places.items()}
    # What is merged stands where it is written.
    assert (lines["one.a"], lines["two.deep.x"], lines["four.a"], lines["four.b"]) == (3, 1, 2, 6)
    assert "one.list.1" not in lines and "one.deep.x" not in lines


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [1]\nb: {<<: *a}\n", "r.yaml:2: `<<` merges a mapping"),
        ("b: {<<: x}\n", "r.yaml:1: `<<` merges a mapping"),
        ("b: {<<: }\n", "r.yaml:1: `<<` merges a mapping"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n", "r.yaml:2: the key '<<' stands twice"),
        ("a: &a {<<: *a}\n", "inside of what it stands for"),
        ("a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)),
         "are aliases nested"),
    ],
)  # fmt: skip
def test_merge_keys_that_mean_nothing(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_yaml(path)
    assert problem in str(caught.value)


def test_rulesets_are_read_in_the_same_way(tmp_path: Path) -> None:
    text = (ROOT / "portside" / "migrate" / "rulesets" / "cpu.yaml").read_text(encoding="utf-8")
    path = tmp_path / "own.yaml"
    for old, new, expected in [
        ("suffix: _cpu", "suffix: 1_0", "own.yaml: suffix: expected text, found 1_0"),
        ("suffix: _cpu", "suffix: on", "own.yaml: suffix: expected text, found on"),
        ("suffix: _cpu", "suffix: _cpu\nsuffix: _gpu", "the key 'suffix' stands twice"),
    ]:
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(RecipeError) as caught:
            load_ruleset(str(path))
        assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("shm_size: 0x10", "shm_size.size: expected a whole number, found the number 0x10"),
        ("shm_size: '16'", "shm_size.size: expected bytes, or a size such as '16GiB', found '16'"),
        ("ulimits: {memlock: '16'}", "ulimits.memlock.limit: expected a whole number, found '16'; without quotes"),
        ("ulimits: {memlock: true}", "ulimits.memlock.limit: expected a whole number, found true"),
        ("ulimits: {memlock: 1_024}", "ulimits.memlock.limit: expected a whole number, found `1_024`"),
        ("cards: {node: '/dev/c{index}'}\ncontrol: [{path: /dev/x, required: no}]", "found `no`; write false"),
        ("cards: {node: '/dev/c{index}'}\ncontrol: [{path: /dev/x, required: 'no'}]", "found 'no'"),
    ],
)
def test_accelerators_are_read_in_the_same_way(tmp_path: Path, line: str, expected: str) -> None:
    (tmp_path / "card.yaml").write_text(f"name: card\ndescription: a card\n{line}\n")
    with pytest.raises(RecipeError) as caught:
        load_accelerator("card", tmp_path)
    assert expected in caught.value.problem
    (tmp_path / "card.yaml").write_text(
        "name: card\ndescription: a card\nshm_size: 16GiB\nulimits: {memlock: unlimited}\n"
    )
    assert load_accelerator("card", tmp_path).ulimits["memlock"].limit == -1
