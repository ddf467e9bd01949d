"""Sources that are not migrated are patched where they are: what the layer has of them, its key, a plain Dockerfile."""

import json
from pathlib import Path

import pytest
from source_project import SourceProject

from portside.build.render import render
from portside.errors import MigrationError
from portside.inputs.spool import Spool
from portside.layers.layer import Layer
from portside.plan.model import Plan, Trees
from portside.plan.parts import plan
from portside.trees.parts import part_layer

RECIPE = """\
description: sources
base: {archive: {file: base.tar, origin: x}}
accelerator: {name: cpu}
sources:
  m: {folder: m}
  other: {folder: other}
"""
MIGRATED = "migration: {ruleset: mlu, sources: [m]}\n"


@pytest.fixture
def tried(tmp_path: Path) -> "Tried":
    for name in ("m", "other"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep/a.py").write_text("x = 1\n")
        (tmp_path / name / "b.txt").write_text("b\n")
    (tmp_path / "recipes/r").mkdir(parents=True)
    (tmp_path / "recipes/r/f").write_text("f\n")
    (tmp_path / "recipes/r/d").write_text("--- a/other/b.txt\n+++ b/other/b.txt\n@@ -1 +1 @@\n-b\n+c\n")
    return Tried(tmp_path)


class Tried:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.of = SourceProject(root)

    def plan(self, steps: str, migration: str = "") -> Plan:
        (self.root / "recipes/r.yaml").write_text(f"{RECIPE}{migration}patches: [{steps}]\n")
        return plan(self.of.project.recipe("r"), self.of.lock())

    def layer(self, made: Plan) -> Layer:
        [part] = [part for part in made.layer("migrated").parts if isinstance(part.of, Trees)]
        with self.of.project.store.workspace() as folder, Spool(folder) as spool:
            return part_layer(made, part, self.of.project.store, spool, {})

    def paths(self, steps: str, migration: str = "") -> list[str]:
        below = "workspace/r/"
        layer = self.layer(self.plan(steps, migration))
        return [entry.path.removeprefix(below) for entry in layer.entries if entry.kind == "file"]


REPORTS = ["migration/report.html", "migration/report.json", "migration/report.md"]
REPLACE = "{replace: x = 1, with: x = 2, files: other/**/*.py, count: 1}"


def test_the_layer_has_what_steps_changed_and_no_more(tried: Tried) -> None:
    assert tried.paths(REPLACE) == [*REPORTS, "other/deep/a.py"]
    assert tried.paths("{diff: d, count: 1}") == [*REPORTS, "other/b.txt"]
    assert tried.paths("{copy: f, to: other/new/f}", MIGRATED) == [
        "m_mlu/b.txt", "m_mlu/deep/a.py", *REPORTS, "other/new/f"
    ]  # fmt: skip
    layer = tried.layer(tried.plan("{delete: 'other/deep/**', count: 1}"))
    assert layer.whiteouts == ("workspace/r/other/deep",)
    [report] = [entry for entry in layer.entries if entry.path.endswith("report.json")]
    data = json.loads(report.read())
    assert data["mode"] == "none"
    assert [(file["path"], file["hits"][0]["note"]) for file in data["files"]] == [
        ("other/deep/a.py", "deleted (6 bytes)")
    ]


def test_a_source_is_reached_by_its_name_alone(tried: Tried) -> None:
    """A glob of a recipe that migrates goes where it went, whatever sources lie beside."""
    assert "other/deep/a.py" not in tried.paths(
        "{replace: x = 1, with: x = 2, files: '**/*.py', count: 1}, {copy: f, to: other/f}", MIGRATED
    )
    with pytest.raises(MigrationError, match=r"not migrated \(other\) is reached by its name alone, not by 'oth\*'"):
        tried.layer(tried.plan("{delete: 'oth*/b.txt', count: 1}", MIGRATED))
    with pytest.raises(MigrationError, match=r"other/b\.txt is already there"):
        tried.layer(tried.plan("{copy: f, to: other/b.txt}"))
    with pytest.raises(
        MigrationError, match="in a source that is not patched: m stays as it is, what is patched is m_"
    ):
        tried.layer(tried.plan("{copy: f, to: m/new}", MIGRATED))


def test_the_key_has_a_source_that_is_patched_and_no_other(tried: Tried) -> None:
    def trees(made: Plan) -> tuple[str, set[str]]:
        [part] = [part for part in made.layer("migrated").parts if isinstance(part.of, Trees)]
        return part.key, set(part.manifest.get("patched", {}))

    key, patched = trees(tried.plan(REPLACE))
    assert patched == {"other"}
    (tried.root / "m/b.txt").write_text("other\n")
    tried.of.lock("m")
    assert trees(tried.plan(REPLACE)) == (key, {"other"})
    (tried.root / "other/b.txt").write_text("other\n")
    tried.of.lock("other")
    assert trees(tried.plan(REPLACE))[0] != key
    assert trees(tried.plan("{copy: f, to: m_mlu/f}", MIGRATED))[1] == set()


def test_a_plain_dockerfile_removes_what_a_step_deletes(tried: Tried, tmp_path: Path) -> None:
    made = tried.plan(f"{REPLACE}, {{delete: other/b.txt, count: 1}}")
    render(made, tried.of.project.store, tmp_path / "out")
    lines = (tmp_path / "out/Dockerfile").read_text().splitlines()
    removal = 'RUN ["rm", "-r", "-f", "--", "/workspace/r/other/b.txt"]'
    assert lines.index(removal) < lines.index("COPY migrated/ /workspace/r/")
    assert (tmp_path / "out/migrated/other/deep/a.py").read_text() == "x = 2\n"
    assert not (tmp_path / "out/migrated/other/b.txt").exists()
