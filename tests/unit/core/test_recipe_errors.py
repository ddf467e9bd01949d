"""A recipe's mistakes: each is an error with file, line, key and what was expected, before any work starts."""

from pathlib import Path

import pytest

from portside.errors import RecipeError
from portside.recipe import load_recipe

GOOD = """\
description: a test
base:
  debian:
    suite: bookworm
accelerator:
  name: cpu
"""


def write(root: Path, text: str, name: str = "r") -> None:
    folder = root / "recipes"
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def problem(root: Path, text: str) -> str:
    write(root, text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(root, "r")
    return str(caught.value)


def test_a_good_recipe_loads(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    recipe = load_recipe(tmp_path, "r")
    assert recipe.workspace == "/workspace/r"
    assert recipe.requests()["base"] == {"debian": {"suite": "bookworm", "architecture": "amd64", "include": []}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "weigths: {}\n", ["r.yaml:7", "weigths", "did you mean 'weights'?"]),
        (GOOD.replace("suite", "suit"), ["r.yaml:4", "base.debian.suit", "did you mean 'suite'?"]),
        (GOOD.replace("bookworm", "12"), ["r.yaml:4", "base.debian.suite", "quote it"]),
        (
            GOOD + "env:\n  python:\n    version: 3.11\n    requirements: []\n",
            ["r.yaml:9", "env.python.version", "3.11"],
        ),
        (GOOD + "env:\n  debian: python3\n", ["r.yaml:8", "env.debian"]),
        (GOOD + "env:\n  debian: [ok, 'bad name']\n", ["r.yaml:8", "env.debian.1", "bad name"]),
        (GOOD.replace("base:\n  debian:\n    suite: bookworm\n", ""), ["r.yaml:1", "base", "missing"]),
        (GOOD + "env:\n  variables:\n    A: 'x\"y'\n", ["r.yaml:9", "env.variables.A", "quotes"]),
        (GOOD + 'env:\n  variables:\n    A: "x\\ny"\n', ["r.yaml:9", "line breaks"]),
        (GOOD + "env:\n  variables:\n    'A B': x\n", ["r.yaml:9", "A B"]),
        (GOOD + "install: ['a\\\n  b']\nfiles: [{from: x, to: ../y}]\n", ["r.yaml", "files.0.to", "'..'"]),
        (GOOD + "files: [{from: /etc/passwd, to: y}]\n", ["r.yaml:7", "files.0.from", "below the folder"]),
        (GOOD + "files: [{from: ../../x, to: y}]\n", ["files.0.from", "'..'"]),
        (GOOD + 'install: ["a\\nRUN b"]\n', ["r.yaml:7", "install.0", "one shell line"]),
        (GOOD + "install: ['a \\']\n", ["install.0", "one shell line"]),
        (GOOD + "checks: [{file: checks/a.py, layer: top}]\n", ["r.yaml:7", "checks.0.layer", "'migrated'"]),
        (GOOD + "checks: [{file: ../a.py}]\n", ["r.yaml:7", "checks.0.file", "'..'"]),
        (GOOD + "sources: {x: {git: https://h/x, commit: main}}\n", ["r.yaml:7", "sources.x.commit"]),
        (GOOD + "sources: {x: {sdist: 'x>=1'}}\n", ["sources.x.sdist", "one exact version"]),
        (
            GOOD + "migration: {ruleset: mlu, sources: [x]}\n",
            ["r.yaml:7: migration.sources.0: 'x' is not among the sources (none)"],
        ),
        (GOOD + "description: again\n", ["r.yaml:7", "'description' stands twice"]),
        (GOOD + "accelerator: [\n", ["r.yaml", "not valid YAML"]),
        ("- a\n- b\n", ["r.yaml:1", "expected a mapping"]),
        (GOOD + "1: x\n", ["r.yaml:7", "expected a name as key"]),
        (GOOD + "env: {python: {version: '3.11', requirements: ['n @ https://h/n.whl']}}\n", ["requirements.0", "URL"]),
        (GOOD.replace("name: cpu", "name: cpu\n  driver: newest"), ["r.yaml:7", "accelerator.driver", ">=5.10.10"]),
        (GOOD.replace("name: cpu", "name: tpu"), ["r.yaml:6", "accelerator.name", "no accelerator 'tpu'", "mlu370"]),
        (GOOD + "env: !!python/object/apply:os.system [x]\n", ["r.yaml"]),
    ],
)
def test_mistakes(tmp_path: Path, text: str, expected: list[str]) -> None:
    message = problem(tmp_path, text)
    for piece in expected:
        assert piece in message, message


