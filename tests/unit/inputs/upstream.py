"""A git repository that a test commits to."""

import subprocess
from pathlib import Path

from repositories import head, new_repository

COMMITTED = 1_600_000_000


class Upstream:
    """A repository with commits; `plain` are the bytes of its files, whatever attributes say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = str(path)
        new_repository(path)

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> str:
        run = subprocess.run(["git", *arguments], cwd=self.path, input=stdin, capture_output=True, check=True)
        return run.stdout.decode().strip()

    def commit(self, **files: bytes) -> str:
        for name, data in files.items():
            (self.path / name).write_bytes(data)
        if files:
            self("add", "--", *files)
        self("commit", "-q", "--allow-empty", "-m", "x")
        return head(self.path)
