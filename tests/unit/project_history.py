"""A project in a git repository of its own."""

import os
import subprocess
from pathlib import Path


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *who, *words]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def first_commit(root: Path) -> None:
    git(root, "init", "--quiet")
    commit(root)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "x")


def head(root: Path) -> str:
    return git(root, "rev-parse", "HEAD").strip()