PORTED = GOOD + "sources: {x: {sdist: x==1}}\nmigration: {ruleset: mlu, sources: [x]}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("patches:\n- {replace: a, wiht: b, files: c, count: 1}\n", ["r.yaml:10: patches.0.wiht", "mean 'with'?"]),
        ("patches:\n- {delete: a, cuont: 1}\n", ["r.yaml:10: patches.0.cuont", "did you mean 'count'?"]),
        (
            "patches: [{comment-out: {first: a, lats: b}, files: c, count: 1}]\n",
            ["patches.0.comment-out.lats", "did you mean 'last'?"],
        ),
        ("files: [{from: a, too: b}]\n", ["r.yaml:9: files.0.too", "did you mean 'to'?"]),
        ("run: {targets: {t: {comand: x, description: y}}}\n", ["run.targets.t.comand", "mean 'command'?"]),
        ("weights: {w: {files: [{paht: x}]}}\n", ["weights.w.files.0.paht", "did you mean 'path'?"]),
    ],
)
def test_keys_of_items_are_suggested_too(tmp_path: Path, text: str, expected: list[str]) -> None:
    message = problem(tmp_path, PORTED + text)
    for piece in expected:
        assert piece in message, message


def test_missing_files_of_patches_are_told_at_once(tmp_path: Path) -> None:
    """All of them, each with its line and key, when the recipe is loaded."""
    text = PORTED + "patches:\n- {delete: a, count: 1}\n- {copy: new.sh, to: x_mlu/new.sh}\n"
    text += "- {diff: fix.patch, count: 1}\n- {copy: there, to: x_mlu/there}\n- {copy: link, to: x_mlu/link}\n"
    folder = tmp_path / "recipes" / "r"
    folder.mkdir(parents=True)
    (folder / "there").write_text("x")
    (folder / "link").symlink_to("there")
    message = problem(tmp_path, text)
    assert "r.yaml:11: patches.1.copy: no file new.sh\n" in message
    assert "r.yaml:12: patches.2.diff: no file fix.patch\n" in message
    assert "r.yaml:14: patches.4.copy: no plain file link\n" in message
    assert "there\n" not in message
    assert f"Put it into {folder}" in message


def test_a_patch_uses_a_file_of_the_recipe_that_is_extended(tmp_path: Path) -> None:
    write(tmp_path, PORTED, "parent")
    write(tmp_path, "extends: parent\npatches: [{copy: f, to: x_mlu/f}]\n", "child")
    with pytest.raises(RecipeError, match=r"child\.yaml:2: patches\.0\.copy: no file f"):
        load_recipe(tmp_path, "child")
    (tmp_path / "recipes" / "parent" / "f").write_text("x")
    assert load_recipe(tmp_path, "child").model.patches


