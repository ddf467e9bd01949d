"""The steps of the CI files that `init` writes, as a CI runs them: in bash, one after the other."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

INSTALLING = re.compile(r"\b(pip install|apt-get|venv|portside setup|docker login|PATH=)")
"""What tests leave out: it installs, or logs in."""


@dataclass(frozen=True)
class Step:
    """condition: of GitHub's, "" where there is none."""

    run: str
    condition: str = ""

    @property
    def installs(self) -> bool:
        return INSTALLING.search(self.run) is not None


def github(root: Path) -> list[Step]:
    """The steps of the only job of the workflow."""
    [job] = load(root / ".github" / "workflows" / "portside.yml")["jobs"].values()
    return [Step(step["run"], str(step.get("if", ""))) for step in job["steps"] if "run" in step]


def gitlab(root: Path) -> list[Step]:
    job = load(root / ".gitlab-ci.yml")["portside"]
    return [Step(line) for line in [*job["before_script"], *job["script"]]]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def run_github(root: Path, path: str, event: Mapping[str, str]) -> Iterator[str]:
    """Run what a runner would; gives what each step printed. path: PATH. event: NIGHTLY, PUSH and SINCE."""
    handed_on = root.parent / "github-env"
    handed_on.write_text("")
    for step in github(root):
        if step.installs or (
            (found := re.fullmatch(r"env\.(\w+) == 'true'", step.condition)) and event[found[1]] != "true"
        ):
            continue
        more = dict(line.split("=", 1) for line in handed_on.read_text().splitlines())
        environment = {**os.environ, **event, **more, "PATH": path, "GITHUB_ENV": str(handed_on)}
        yield _run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run], root, environment)


def run_gitlab(root: Path, path: str, event: Mapping[str, str]) -> str:
    """The same: all lines are one script there. event: the CI_… variables."""
    script = "\n".join(step.run for step in gitlab(root) if not step.installs)
    return _run(["bash", "-eo", "pipefail", "-c", script], root, {**os.environ, **event, "PATH": path})


def _run(command: list[str], root: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout
