"""Python packages come from the folder `links` of a test alone; git repositories, and who commits to them."""

import os
from pathlib import Path

import pytest
from upstream import COMMITTED, Upstream

from portside.config import Config
from portside.store import Store


@pytest.fixture
def only_these_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(home=tmp_path / "home")


@pytest.fixture
def git_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person who commits, and a configuration with settings that must not matter."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "gitconfig").write_text('[core]\n\tautocrlf = true\n[remote "portside"]\n\tprune = true\n')
    values = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(tmp_path)}
    for who in ("AUTHOR", "COMMITTER"):
        values |= {
            f"GIT_{who}_NAME": "Test",
            f"GIT_{who}_EMAIL": "test@example.invalid",
            f"GIT_{who}_DATE": f"{COMMITTED} +0900",
        }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def upstream(tmp_path: Path, git_settings: None) -> Upstream:
    return Upstream(tmp_path / "upstream")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")