@pytest.mark.parametrize(
    ("migration", "expected"),
    [
        ("mode: image, ruleset: npu", ["r.yaml:10: migration.mode", "the ruleset npu has no converter"]),
        ("mode: vendor, ruleset: cpu", ["r.yaml:10: migration.mode", "the ruleset cpu has no vendor mode"]),
        ("converter: /a/b.py, ruleset: mlu", ["r.yaml:9: migration", "`converter` is for mode 'image'", "'precise'"]),
        ("strict: true, ruleset: mlu", ["r.yaml:9: migration", "`strict` is for the modes 'vendor' and 'image'"]),
        ("mode: image, converter: a/b.py, ruleset: mlu", ["migration.converter", "expected an absolute path"]),
        ("mode: image, converter: '/a$b.py', ruleset: mlu", ["migration.converter", "no quotes"]),
        ("mode: imgae, ruleset: mlu", ["r.yaml:10: migration.mode", "'precise', 'vendor' or 'image'"]),
    ],
)
def test_modes_that_cannot_be(tmp_path: Path, migration: str, expected: list[str]) -> None:
    text = GOOD + "sources: {x: {sdist: x==1}}\n\nmigration:\n  {" + migration + ", sources: [x]}\n"
    message = problem(tmp_path, text)
    for piece in expected:
        assert piece in message, message


def test_image_mode_loads(tmp_path: Path) -> None:
    write(tmp_path, PORTED.replace("mlu,", "mlu, mode: image, strict: true,"))
    migration = load_recipe(tmp_path, "r").model.migration
    assert migration is not None
    assert (migration.mode, migration.converter) == ("image", None)


@pytest.mark.parametrize("name", ["../x", "a/b", "a.b", "", ".", "A", "-a", "a--b", "a\nb", "x" * 3 + "/"])
def test_names_of_recipes(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="not a recipe's name"):
        load_recipe(tmp_path, name)


@pytest.mark.parametrize("name", ["minilm.yaml", "recipes/minilm.yaml", "./recipes/minilm", "MiniLM", "minilm.lock"])
def test_a_path_in_place_of_a_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, GOOD, "minilm")
    with pytest.raises(RecipeError, match="not a recipe's name") as caught:
        load_recipe(tmp_path, name)
    assert str(caught.value.solution).startswith("Did you mean 'minilm'?")


def test_unknown_recipe_suggests_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "minilm")
    with pytest.raises(RecipeError, match="Did you mean 'minilm'"):
        load_recipe(tmp_path, "minlm")


