"""`env.python.interpreter`: what `lock` takes from the base, what contradicts it, and what is executed with it."""

import json
from pathlib import Path
from typing import Any

import pytest
from base_layers import Files, archive, installed, system, venv
from tiny_wheels import wheel

from portside.errors import MissingInputError, RecipeError
from portside.lock.file import check_lock, dump_lock, read_lock
from portside.lock.models import Lock
from portside.lock.packages import PythonSet
from portside.plan.parts import plan
from portside.project import Project
from portside.resolve.chain import lock_recipe

PYTHON = "/torch/venv3/pytorch/bin/python"
SITE = "torch/venv3/pytorch/lib/python3.7/site-packages"


class Here:
    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.folder = root / "folder"
        for path in (self.root / "recipes", self.folder):
            path.mkdir(parents=True)
        (self.root / "portside.toml").write_text(f'home = "{root}/home"\nfolders = ["{self.folder}"]\n')

    def base(self, *more: Files, version: str = "3.7") -> None:
        packages = ("torch==1.9.0+mlu", "pip==21.3.1", "numpy==1.21.0", "odd==2.1.1_mlu-1")
        data = archive(system(version), venv("torch/venv3/pytorch", version, *packages), *more)
        (self.folder / "base.tar").write_bytes(data)

    def recipe(self, name: str = "m", **python: Any) -> None:
        base = {"archive": {"file": "base.tar", "origin": "a test"}}
        value = {"description": "a test", "base": base, "accelerator": {"name": "cpu"}}
        value["env"] = {"python": {"interpreter": PYTHON, **python}}
        (self.root / "recipes" / f"{name}.yaml").write_text(json.dumps(value))

    def lock(self, name: str = "m", update: Any = ()) -> Lock:
        project = Project(self.root)
        return lock_recipe(project, project.recipe(name), update)[1]

    def python(self, **python: Any) -> PythonSet:
        self.recipe(**python)
        found = self.lock().env.sets[-1].python
        assert found is not None
        return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    links = tmp_path / "links"
    for name, version, needs in (("tiny", "1.0", ["numpy>=1.20"]), ("numpy", "1.24.0", []), ("pip", "21.3.1", [])):
        wheel(links, name, version, *needs)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PORTSIDE_HOME", raising=False)
    made = Here(tmp_path)
    monkeypatch.chdir(made.root)
    return made


def test_the_base_tells_what_the_recipe_leaves_out(here: Here) -> None:
    here.base()
    found = here.python(requirements=["tiny", "odd"])
    assert (found.version, found.platform) == ("3.7", "x86_64-manylinux_2_35")
    assert [wheel.name for wheel in found.wheels] == ["tiny"]
    its = found.interpreter
    assert its is not None and (its.path, its.site) == (PYTHON, f"/{SITE}")
    assert its.packages == {"numpy": "1.21.0", "odd": "2.1.1_mlu-1", "pip": "21.3.1", "torch": "1.9.0+mlu"}
    project = Project(here.root)
    recipe = project.recipe("m")
    lock = read_lock(recipe.lock_path)
    assert lock is not None and dump_lock(lock) == recipe.lock_path.read_text()
    check_lock(recipe, lock)
    part = next(part for part in plan(recipe, lock).build_order() if part.name.startswith("packages"))
    assert f" {PYTHON} -m pip install " in part.manifest["instructions"]
    assert part.manifest["environment"]["PATH"] == "/torch/venv3/pytorch/bin:/usr/bin:/bin"
    # Nothing changed: nothing is read again, though nobody has the base any more.
    (here.folder / "base.tar").unlink()
    for blob in (here.root.parent / "home").glob("**/sha256/*"):
        blob.unlink()
    assert here.lock() == lock


def test_an_old_base_without_a_pip_gets_one_for_the_time_of_installing(here: Here) -> None:
    here.base({f"{SITE}/pip-21.3.1.dist-info": None, **installed(SITE, "pip==19.2.3")})
    found = here.python(requirements=["tiny"])
    assert found.installer is not None and found.installer.version == "21.3.1"
    project = Project(here.root)
    made = plan(project.recipe("m"), here.lock())
    part = next(part for part in made.build_order() if part.name.startswith("packages"))
    assert (
        f"{PYTHON} /run/portside/env/installer/pip-21.3.1-py3-none-any.whl/pip install"
        in (part.manifest["instructions"])
    )
    assert part.manifest["inputs"]["installer pip 21.3.1"] == found.installer.sha256
    assert here.python().installer is None  # nothing is to be installed


