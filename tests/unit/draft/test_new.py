"""`invoke new`: what is written where, and that nothing is overwritten."""

import json
import subprocess
from pathlib import Path

import calls
import pytest
from repositories import head, new_repository

from portside.draft.new import draft_recipe, write_draft
from portside.errors import InputError, RecipeError
from portside.project import Project

pytestmark = pytest.mark.usefixtures("only_these_links")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    (root / "recipes").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "src" / "README.md").write_text("`python run.py --quick`\n")
    (root / "src" / "run.py").write_text(
        "import argparse\nargparse.ArgumentParser(description='Runs a thing').parse_args()\n"
    )
    return Project(root)


def repository(folder: Path) -> str:
    """A git repository with a branch and a tag; gives the name of its commit."""
    new_repository(folder)
    (folder / "README.md").write_text("`python run.py`\n")
    (folder / "run.py").write_text("print(1)\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["add", "."], [*identity, "commit", "-q", "-m", "x"], ["tag", "release-1"], ["branch", "dev"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return head(folder)


def test_a_folder_of_the_project_becomes_a_recipe(project: Project) -> None:
    drafted = draft_recipe(project, "thing", str(project.root / "src"))
    assert write_draft(project, drafted) == ["recipes/thing.yaml", "recipes/thing/checks/test_draft.py"]
    model = project.recipe("thing").model
    assert model.run.targets["run"].description == "Runs a thing"
    assert model.sources["src"].kind == "folder"
    compile((project.root / "recipes/thing/checks/test_draft.py").read_text(), "check", "exec")


@pytest.mark.parametrize("path", ["thing.yaml", "thing.lock", "thing/notes.txt"])
def test_nothing_is_overwritten(project: Project, path: str) -> None:
    there = project.root / "recipes" / path
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    with pytest.raises(RecipeError, match="there is already"):
        draft_recipe(project, "thing", str(project.root / "src"))
    assert there.read_text() == "mine"


def test_what_came_there_meanwhile_stays(project: Project) -> None:
    drafted = draft_recipe(project, "thing", str(project.root / "src"))
    (project.root / "recipes" / "thing.yaml").write_text("mine")
    with pytest.raises(RecipeError, match="there is already"):
        write_draft(project, drafted)
    assert (project.root / "recipes" / "thing.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("ref", "said"), [("", "branch main"), ("@release-1", "tag release-1"), ("@dev", "branch dev")]
)
def test_a_repository_at_a_ref(project: Project, tmp_path: Path, ref: str, said: str) -> None:
    commit = repository(tmp_path / "upstream")
    text = draft_recipe(project, "thing", f"{tmp_path / 'upstream'}{ref}").text
    assert f'git: "file://{tmp_path / "upstream"}"' in text
    assert f"  # {said}\n" in text and commit in text


def test_a_commit_by_its_first_digits(project: Project, tmp_path: Path) -> None:
    commit = repository(tmp_path / "upstream")
    assert commit in draft_recipe(project, "thing", f"{tmp_path / 'upstream'}@{commit[:9]}").text


def test_a_ref_that_is_not_there_and_a_folder_that_is_nothing(project: Project, tmp_path: Path) -> None:
    repository(tmp_path / "upstream")
    with pytest.raises(InputError, match="no tag, branch or commit 'release-2'") as error:
        draft_recipe(project, "thing", f"{tmp_path / 'upstream'}@release-2")
    assert "Did you mean 'release-1'?" in str(error.value)
    (tmp_path / "plain").mkdir()
    with pytest.raises(RecipeError, match="neither in the project nor a git repository"):
        draft_recipe(project, "thing", str(tmp_path / "plain"))
    with pytest.raises(RecipeError, match="no folder"):
        draft_recipe(project, "thing", str(tmp_path / "nothing"))
    with pytest.raises(RecipeError, match="password or token"):
        draft_recipe(project, "thing", "https://a:b@example.org/x")


def test_the_task_prints_and_writes(project: Project) -> None:
    (project.root / "tasks.py").write_text("from portside.cli.tasks import *\n")
    before = sorted(project.root.rglob("*"))
    dry = calls.call(project.root, ["new", "thing", "--source", "src", "--dry-run"], {})
    assert dry.returncode == 0 and dry.stdout.startswith("# Drafted by `invoke new` out of src")
    assert sorted(path for path in project.root.rglob("*") if "__pycache__" not in path.parts) == before
    said = json.loads(calls.call(project.root, ["new", "thing", "--source", "src", "--no-lock", "--json"], {}).stdout)
    assert said["files"] == ["recipes/thing.yaml", "recipes/thing/checks/test_draft.py"] and said["locked"] is False
    again = calls.call(project.root, ["new", "thing", "--source", "src"], {})
    assert again.returncode == 2 and "there is already recipes/thing.yaml" in again.stderr
