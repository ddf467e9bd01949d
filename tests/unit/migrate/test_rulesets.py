"""Rulesets: the files that come with Portside, a recipe's extension, and errors that name file and key."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from portside.errors import RecipeError
from portside.migrate.precise.compiled import compile_rules
from portside.migrate.rulesets import load, names

BASE: dict[str, Any] = {
    "name": "own",
    "title": "Own",
    "suffix": "_own",
    "framework": "1",
    "frameworks": {"1": "one"},
    "words": ["cuda"],
    "rules": [{"id": "a", "kind": "device", "title": "t", "map": {"cuda": "own"}}],
}


def write(folder: Path, **changes: Any) -> str:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({**BASE, **changes}))
    return str(path)


def test_the_rulesets_that_come_with_portside() -> None:
    assert names() == ["cpu", "gaudi", "mlu", "musa", "npu", "rocm", "xpu"]
    assert [load(name).suffix for name in names()] == [f"_{name}" for name in names()]
    modules = {name: module for name in names() if (module := load(name).module) is not None}
    assert modules == {"mlu": "torch_mlu", "musa": "torch_musa", "npu": "torch_npu"}


@pytest.mark.parametrize("name", names())
def test_every_rule_says_what_it_is_and_what_to_do(name: str) -> None:
    for rule in load(name).rules:
        assert rule.title, rule.id
        if getattr(rule, "action", "") in ("unsupported", "person"):
            assert rule.advice, rule.id


@pytest.mark.parametrize("name", names())
def test_every_framework_compiles_and_no_two_rules_claim_a_name(name: str) -> None:
    for framework in load(name).frameworks:
        ruleset = load(name, {"framework": framework})
        claimed: dict[str, str] = {}
        for rule in ruleset.active():
            for dotted in getattr(rule, "table", dict)():
                assert claimed.setdefault(dotted, rule.id) == rule.id, (framework, dotted)
        assert compile_rules(ruleset).apis.keys() == claimed.keys()


def test_upstream_support_per_framework() -> None:
    """The vendor's table of 2022 and torch_mlu of 2024, at names where they differ."""
    old, image, new = (compile_rules(load("mlu", {"framework": version})).apis for version in ("1.6", "1.9", "2.1"))
    for name in ("is_available", "memory_reserved", "amp.GradScaler", "Stream.query"):
        assert [table[f"torch.cuda.{name}"].cls for table in (old, image)] == ["rewritten"] * 2
    for name in ("ipc_collect", "get_rng_state", "memory_stats", "seed_all"):
        found = [table[f"torch.cuda.{name}"].cls for table in (old, image, new)]
        assert found == ["unsupported", "unsupported", "rewritten"], name
    for name in ("Event", "Event.record", "Stream.wait_stream", "stream"):
        found = [table[f"torch.cuda.{name}"].cls for table in (old, image)]
        assert found == ["unsupported", "rewritten"], name
    assert image["torch.cuda.random"].to == "torch_mlu.core.random"
    assert new["torch.cuda.random"].to == "torch.mlu.random"
    assert "torch.concat" in image and "torch.concat" not in new


