"""`doctor --all`: every recipe, and the room that building all of them takes."""

from collections.abc import Callable
from typing import Any

import pytest
from several_recipes import add, executing, plans
from small_project import Machine

from portside.doctor.all_recipes import examine_all
from portside.doctor.findings import Finding
from portside.lock.file import dump_lock
from portside.project import Project


@pytest.fixture
def here(machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Recipes a and small with locks, b without one, and c, which is none."""
    made = machine("here")
    executing(made)
    for name in ("a", "b"):
        add(made, name)
    add(made, "c", "nothing: known\n")
    for plan in plans(made, ["a", "small"]):
        plan.recipe.lock_path.write_text(dump_lock(plan.lock))
    monkeypatch.setenv("PORTSIDE_HOME", str(made.home))
    (made.small.root / "portside.toml").write_text(f'folders = ["{made.small.downloads}"]\n')
    return made


def found(here: Machine, engine: Any = None) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine_all(Project(here.small.root), engine)}


def test_each_recipe_is_looked_at_and_no_finding_stops_the_next(here: Machine) -> None:
    rows = found(here)
    assert [(name, row.status) for name, row in rows.items()] == [
        ("a", "ok"),
        ("b", "warning"),
        ("c", "problem"),
        ("small", "ok"),
        ("store of all", "ok"),
    ]
    assert rows["b"].remedy == "invoke lock --recipe b" and "nothing" in rows["c"].text
    (here.small.downloads / "big.bin").unlink()
    row = found(here)["a"]
    assert row.status == "problem" and row.text == "a person brings: model/big.bin"


def test_the_room_is_that_of_all_together(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    here.engine.free = 1 << 40
    rows = found(here, here.engine)
    needed = sum(len(data) for data in here.small.weights.values())
    assert rows["engine of all"].status == "ok" and "lacks about" in rows["engine of all"].text
    here.engine.free = needed // 2
    assert found(here, here.engine)["engine of all"].status == "problem"
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": needed})())
    row = found(here)["store of all"]
    assert row.status == "problem" and row.remedy is not None and "invoke clean" in row.remedy
