"""Packages that are built of their source distributions: from the recipe to the lock, the plan and its context."""

import gzip
import io
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "inputs"))

from tiny_wheels import wheel

from portside.build.render import dockerfile
from portside.errors import LockError, RecipeError
from portside.lock.file import check_lock, read_lock
from portside.lock.models import Lock
from portside.plan import plan
from portside.plan.model import BuiltPackages, Part
from portside.project import Project
from portside.resolve.chain import lock_recipe
from portside.trees.parts import run_context

RECIPE = """\
description: builds
base: {{archive: {{file: base.tar, origin: x}}}}
accelerator: {{name: cpu}}
env:
  python:
    version: "3.7"
    requirements: [demo]
    build: [{build}]
"""
DATE = 4_000_000_000
OWN = '[build-system]\nrequires = ["flit_core>=3"]\nbuild-backend = "flit_core.buildapi"\n'
OWN += '[project]\nname = "own"\nversion = "2.0"\ndependencies = ["late", "old; python_version > \'3.7\'"]\n'


def sdist(folder: Path, name: str, version: str, date: int = DATE, **files: str) -> None:
    """An sdist with these files (`__` for a dot)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in sorted(files.items()):
            info = tarfile.TarInfo(f"{name}-{version}/{path.replace('__', '.')}")
            info.size, info.mtime = len(text.encode()), date
            archive.addfile(info, io.BytesIO(text.encode()))
    (folder / f"{name}-{version}.tar.gz").write_bytes(gzip.compress(out.getvalue(), mtime=0))


class Builds:
    """A project whose recipe `r` builds packages."""

    def __init__(self, root: Path) -> None:
        self.root, self.links = root, root / "links"
        (root / "recipes").mkdir()

    def lock(self, build: str, *update: str) -> Lock:
        (self.root / "recipes/r.yaml").write_text(RECIPE.format(build=build))
        project = Project(self.root)
        return lock_recipe(project, project.recipe("r"), update)[1]

    def part(self, lock: Lock) -> Part:
        parts = plan(Project(self.root).recipe("r"), lock).layer("env").parts
        return next(part for part in parts if isinstance(part.of, BuiltPackages))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    links = tmp_path / "links"
    for name, version, *more in [("demo", "1.0", "legacy<1", "own"), ("late", "1.0"), ("setuptools", "68.0", "helper")]:
        wheel(links, name, version, *more)
    for name in ("wheel", "flit_core", "ninja", "helper"):
        wheel(links, name, "3.9")
    sdist(links, "legacy", "0.9", setup__py="setup(install_requires=[])")
    sdist(links, "own", "2.0", DATE + 1, pyproject__toml=OWN)
    for name, value in {"CONFIG_FILE": "/dev/null", "NO_INDEX": "1", "FIND_LINKS": str(links)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    return Builds(tmp_path)


BOTH = "legacy, {sdist: own==2.0, needs: [ninja]}"


def test_sdists_are_locked_with_what_builds_them(made: Builds) -> None:
    lock = made.lock(BOTH)
    [packages] = lock.env.sets
    found = packages.python
    assert found is not None
    assert found.built is not None
    assert [(s.file, s.backend) for s in found.sdists] == [
        ("legacy-0.9.tar.gz", "setuptools.build_meta:__legacy__"),
        ("own-2.0.tar.gz", "flit_core.buildapi"),
    ]
    assert [w.name for w in found.wheels] == ["demo", "late"]
    assert [t.name for t in found.built.tools] == ["flit-core", "helper", "ninja", "setuptools", "wheel"]
    assert (packages.epoch < DATE, found.built.epoch, lock.env.epoch) == (True, DATE + 1, DATE + 1)
    assert found.asked == {
        "demo": ("recipe",),
        "late": ("own",),
        "legacy": ("demo", "recipe"),
        "own": ("demo", "recipe"),
    }
    text = (made.root / "recipes/r.lock").read_text()
    assert made.lock(BOTH) == lock
    assert (made.root / "recipes/r.lock").read_text() == text


def test_they_stay_until_they_are_named(made: Builds) -> None:
    made.lock("legacy, own")
    sdist(made.links, "legacy", "0.9.5", setup__py="setup()")
    assert [s.version for s in made.lock("legacy, own").env.sdists] == ["0.9", "2.0"]
    assert [s.version for s in made.lock("legacy, own", "legacy").env.sdists] == ["0.9.5", "2.0"]
    sdist(made.links, "legacy", "3.0", setup__py="setup()")
    with pytest.raises(RecipeError, match="legacy") as caught:
        made.lock("legacy>1, own")
    assert "env.python.build" in str(caught.value)


def test_the_part_has_all_that_counts_and_its_context(made: Builds) -> None:
    lock = made.lock(BOTH)
    part = made.part(lock)
    assert part.epoch == DATE + 1
    assert "run_build.py legacy own\n" in part.manifest["instructions"]
    whole = plan(Project(made.root).recipe("r"), lock)
    assert part.manifest["instructions"].strip() in dockerfile(whole)
    assert {"legacy 0.9", "own 2.0", "tool wheel 3.9", "builds.json", "run_build.py"} <= part.manifest["inputs"].keys()
    [(place, tree)] = run_context(whole, part, Project(made.root).store).items()
    assert place == "build/r"
    assert {"sdists/own-2.0.tar.gz", "tools/wheel-3.9-py3-none-any.whl", "tools.txt"} <= {e.path for e in tree}
    reversed_order = made.lock("own, legacy")
    assert made.part(reversed_order).key != part.key
    wheels = next(p for p in whole.layer("env").parts if p.name == "packages")
    assert wheels.key in part.manifest["on"].values()


def test_a_lock_must_build_what_the_recipe_says(made: Builds) -> None:
    made.lock("legacy, own")
    path, recipe = made.root / "recipes/r.lock", Project(made.root).recipe("r")
    for before, after, said in [
        ('"own-2.0.tar.gz"', '"other-2.0.tar.gz"', "the lock calls other-2.0.tar.gz own 2.0"),
        ('"name": "own"', '"name": "other"', "build.own: the lock has none of this name"),
        ('"flit_core.buildapi"', '"x; rm"', "is not a lock"),
        ('"wheel-3.9-py3', '"wheel-4.0-py3', "the lock calls wheel-4.0-py3-none-any.whl wheel 3.9"),
    ]:
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        with pytest.raises(LockError, match=said):
            check_lock(recipe, read_lock(path))  # type: ignore[arg-type]
        path.write_text(text)


def test_what_nobody_can_read_is_said(made: Builds, capsys: pytest.CaptureFixture[str]) -> None:
    sdist(made.links, "odd", "1.0", setup__py="setup(install_requires=read())")
    assert [s.name for s in made.lock("legacy, own, odd").env.sdists] == ["legacy", "own", "odd"]
    assert "odd 1.0: what it needs is nowhere written down" in capsys.readouterr().err
    with pytest.raises(RecipeError, match="legacy stands twice"):
        made.lock("legacy, Legacy==0.9")