def test_nested_aliases_do_not_explode(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert "aliases" in problem(tmp_path, "\n".join(lines) + "\n")


def test_a_file_that_links_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    write(tmp_path, GOOD + "files: [{from: f, to: f}]\n")
    (tmp_path / "recipes" / "r" / "f").symlink_to(tmp_path / "secret")
    with pytest.raises(RecipeError, match="leads out of"):
        load_recipe(tmp_path, "r")


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert "no file f.py" in problem(tmp_path, GOOD + "files: [{from: f.py, to: f.py}]\n")


def test_two_files_for_one_place(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "files: [{from: a, to: x}, {from: b, to: x}]\n")
    for name in "ab":
        (tmp_path / "recipes" / "r" / name).write_text(name)
    with pytest.raises(RecipeError, match="two files go to x"):
        load_recipe(tmp_path, "r")


def test_extends_merges_and_remembers_places(tmp_path: Path) -> None:
    write(tmp_path, GOOD + "env: {debian: [a1], variables: {A: x, B: y}}\nfiles: [{from: f, to: f}]\n", "parent")
    (tmp_path / "recipes" / "parent" / "f").write_text("parent's")
    child = "extends: parent\ndescription: child\nenv:\n  debian: [b2]\n  variables: {B: z}\n"
    write(tmp_path, child, "child")
    recipe = load_recipe(tmp_path, "child")
    assert recipe.workspace == "/workspace/parent"
    assert recipe.model.description == "child"
    assert recipe.model.env.debian == ("a1", "b2")
    assert recipe.model.env.variables == {"A": "x", "B": "z"}
    assert recipe.file("f").read_text() == "parent's"
    (tmp_path / "recipes" / "child" / "f").write_text("child's")
    assert recipe.file("f").read_text() == "child's"
    write(tmp_path, child + "  files: []\n".replace("files", "debian"), "child")
    write(tmp_path, child.replace("[b2]", "[B2]"), "child")
    with pytest.raises(RecipeError, match=r"child\.yaml:4: env\.debian\.1"):
        load_recipe(tmp_path, "child")


def test_extends_replaces_the_base_and_finds_circles(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("    suite: bookworm\n", "    suite: bookworm\n    include: [curl]\n"), "parent")
    write(tmp_path, "extends: parent\nbase: {debian: {suite: trixie}}\n", "child")
    assert load_recipe(tmp_path, "child").requests()["base"]["debian"]["include"] == []
    write(tmp_path, GOOD + "extends: child\n", "parent")
    with pytest.raises(RecipeError, match="extends itself"):
        load_recipe(tmp_path, "child")


WEIGHTS = "weights: {{m: {{files: [{{path: w, {key}: '{value}'}}]}}}}\n"
DATA = "data: {{d: {{file: d.tar, origin: a test, to: d, url: '{value}'}}}}\n"
GIT = "sources: {{g: {{git: '{value}', commit: " + "a" * 40 + "}}}}\n"
REGISTRY = "registry: '{value}'\n"


@pytest.mark.parametrize(
    ("template", "value"),
    [
        (WEIGHTS, "https://u:S3CR3T@h/w"),
        (WEIGHTS, "https://S3CR3T@h/w"),
        (WEIGHTS, "https://u:S3C/R3T@h/w"),
        (WEIGHTS, "https://h/w?X-Amz-Credential=S3CR3T&X-Amz-Signature=S3CR3T"),
        (WEIGHTS, "https://h/w?Expires=1&Signature=S3CR3T"),
        (WEIGHTS, "https://h/w?sv=1&se=2&sig=S3CR3T"),
        (WEIGHTS, "https://h/w?raw=1&%61ccess_token=S3CR3T"),
        (WEIGHTS.replace("{key}", "origin"), "see http://u:S3CR3T@h/w or http://h"),
        (DATA, "https://u:S3CR3T@h/d.tar"),
        (DATA, "https://h/d.tar?token=S3CR3T"),
        (GIT, "https://u:S3CR3T@h/x.git"),
        (GIT, "https://S3CR3T@h/x.git"),
        (GIT, "ssh://git:S3CR3T@h/x.git"),
        (GIT, "https://h/x.git?private_token=S3CR3T"),
        (REGISTRY, "https://u:S3CR3T@h/models"),
        (REGISTRY, "u:S3CR3T@h/models"),
    ],
)
def test_a_password_in_a_recipe_is_refused_and_not_shown(tmp_path: Path, template: str, value: str) -> None:
    text = problem(tmp_path, GOOD + template.format(key="url", value=value))
    assert "r.yaml:7: " in text and "must not stand in a recipe" in text and "~/.netrc" in text
    assert "S3C" not in text and "R3T" not in text


@pytest.mark.parametrize(
    ("template", "value"),
    [
        (WEIGHTS, "https://h/w?download=true"),
        (WEIGHTS, "https://h:8443/@u/w@1.0?raw=1&ref=main"),
        (GIT, "ssh://git@h/x.git"),
        (GIT, "git@h:x/y.git"),
        (GIT, "file:///srv/a@b.git"),
        (REGISTRY, "http://h:5000/models"),
    ],
)
def test_what_is_no_password_is_accepted(tmp_path: Path, template: str, value: str) -> None:
    write(tmp_path, GOOD + template.format(key="url", value=value))
    assert value in load_recipe(tmp_path, "r").model.model_dump_json()


@pytest.mark.parametrize(
    "line", ["descripton: 'http://u:S3CR3T@h/x'", "env: 'http://u:S3CR3T@h/x'", "'http://u:S3CR3T@h/x': 1"]
)
def test_another_mistake_shows_no_password_either(tmp_path: Path, line: str) -> None:
    assert "S3CR3T" not in problem(tmp_path, f"{GOOD}{line}\n")
