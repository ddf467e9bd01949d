"""`invoke recipes`: which are locked, which are built, what is missing."""

import shutil
from pathlib import Path

import pytest

from portside.cli.report.recipes import overview, overview_lines
from portside.plan.parts import plan
from portside.project import Project

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    (tmp_path / "recipes").mkdir()
    for name in ("minilm", "chatglm"):
        shutil.copytree(ROOT / "recipes" / name, tmp_path / "recipes" / name)
        for ending in (".yaml", ".lock"):
            shutil.copyfile(ROOT / "recipes" / f"{name}{ending}", tmp_path / "recipes" / f"{name}{ending}")
    return Project(tmp_path)


def shown(project: Project, name: str) -> list[str]:
    """What is said about a recipe behind its name and description."""
    lines = overview_lines([row for row in overview(project) if row["name"] == name])
    assert lines[0] == name
    return [line.strip() for line in lines[1:] if line.strip() != project.recipe(name).model.description]


def test_nothing_is_built_yet(project: Project) -> None:
    locked, fetch = shown(project, "minilm")
    assert locked == "locked, to build: env, sources, migrated, weights"
    assert fetch.startswith("to fetch: ") and " file(s), " in fetch
    *_, bring = shown(project, "chatglm")
    assert bring.startswith(
        "a person brings: pytorch-v1.13.0-torch1.9-ubuntu18.04-py37.tar.gz (invoke doctor --recipe "
    )


def test_built(project: Project) -> None:
    recipe = project.recipe("minilm")
    for part in plan(recipe, project.lock(recipe)).build_order():
        diff_id = part.manifest["diff_id"] if part.kind == "base" else project.store.layout.put_blob(part.key.encode())
        project.store.keep("keys", part.key, {"diff_id": diff_id})
        if part.kind == "base":
            project.store.layout.blob(diff_id).parent.mkdir(parents=True, exist_ok=True)
            project.store.layout.blob(diff_id).write_bytes(b"")
    assert shown(project, "minilm") == ["locked, built"]


def test_not_locked_and_locked_for_another_version(project: Project) -> None:
    path = project.recipe("minilm").path
    path.write_text(path.read_text().replace("transformers==4.27.4", "transformers==4.27.5"))
    assert shown(project, "minilm") == ["locked for another version of the recipe: invoke lock --recipe minilm"]
    path.with_suffix(".lock").unlink()
    assert shown(project, "minilm") == ["not locked: invoke lock --recipe minilm"]


def test_a_recipe_that_cannot_be_read_hides_no_other(project: Project) -> None:
    (project.root / "recipes" / "bad.yaml").write_text("description: x\nbsae: {}\n")
    lines = overview_lines(overview(project))
    at = lines.index("bad")
    assert lines[at + 1].startswith("    error: ") and all(line.startswith("    ") for line in lines[at + 1 : at + 4])
    assert "chatglm" in lines and "minilm" in lines
