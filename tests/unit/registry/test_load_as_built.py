"""An archive of a recipe's image counts as built where the plan proves it; any other is kept under its names."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_project import Machine, Small

from portside.adopt.archive_images import Loaded, load_archive
from portside.archive.write import write_archive
from portside.errors import InputError, RecipeError
from portside.plan.model import Plan

RECIPES = ("small",)
NAMES = ["portside/small:latest", "portside/small:weights"]


def saved(machine: Machine, path: Path, layer: str = "weights", names: Sequence[str] = NAMES) -> Path:
    machine.build()
    image = machine.store.layout.image(f"small:{layer}")
    assert image is not None
    write_archive(image, names, machine.store, path)
    return path


def load(path: Path, there: Machine) -> list[Loaded]:
    return load_archive(path, there.store, lambda name: there.plan, RECIPES)


def test_our_own_image_is_built_afterwards(machine: Callable[..., Machine], tmp_path: Path) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    [loaded] = load(saved(here, tmp_path / "a.tar"), there)
    assert loaded.names == ("portside/small:weights", "portside/small:latest")
    assert [row.plan.name for row in loaded.built] == ["env", "sources", "migrated", "weights"]
    assert there.image_id() == here.image_id()
    assert [row.fresh for row in there.build(folders=False)] == [(), (), (), ()]
    there.check_blobs()


def test_a_lower_layer_brings_what_is_below_it(machine: Callable[..., Machine], tmp_path: Path) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    [loaded] = load(saved(here, tmp_path / "a.tar", "migrated"), there)
    assert [row.plan.name for row in loaded.built] == ["env", "sources", "migrated"]
    assert there.build()[-1].fresh == ("model", "model/big.bin", "model/other.bin")


def test_an_image_of_another_lock_is_only_an_image(
    machine: Callable[..., Machine], tmp_path: Path, small: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be kept, but not under the names of the recipe."""
    here, there = machine("here"), machine("there")
    path = saved(here, tmp_path / "a.tar", names=["old/small:1"])
    small.edit("print('two')\n")
    [loaded] = load(path, there)
    assert (loaded.built, loaded.names) == ((), ("old/small:1",))
    assert list(there.store.layout.refs()) == ["old/small:1"]
    assert "does not count as built here: it was not built from this recipe and lock" in capsys.readouterr().err
    assert [row.fresh for row in there.build()][-1] != ()


def test_an_image_of_another_lock_does_not_get_the_names(
    machine: Callable[..., Machine], tmp_path: Path, small: Small
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    path = saved(here, tmp_path / "a.tar")
    small.edit("print('two')\n")
    with pytest.raises(InputError, match=r"a\.tar holds an image called portside/small:latest, .*not built from this"):
        load(path, there)
    assert (there.store.layout.refs(), there.blobs()) == ([], set())


def test_an_image_of_a_recipe_that_is_not_here(
    machine: Callable[..., Machine], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_recipe(name: str) -> Plan:
        raise RecipeError(f"no recipe '{name}'")

    here, there = machine("here"), machine("there")
    [loaded] = load_archive(saved(here, tmp_path / "a.tar"), there.store, no_recipe, ())
    assert loaded.built == ()
    assert "there is no recipe 'small' here" in capsys.readouterr().err
    kept = there.store.layout.image(NAMES[0])
    assert kept is not None and kept.image_id == here.image_id()
