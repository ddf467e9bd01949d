"""An archive of a recipe's image counts as built where the plan proves it; any other is kept under its names."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import Machine, Small

from portside.archive.load import load_archive
from portside.archive.write import write_archive
from portside.errors import RecipeError
from portside.plan import Plan

NAMES = ["portside/small:latest", "portside/small:weights"]


def saved(machine: Machine, path: Path, layer: str = "weights") -> Path:
    machine.build()
    image = machine.store.layout.image(f"small:{layer}")
    assert image is not None
    write_archive(image, NAMES, machine.store, path)
    return path


def test_our_own_image_is_built_afterwards(machine: Callable[..., Machine], tmp_path: Path) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    [loaded] = load_archive(saved(here, tmp_path / "a.tar"), there.store, lambda name: there.plan)
    assert loaded.names == ("portside/small:weights", "portside/small:latest")
    assert [row.plan.name for row in loaded.built] == ["env", "sources", "migrated", "weights"]
    assert there.image_id() == here.image_id()
    assert [row.fresh for row in there.build(folders=False)] == [(), (), (), ()]
    there.check_blobs()


def test_a_lower_layer_brings_what_is_below_it(machine: Callable[..., Machine], tmp_path: Path) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    [loaded] = load_archive(saved(here, tmp_path / "a.tar", "migrated"), there.store, lambda name: there.plan)
    assert [row.plan.name for row in loaded.built] == ["env", "sources", "migrated"]
    assert there.build()[-1].fresh == ("model", "model/big.bin", "model/other.bin")


def test_an_image_of_another_lock_is_only_an_image(
    machine: Callable[..., Machine], tmp_path: Path, small: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = machine("here"), machine("there")
    path = saved(here, tmp_path / "a.tar")
    small.edit("print('two')\n")
    [loaded] = load_archive(path, there.store, lambda name: there.plan)
    assert (loaded.built, loaded.names) == ((), tuple(NAMES))
    assert sorted(there.store.layout.refs()) == NAMES
    assert "does not count as built here: it was not built from this recipe and lock" in capsys.readouterr().err
    assert [row.fresh for row in there.build()][-1] != ()


def test_an_image_of_a_recipe_that_is_not_here(
    machine: Callable[..., Machine], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_recipe(name: str) -> Plan:
        raise RecipeError(f"no recipe '{name}'")

    here, there = machine("here"), machine("there")
    [loaded] = load_archive(saved(here, tmp_path / "a.tar"), there.store, no_recipe)
    assert loaded.built == ()
    assert "no recipe 'small'" in capsys.readouterr().err
    kept = there.store.layout.image(NAMES[0])
    assert kept is not None and kept.image_id == here.image_id()