@pytest.mark.parametrize(("version", "compiles"), [("3.6", False), ("3.7", True)])
def test_python_whose_byte_code_tells_the_time_makes_none(here: Here, version: str, compiles: bool) -> None:
    here.base(version=version)
    here.recipe(requirements=["tiny"])
    made = plan(Project(here.root).recipe("m"), here.lock())
    part = next(part for part in made.build_order() if part.name.startswith("packages"))
    assert (" --no-compile " not in part.manifest["instructions"]) == compiles


def test_a_package_of_the_base_is_replaced_where_the_recipe_says_so(here: Here) -> None:
    here.base()
    with pytest.raises(RecipeError) as caught:
        here.python(requirements=["numpy>=1.22"])
    assert "The base already has numpy 1.21.0, which stays unless env.python.replace names it" in str(
        caught.value.solution
    )
    found = here.python(requirements=["numpy>=1.22"], replace=["NumPy"])
    assert [wheel.version for wheel in found.wheels] == ["1.24.0"]
    assert "numpy" not in found.there and found.there["torch"] == "1.9.0+mlu"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"version": "3.9"}, r"env.python.version is 3.9, but /torch/.* in the base is Python 3.7"),
    ({"platform": "x86_64-manylinux_2_38"}, "can load no wheels above x86_64-manylinux_2_35"),
    ({"given": {"torch": "1.13.1"}}, r"env.python.given.torch is 1.13.1, but .* has 1.9.0\+mlu"),
    ({"given": {"torch": "1.9.0", "numpy": "1.2"}}, "given.numpy is 1.2"),
    ({"replace": ["nothing"]}, "replace names nothing, which .* does not have"),
    ({"interpreter": "/opt/v/bin/python"}, "is not there in the base"),
]


@pytest.mark.parametrize(("python", "problem"), WRONG)
def test_what_contradicts_the_base_is_an_error_of_lock(here: Here, python: dict[str, Any], problem: str) -> None:
    here.base()
    here.recipe(**python)
    with pytest.raises(RecipeError, match=problem):
        here.lock()
    assert not (here.root / "recipes/m.lock").exists()


def test_what_agrees_with_the_base_may_stand_in_the_recipe(here: Here) -> None:
    here.base()
    found = here.python(version="3.7", platform="x86_64-manylinux2014", given={"torch": "1.9.0", "ffmpy": "0.3.1"})
    assert (found.platform, found.given) == ("x86_64-manylinux2014", {"ffmpy": "0.3.1"})


def test_a_base_that_nobody_has_is_an_error_that_says_where_to_bring_it(here: Here) -> None:
    here.recipe()
    with pytest.raises(MissingInputError, match=r"base\.tar") as caught:
        here.lock()
    assert str(here.folder) in str(caught.value.solution)
    # A lock of when the recipe did not ask knows no layer: now it does.
    value = json.loads((here.root / "recipes/m.yaml").read_text())
    (here.root / "recipes/m.yaml").write_text(json.dumps(value | {"env": {}}))
    assert here.lock().base.layers == ()
    here.recipe()
    here.base()
    lock = here.lock()
    assert len(lock.base.layers) == 2 and lock.env.python is not None


def test_another_base_is_read_anew(here: Here) -> None:
    here.base()
    here.python()
    here.base(installed(SITE, "more==1.0"))
    found = here.lock(update=["base"]).env.python
    assert found is not None and "more" in found.there


def test_a_recipe_on_top_uses_the_same_interpreter(here: Here) -> None:
    here.base()
    here.recipe(requirements=["tiny"])
    (here.root / "recipes/n.yaml").write_text(
        json.dumps({"description": "x", "extends": "m", "env": {"python": {"interpreter": "/usr/bin/python3"}}})
    )
    lock = here.lock("n")  # it installs nothing of its own
    assert len(lock.env.sets) == 2
    value = {"interpreter": "/usr/bin/python3", "requirements": ["pip"]}
    (here.root / "recipes/n.yaml").write_text(
        json.dumps({"description": "x", "extends": "m", "env": {"python": value}})
    )
    with pytest.raises(RecipeError, match="n names /usr/bin/python3, and what it extends has installed"):
        here.lock("n")
