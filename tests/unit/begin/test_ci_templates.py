"""The CI files that `init` writes: what their steps call, for each event."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import calls
import pytest
from ci_templates import github, gitlab, load, run_github, run_gitlab
from project_history import commit, first_commit, head

from portside.begin import make_project

NOWHERE = "0" * 40


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project in git, whose recipe is another in its second commit."""
    root = tmp_path / "project"
    make_project(root)
    first_commit(root)
    recipe = root / "recipes" / "hello.yaml"
    recipe.write_text(recipe.read_text() + "# other\n")
    commit(root)
    return root


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], list[str]]:
    """Puts a `portside` in front of others that only notes what it is called with; gives that since the last time."""
    folder = tmp_path / "bin"
    folder.mkdir()
    notes = tmp_path / "called"
    program = folder / "portside"
    program.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n')
    program.chmod(0o755)

    def since_then() -> list[str]:
        lines = notes.read_text().splitlines()
        notes.unlink()
        return lines

    return since_then


def path(project: Path) -> str:
    return f"{project.parent / 'bin'}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"SINCE": "HEAD~1"}, ["build --changed-since HEAD~1", "check --changed-since HEAD~1 --trust"]),
        (
            {"SINCE": "HEAD~1", "PUSH": "true"},
            ["build --changed-since HEAD~1", "check --changed-since HEAD~1 --trust", "push --changed-since HEAD~1"],
        ),
        ({"SINCE": NOWHERE}, ["build --all", "check --all --trust"]),
        ({"SINCE": ""}, ["build --all", "check --all --trust"]),
        ({"SINCE": "HEAD~1", "NIGHTLY": "true"}, ["build --all", "check --all --trust", "verify --all"]),
    ],
)
def test_what_a_workflow_of_github_calls(
    project: Path, said: Callable[[], list[str]], event: dict[str, str], expected: list[str]
) -> None:
    list(run_github(project, path(project), {"NIGHTLY": "false", "PUSH": "false", **event}))
    assert said() == ["lock --check --all", *expected]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"CI_COMMIT_BEFORE_SHA": "HEAD~1"}, ["build --changed-since HEAD~1", "check --changed-since HEAD~1 --trust"]),
        ({"CI_COMMIT_BEFORE_SHA": NOWHERE, "REGISTRY_HOST": "r"}, ["build --all", "check --all --trust", "push --all"]),
        (
            {
                "CI_COMMIT_BEFORE_SHA": NOWHERE,
                "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD~1",
                "CI_PIPELINE_SOURCE": "merge_request_event",
                "REGISTRY_HOST": "r",
            },
            ["build --changed-since HEAD~1", "check --changed-since HEAD~1 --trust"],
        ),
        ({"CI_PIPELINE_SOURCE": "schedule"}, ["build --all", "check --all --trust", "verify --all"]),
    ],
)
def test_what_a_pipeline_of_gitlab_calls(
    project: Path, said: Callable[[], list[str]], event: dict[str, str], expected: list[str]
) -> None:
    run_gitlab(project, path(project), event)
    assert said() == ["lock --check --all", *expected]


def test_a_step_that_fails_ends_the_rest(project: Path, said: Callable[[], list[str]]) -> None:
    program = project.parent / "bin" / "portside"
    program.write_text(program.read_text() + '[ "$1" != build ]\n')
    for run in (
        lambda: list(run_github(project, path(project), {"NIGHTLY": "true", "PUSH": "true", "SINCE": ""})),
        lambda: run_gitlab(project, path(project), {"CI_PIPELINE_SOURCE": "schedule"}),
    ):
        with pytest.raises(AssertionError, match="portside build"):
            run()
        assert said() == ["lock --check --all", "build --all"]


def test_every_option_that_they_use_is_there(project: Path) -> None:
    steps = "\n".join(step.run for step in (*github(project), *gitlab(project)))
    found = set(re.findall(r"portside (lock|build|check|push|verify)((?: (?:--\S+|\$WHAT))*)", steps))
    assert {task for task, _ in found} == {"lock", "build", "check", "push", "verify"}
    for task, words in found:
        told = calls.call(project, [task, "--help"], {}).stdout
        for option in words.replace("$WHAT", "--all --changed-since").split():
            assert re.search(rf"^  {option}\b", told, re.MULTILINE), f"{task} {option}"


def test_nothing_that_a_run_on_main_leaves_undone_is_forgotten(project: Path) -> None:
    """The next run builds what changed since the commit before it: so that one has to end, and the night builds all."""
    workflow = load(project / ".github" / "workflows" / "portside.yml")
    assert workflow["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    assert "schedule" in workflow[True]  # YAML 1.1 takes `on` for true
    [checkout] = [step for step in workflow["jobs"]["portside"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == 0, "without its history there is nothing to compare with"
    assert load(project / ".gitlab-ci.yml")["portside"]["variables"]["GIT_DEPTH"] == "0"
    assert head(project) != ""
