"""Pointers of Git LFS where a model looks for its files: named by lock, plan and check, by what the image has."""

import json
from pathlib import Path
from typing import Any

import pytest
from first_sight_checkout import Here, pointer, repository, sha

from portside import clean
from portside.common.tree import Tree, file_entry
from portside.image.pointers import left_pointers, pointer_lines
from portside.inputs import pointers as store_pointers
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import write_layer
from portside.plan.model import Plan
from portside.prepare import locked_plan
from portside.trees.parts import source_tree

SHARD = b"a shard of weights"
FILES = {
    "model-1.bin": pointer(SHARD),
    "sub/model-2.bin": pointer(SHARD),
    "code.py": b"import torch\n" * 20,
    "notes.txt": b"version https://git-lfs.github.com/spec/v1 is what a pointer begins with\n" * 2,
}


def recipe(here: Here, tmp_path: Path, **sections: Any) -> Plan:
    source = repository(tmp_path / "glm2", FILES)
    here.recipe(sources={"glm2": source}, **sections)
    here.task("lock", update=[])
    project = here.project
    return locked_plan(project, project.recipe("m"))


def paths(here: Here, plan: Plan) -> list[str]:
    return [file.path for file in left_pointers(plan, here.project.store).files]


MIGRATION = {"ruleset": "mlu", "sources": ["glm2"]}


def test_lock_and_plan_name_what_a_source_has(here: Here, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = recipe(here, tmp_path)
    expected = ["/workspace/m/glm2/model-1.bin", "/workspace/m/glm2/sub/model-2.bin"]
    said = capsys.readouterr().err
    assert paths(here, plan) == expected
    assert all(f"{path}: {len(SHARD)} B, sha256 {sha(SHARD)}" in said for path in expected)
    here.task("plan", no_pull=True, json=True)
    rows = json.loads(capsys.readouterr().out)["pointers"]
    assert rows == [{"path": path, "sha256": sha(SHARD), "size": len(SHARD)} for path in expected]
    here.task("plan", no_pull=True)
    shown = capsys.readouterr().out
    assert all(path in shown for path in expected)


def test_what_patches_and_files_replace_does_not_count(here: Here, tmp_path: Path) -> None:
    plan = recipe(here, tmp_path, migration=MIGRATION)
    assert paths(here, plan) == ["/workspace/m/glm2_mlu/model-1.bin", "/workspace/m/glm2_mlu/sub/model-2.bin"]
    folder = here.root / "recipes" / "m"
    folder.mkdir()
    (folder / "small.bin").write_bytes(b"x")
    delete = {"delete": "glm2_*/*.bin", "count": 1}
    copy = {"copy": "small.bin", "to": "glm2_mlu/sub/model-2.bin", "overwrite": True}
    assert paths(here, recipe_again(here, patches=[delete])) == ["/workspace/m/glm2_mlu/sub/model-2.bin"]
    assert paths(here, recipe_again(here, patches=[delete, copy])) == []
    files = [{"from": "small.bin", "to": "glm2_mlu/sub/model-2.bin"}]
    assert paths(here, recipe_again(here, patches=[delete], files=files)) == []


def recipe_again(here: Here, **sections: Any) -> Plan:
    value = json.loads((here.root / "recipes" / "m.yaml").read_text())
    (here.root / "recipes" / "m.yaml").write_text(json.dumps(value | sections))
    project = here.project
    return locked_plan(project, project.recipe("m"))


def build(here: Here, plan: Plan, migrated: Layer) -> None:
    """Put the blobs of a built image into the store, as a build of these parts would."""
    store = here.project.store
    for part in [*plan.layer("sources").parts, *plan.layer("migrated").parts]:
        with store.workspace() as folder, Spool(folder) as spool, store.layout.new_blob() as new:
            tree = Tree()
            if part.layer == "sources":
                tree = source_tree(plan.lock.sources[part.name], store, spool).at(f"workspace/m/{part.name}")
            layer = migrated if part.name == "install" else data_layer(tree, 1)
            if part.name == "trees":
                layer = data_layer(Tree(file_entry(f"workspace/m/glm2_mlu/{k}", v) for k, v in FILES.items()), 1)
            written = write_layer(layer, new.stream)
            new.commit(written.diff_id)
        store.keep("keys", part.key, part.record(written.diff_id, written.size))


def test_of_a_built_image_counts_what_its_layers_have(here: Here, tmp_path: Path) -> None:
    plan = recipe(here, tmp_path, migration=MIGRATION, install=["rm glm2_mlu/model-1.bin"])
    store = here.project.store
    assert not left_pointers(plan, store).built
    assert "unless an install step replaces them" in pointer_lines(left_pointers(plan, store))[0]
    above = data_layer(Tree([file_entry("workspace/m/glm2_mlu/x", b"")]), 1)
    gone = Layer(tuple(entry for entry in above.entries if entry.kind == "dir"), ("workspace/m/glm2_mlu/model-1.bin",))
    build(here, plan, gone)
    left = left_pointers(plan, store)
    assert left.built
    assert [file.path for file in left.files] == ["/workspace/m/glm2_mlu/sub/model-2.bin"]
    assert "warning: the image has 1 pointer(s) of Git LFS" in pointer_lines(left)[0]


def test_nothing_is_read_twice(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = recipe(here, tmp_path, migration=MIGRATION)
    before = paths(here, plan)

    def fail(*arguments: Any) -> Any:
        raise AssertionError("read again")

    monkeypatch.setattr(store_pointers, "_read", fail)
    assert paths(here, plan) == before
    build(here, plan, Layer(()))
    built = paths(here, plan)
    monkeypatch.setattr("portside.image.pointers.read_layer", fail)
    assert paths(here, plan) == built == before


def test_check_names_them_though_all_is_as_locked(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build(here, recipe(here, tmp_path), Layer(()))
    monkeypatch.setattr("portside.check.layer_checks.check", lambda *arguments: None)
    monkeypatch.setattr("portside.project.Project.engine", lambda *arguments: None)
    capsys.readouterr()
    here.task("check")
    said = capsys.readouterr().err
    assert said.startswith("warning: the image has 2 pointer(s) of Git LFS")
    assert "/workspace/m/glm2/model-1.bin" in said


def test_clean_keeps_what_is_remembered_of_locked_sources(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    plan = recipe(here, tmp_path)
    build(here, plan, Layer(()))
    paths(here, plan)
    store = here.project.store
    store.keep("pointers", "0" * 40, [])
    monkeypatch.setattr(clean, "YOUNG", -1)
    found = {item.path.stem for item in clean.find_garbage(here.project)[0] if item.path.parent.name == "pointers"}
    assert found == {"0" * 40}
