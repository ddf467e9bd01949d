"""Newer releases that are passed over for want of wheels: told with the reason, and nothing else is."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import calls
import pytest
from tiny_wheels import artefact, asks, wheel

from portside.config import Config, Mirrors
from portside.inputs import python
from portside.lock.packages import Artefact
from portside.store import Store

ROOT = Path(__file__).parents[3]
OLD_TAG = "cp27-cp27m-manylinux1_x86_64"

pytestmark = pytest.mark.usefixtures("only_these_links")


@pytest.fixture
def links(tmp_path: Path) -> Path:
    return tmp_path / "links"


def sdist(folder: Path, name: str, *versions: str) -> None:
    for version in versions:
        (folder / f"{name}-{version}.tar.gz").write_bytes(b"nobody reads it")


def told(
    config: Config, *requirements: str, installed: dict[str, str] | None = None, keep: Sequence[Artefact] = ()
) -> list[str]:
    """What is said about the wheels that satisfy the requirements."""
    target: dict[str, Any] = {"installed": installed or {}, "config": config}
    store = Store(config.home)
    wheels = python.resolve_wheels(asks(*requirements), keep=keep, update=(), store=store, **target)
    return list(map(str, python.passed_over(asks(*requirements), wheels, store=store, **target)))


def test_what_a_newer_release_needs_has_only_a_source_distribution(links: Path, config: Config) -> None:
    wheel(links, "gradio", "1.2.3", "numpy")
    for version in ("2.0", "3.34.0", "4.0rc1"):
        wheel(links, "gradio", version, "ffmpy", "numpy")
    wheel(links, "numpy", "1.0")
    sdist(links, "ffmpy", "0.3", "0.4.0", "0.5rc1")
    why = "3.34.0 was passed over, because ffmpy 0.4.0, which it needs, has only a source distribution"
    assert told(config, "gradio") == [f"gradio 1.2.3: {why}"]
    assert told(config, "gradio<4", "numpy") == [f"gradio 1.2.3: {why}"]
    assert told(config, "gradio<2") == []
    assert told(config, "gradio", installed={"ffmpy": "0.3"}) == []
    wheel(links, "ffmpy", "0.4.0")
    assert told(config, "gradio") == []


def test_a_release_that_has_only_a_source_distribution_itself(links: Path, config: Config) -> None:
    wheel(links, "app", "1.0", "part")
    wheel(links, "part", "1.0")
    sdist(links, "part", "1.0", "1.1", "2.0", "3.0.dev1")
    assert told(config, "app") == ["part 1.0: 2.0 was passed over, because it has only a source distribution"]
    assert told(config, "part<2") == ["part 1.0: 1.1 was passed over, because it has only a source distribution"]
    assert told(config, "part==1.0") == []
    wheel(links, "part", "2.0", tag=OLD_TAG)
    assert told(config, "part") == ["part 1.0: 2.0 was passed over, because it has no wheel for the target"]


def test_a_chain_of_packages_without_wheels(links: Path, config: Config) -> None:
    """Each but the last is told; the packages between them go back as well."""
    wheel(links, "app", "1.0", "part")
    wheel(links, "app", "2.0", "part>=2", "deep.er")
    wheel(links, "part", "1.0")
    wheel(links, "part", "2.0", "deepest>=0.4,<0.6")
    wheel(links, "deepest", "0.3")
    wheel(links, "deepest", "0.9")
    sdist(links, "deepest", "0.4", "0.5")
    sdist(links, "deep_er", "7")
    lacking = "because deep-er 7, which it needs, has only a source distribution and deepest 0.5, which it needs, "
    assert told(config, "app") == [
        f"app 1.0: 2.0 was passed over, {lacking}has only a source distribution",
        "part 1.0: 2.0 was passed over, because deepest 0.5, which it needs, has only a source distribution",
    ]


@pytest.mark.parametrize("other", ["two<2", "two"])
def test_ordinary_reasons_are_not_told(links: Path, config: Config, other: str) -> None:
    wheel(links, "one", "1.0", "two")
    wheel(links, "one", "2.0", "two>=2")
    wheel(links, "two", "1.0")
    wheel(links, "two", "2.0", "three<2")
    wheel(links, "three", "1.0")
    wheel(links, "three", "2.0")
    wheel(links, "three", "3.0", tag=OLD_TAG)
    sdist(links, "unrelated", "1.0")
    assert told(config, "one", other, "three") == []


def test_what_only_the_lock_keeps_back_is_not_told(links: Path, config: Config) -> None:
    keep = [artefact(wheel(links, "app", "1.0", "part")), artefact(wheel(links, "part", "1.0"))]
    wheel(links, "app", "2.0", "part")
    assert told(config, "app", keep=keep) == []
    wheel(links, "app", "3.0", "part>1")
    sdist(links, "part", "1.5")
    assert told(config, "app", keep=keep) == [
        "app 1.0: 3.0 was passed over, because part 1.5, which it needs, has only a source distribution",
        "part 1.0: 1.5 was passed over, because it has only a source distribution",
    ]


def test_an_index_says_for_which_python_a_file_is_and_what_was_withdrawn(tmp_path: Path, links: Path) -> None:
    wheel(links, "app", "1.0")
    wheel(links, "app", "2.0", "part")
    sdist(links, "part", "1.0", "1.1", "1.2")
    rows = {
        "app": {"app-1.0-py3-none-any.whl": "", "app-2.0-py3-none-any.whl": ""},
        "part": {
            "part-1.0.tar.gz": 'data-requires-python="&gt;=3.8"',
            "part-1.1.tar.gz": 'data-yanked="broken"',
            "part-1.2.tar.gz": 'data-requires-python="&gt;=3.12"',
        },
    }
    for name, files in rows.items():
        page = tmp_path / "simple" / name / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("".join(f'<a href="{(links / f).as_uri()}" {more}>{f}</a>\n' for f, more in files.items()))
    config = Config(home=tmp_path / "home", mirrors=Mirrors(pypi=((tmp_path / "simple").as_uri(),)))
    why = "because part 1.0, which it needs, has only a source distribution"
    assert told(config, "app") == [f"app 1.0: 2.0 was passed over, {why}"]


RECIPE = """\
description: a test
base: {archive: {file: a.tar, origin: nowhere}}
accelerator: {name: cpu}
env: {path: [/venv/bin], python: {version: "3.11", requirements: [app]}}
"""


def test_a_lock_says_it_when_it_is_found_and_once_more_at_its_end(tmp_path: Path, links: Path) -> None:
    wheel(links, "app", "1.0")
    wheel(links, "app", "2.0", "part")
    sdist(links, "part", "1.0")
    root = tmp_path / "checkout"
    (root / "recipes").mkdir(parents=True)
    (root / "recipes" / "r.yaml").write_text(RECIPE)
    shutil.copy(ROOT / "tasks.py", root)
    note = "  app 1.0: 2.0 was passed over, because part 1.0, which it needs, has only a source distribution"
    for state in ("written", "unchanged"):
        words = ["-r", str(root), "lock", "--recipe", "r"]
        done = calls.call(root, words, {"PORTSIDE_HOME": str(tmp_path / "home")}, "invoke")
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        assert lines.count(note) == 2
        assert lines[-1] == f"recipes/r.lock: {state}"
        assert lines[-4:-2] == ["Older than they had to be, for want of wheels:", note]
