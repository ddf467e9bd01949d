"""Requirements that stand in sources, from the recipe to the lock."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "inputs"))

from tiny_wheels import digest, wheel

from portside.errors import LockError, RecipeError
from portside.lock.file import check_lock, read_lock
from portside.lock.lower import behind
from portside.lock.packages import PythonSet
from portside.project import Project
from portside.resolve.chain import lock_recipe

RECIPE = """\
description: reads
base: {archive: {file: base.tar, origin: x}}
accelerator: {name: cpu}
sources:
  app: {folder: app}
env:
  python:
    version: "3.11"
    given: {torch: "1.9"}
    requirements:
"""
ITEMS = """\
      - extra-one
      - {from: app/r.txt, without: [gone]}
      - {needs-of: app/lib, extras: [fast]}
"""
PYPROJECT = '[project]\nname = "lib"\ndependencies = ["deep"]\noptional-dependencies = {fast = ["torch>=1"]}\n'


class Reads:
    """A project whose recipe `r` has the source `app`, a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("app/r.txt", "one\n\n-c limits.txt\nold; python_version < '3.8'\ngone\n")
        self.write("app/limits.txt", "two<2\n")
        self.write("app/lib/pyproject.toml", PYPROJECT)
        self.asks(ITEMS)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def asks(self, items: str, name: str = "r", head: str = RECIPE) -> None:
        self.write(f"recipes/{name}.yaml", head + items)

    def lock(self, name: str = "r") -> PythonSet:
        project = Project(self.root)
        found = lock_recipe(project, project.recipe(name))[1].env.sets[0].python
        assert found is not None
        return found

    def refused(self, items: str) -> str:
        self.asks(items)
        with pytest.raises(RecipeError) as caught:
            self.lock()
        return str(caught.value)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    links = tmp_path / "links"
    for name, version, *more in [
        ("one", "1.0", "two"),
        ("two", "1.0"),
        ("two", "2.0"),
        ("deep", "1.0", "two", "torch"),
        ("extra_one", "1.0"),
        ("late", "1.0"),
    ]:
        wheel(links, name, version, *more)
    for name, value in {"CONFIG_FILE": "/dev/null", "NO_INDEX": "1", "FIND_LINKS": str(links)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    return Reads(tmp_path)


def test_what_a_source_asks_for_is_locked_with_who_asked(made: Reads) -> None:
    found = made.lock()
    assert [f"{w.name} {w.version}" for w in found.wheels] == ["deep 1.0", "extra-one 1.0", "one 1.0", "two 1.0"]
    assert found.read == {"app/r.txt": ("one",), "needs of app/lib": ("deep", "torch>=1")}
    assert found.asked == {
        "deep": ("needs of app/lib",),
        "extra-one": ("recipe",),
        "one": ("app/r.txt:1",),
        "two": ("deep", "one"),
    }
    text = (made.root / "recipes/r.lock").read_text()
    made.lock()
    assert (made.root / "recipes/r.lock").read_text() == text


def test_a_change_of_the_source_is_a_change_of_what_is_locked(made: Reads) -> None:
    made.lock()
    made.write("app/r.txt", "late\ngone\n")
    with pytest.raises(LockError, match="its files have changed since"):
        check_lock(Project(made.root).recipe("r"), read_lock(made.root / "recipes/r.lock"))  # type: ignore[arg-type]
    found = made.lock()
    assert found.asked["late"] == ("app/r.txt:1",)
    assert "one" not in found.asked


def test_a_lock_that_lacks_what_a_source_asks_for_is_refused(made: Reads) -> None:
    made.lock()
    recipe = Project(made.root).recipe("r")
    path = made.root / "recipes/r.lock"
    for before, after, said in [
        ('"app/r.txt": ["one"]', '"app/r.txt": ["one>2"]', "one>2: the lock has one 1.0"),
        ('"app/r.txt": ["one"]', '"app/x.txt": ["one"]', "the lock has none of this name"),
    ]:
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        with pytest.raises(LockError, match=said):
            check_lock(recipe, read_lock(path))  # type: ignore[arg-type]
        path.write_text(text)


def test_hashes_hold(made: Reads) -> None:
    wheels = {path.name.partition("-")[0]: digest(path) for path in sorted((made.root / "links").iterdir())}
    made.write("app/r.txt", f"one==1.0 --hash=sha256:{wheels['one']}\n")
    made.asks("      - {from: app/r.txt}\n")
    assert made.lock().asked["one"] == ("app/r.txt:1",)
    made.write("app/r.txt", f"\none==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(Exception, match=r"no wheel of one 1.0 .* has a hash that is asked for by app/r.txt:2"):
        made.lock()


def test_mistakes_name_what_is_meant(made: Reads) -> None:
    assert "'up' is not among the sources (app)" in made.refused("      - {from: up/r.txt}\n")
    assert "Write app/requirements.txt." in made.refused("      - {from: app}\n")
    assert "It has limits.txt" not in made.refused("      - {from: app/requirements.txt}\n")
    assert "nothing to leave out: it does not need x" in made.refused("      - {needs-of: app/lib, without: [x]}\n")
    assert "no folder up in the source app" in made.refused("      - {needs-of: app/up}\n")
    assert "app/r.txt stands twice" in made.refused("      - {from: app/r.txt}\n      - {from: app/r.txt}\n")
    assert "expected a requirement such as" in made.refused("      - {form: app/r.txt}\n")
    made.write("app/r.txt", "one\n--index-url https://index.example\n")
    assert "app/r.txt:2: --index-url" in made.refused("      - {from: app/r.txt}\n")


def test_a_recipe_that_extends_reads_its_own_state_of_a_source(made: Reads) -> None:
    made.write("newer/r.txt", "late\ngone\n")
    made.write("newer/lib/pyproject.toml", PYPROJECT)
    head = "description: x\nextends: r\n"
    made.asks("", "same", head)
    made.asks("sources: {app: {folder: newer}}\n", "upper", head)
    lower = made.lock()
    assert made.lock("same") == lower
    upper = made.lock("upper")
    assert upper.read["app/r.txt"] == ("late",)
    assert Project(made.root).recipe("upper").stages[0].recipe == "r"
    made.write("app/r.txt", "one\nlate\ngone\n")
    made.lock()
    assert made.lock("same").read["app/r.txt"] == ("one", "late")
    assert made.lock("upper") == upper
    project = Project(made.root)
    found = read_lock(made.root / "recipes/upper.lock")
    assert found is not None
    assert behind(project.recipe("upper"), found) == []
    made.write("app/r.txt", "one\ngone\n")
    made.lock()
    kept = read_lock(made.root / "recipes/same.lock")
    assert kept is not None
    assert behind(project.recipe("same"), kept) != []