def test_digest_covers_everything_that_decides() -> None:
    base = load("mlu")
    assert base.digest == load("mlu").digest
    others = [
        load("mlu", {"framework": "2.1"}),
        load("mlu", {"suffix": "_x"}),
        load("mlu", {"remove": ["concat"]}),
        load("mlu", {"add": [{"id": "new", "kind": "module", "title": "t", "action": "keep", "names": ["apex"]}]}),
        load("npu"),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1


def test_an_extension_adds_replaces_and_removes() -> None:
    own = {"id": "concat", "kind": "api", "title": "t", "action": "keep", "from": "torch.concat"}
    ruleset = load("mlu", {"add": [own], "remove": ["bare-index"]})
    rules = compile_rules(ruleset)
    assert rules.apis["torch.concat"].cls == "kept"
    assert rules.index == ""
    assert len(ruleset.rules) == len(load("mlu").rules) - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suffix": "mlu"}, "own.yaml: suffix: 'mlu'"),
        ({"colour": "red"}, "own.yaml: colour: unknown key; known are name, title"),
        ({"framework": 1.9}, r"own.yaml: framework: expected text, found 1.9 \(put it between quotes\)"),
        ({"framework": "2"}, "own.yaml: framework '2' is not one of 1"),
        ({"words": "cuda"}, "own.yaml: words: expected a list"),
        (
            {"vendor": {"import": "x", "replace": [["a"]], "strict": []}},
            r"vendor.replace\[0\]: expected a list of 2 items",
        ),
        ({"vendor": {"replace": [], "strict": []}}, "vendor.import: is missing"),
        (
            {"rules": [{"id": "b", "kind": "call", "title": "t", "first": "x()", "map": {"a": "b"}}]},
            r"rules\[b\]: first: 'x\(\)' is not a text as Python spells it",
        ),
        (
            {"rules": [{"id": "b", "kind": "call", "title": "t", "first": '"x"'}]},
            r"rules\[b\]: give `map` or `methods`",
        ),
        ({"rules": {}}, "rules: expected a list"),
        ({"rules": ["x"]}, r"rules\[0\].kind: expected one of api, method"),
        ({"rules": [{"id": "b", "kind": "magic"}]}, r"rules\[b\].kind: expected one of .*found 'magic'"),
        ({"rules": [{"id": "b", "kind": "device", "title": "t"}]}, r"rules\[b\].map: is missing"),
        ({"rules": [{"id": "B", "kind": "index", "title": "t"}]}, r"rules\[B\]: id: 'B' is not lower-case"),
        ({"rules": BASE["rules"] * 2}, r"rules\[a\]: two rules have this id"),
        (
            {"rules": [{"id": "b", "kind": "index", "title": "t", "frameworks": ["9"]}]},
            "framework '9' is not one of 1",
        ),
        (
            {"rules": [{"id": "b", "kind": "api", "title": "t", "action": "rewrite", "from": "torch.x"}]},
            r"rules\[b\]: a rule that rewrites needs `to`",
        ),
        (
            {"rules": [{"id": "b", "kind": "api", "title": "t", "action": "keep", "from": "torch-x"}]},
            r"rules\[b\]: from, to: 'torch-x' is not a dotted name",
        ),
        (
            {"rules": [{"id": "b", "kind": "api", "title": "t", "action": "drop", "from": "torch"}]},
            r"rules\[b\].action: expected one of rewrite, keep, unsupported, person, found 'drop'",
        ),
        (
            {"rules": [{"id": "b", "kind": "environment", "title": "t", "names": ["A"]}]},
            r"rules\[b\]: a rule that rewrites has `map`, any other has `names`",
        ),
    ],
)
def test_errors_name_file_and_key(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load(write(tmp_path, **changes))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"rules": []}, "extension of ruleset mlu.yaml: rules: unknown key; known are framework, suffix, add, remove"),
        ({"remove": ["nothing"]}, "extension of ruleset mlu.yaml: remove: there is no rule 'nothing'"),
        ({"add": "x"}, "extension of ruleset mlu.yaml: add: expected a list"),
        ({"add": [{"id": "b", "kind": "index"}]}, r"extension of ruleset mlu.yaml: rules\[b\].title: is missing"),
    ],
)
def test_errors_of_an_extension(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load("mlu", overrides)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no ruleset named 'gpu'"):
        load("gpu")
    with pytest.raises(RecipeError, match="Did you mean 'mlu'"):
        load("mlx")
    with pytest.raises(RecipeError, match="cannot be read"):
        load(str(tmp_path / "no.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load(str(tmp_path / "bad.yaml"))
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(RecipeError, match="not a mapping"):
        load(str(tmp_path / "list.yaml"))


def test_an_own_ruleset(tmp_path: Path) -> None:
    ruleset = load(write(tmp_path))
    assert (ruleset.name, ruleset.suffix, ruleset.rules[0].id) == ("own", "_own", "a")


def test_a_file_that_changes_is_read_anew_and_an_extension_leaves_it_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path)
    first = load(path)
    assert load(path) == first
    extended = load(path, {"remove": ["a"], "suffix": "_other"})
    assert extended.rules == () and extended.suffix == "_other"
    assert load(path) == first and first.suffix == "_own"
    write(tmp_path, suffix="_new")
    assert load(path).suffix == "_new" and load(path).digest != first.digest
    write(tmp_path, suffix=5)
    with pytest.raises(RecipeError, match="suffix"):
        load(path)
    write(tmp_path)
    assert load(path) == first
