"""Links to weights where a port looks for them: `to` of a set of weights."""

from typing import Any

import pytest
from first_sight_checkout import Here, pointer, repository, sha

from portside.errors import RecipeError
from portside.image.pointers import given_way, left_pointers
from portside.inputs.spool import Spool
from portside.plan.model import Plan, WeightLinks
from portside.plan.parts import plan
from portside.trees.parts import part_layer

SHARD = b"weights" * 100


def made(here: Here) -> Plan:
    return plan(here.project.recipe("m"), here.read())


def asks(here: Here, to: str, path: str = "model/1.bin", **more: Any) -> None:
    files = [{"path": path, "sha256": sha(SHARD), "size": len(SHARD), "origin": "x"}]
    here.recipe(weights={"glm": {"to": to, "files": files}}, **more)


@pytest.fixture
def code(here: Here) -> dict[str, Any]:
    files = {"app/model/1.bin": pointer(SHARD), "app/model/2.bin": pointer(b"other"), "app/run.py": b"pass\n"}
    return {"code": repository(here.root.parent / "code", files)}


def test_pointers_give_way_and_are_named(here: Here, code: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    asks(here, "code/app", sources=code)
    here.task("lock", update=[])
    said = capsys.readouterr().err
    way = "code/app/model/1.bin: a pointer of Git LFS gives way to a link to /workspace/m/weights/glm/model/1.bin\n"
    assert way in said
    assert "the image will have, unless an install step replaces them, 1 pointer(s)" in said
    assert [file.path for file in left_pointers(made(here), here.project.store).files] == [
        "/workspace/m/code/app/model/2.bin"
    ]
    here.task("plan", no_pull=True)
    assert way in capsys.readouterr().out
    (part,) = made(here).layer("migrated").parts
    with here.project.store.workspace() as folder, Spool(folder) as spool:
        layer = part_layer(made(here), part, here.project.store, spool, {})
    links = {entry.path: entry.link for entry in layer.entries if entry.kind == "symlink"}
    assert links == {"workspace/m/code/app/model/1.bin": "/workspace/m/weights/glm/model/1.bin"}


def test_another_place_locks_nothing_anew_and_no_place_makes_no_part(here: Here, code: dict[str, Any]) -> None:
    asks(here, "code/app", sources=code)
    before = here.lock()
    key = made(here).layer("weights").key
    asks(here, "elsewhere", sources=code)
    assert here.read() == before
    assert made(here).layer("weights").key == key
    assert given_way(made(here), here.project.store) == []
    here.recipe(weights={"glm": {"files": [{"path": "a", "origin": "x", "sha256": sha(b"a"), "size": 1}]}})
    here.lock()
    assert not any(isinstance(part.of, WeightLinks) for part in made(here).build_order())


def test_a_pointer_of_another_file_is_said(here: Here, code: dict[str, Any]) -> None:
    asks(here, "code/app", "model/2.bin", sources=code)
    here.lock()
    [line] = given_way(made(here), here.project.store)
    assert line.endswith("which is another file than it stands for")


@pytest.mark.parametrize(
    ("to", "path", "files", "said"),
    [
        ("weights/glm", "a", {}, r"weights\.glm\.to: weights/glm is where weights themselves are"),
        ("x", "a", {"to": "x/a"}, r"files\.0 goes to /workspace/m/x/a, where a link to weights is"),
        ("x", "a", {"to": "x"}, r"files\.0 goes to /workspace/m/x, where a link to weights is, or is in its way"),
    ],
)
def test_two_things_at_one_path_are_refused(here: Here, to: str, path: str, files: dict[str, str], said: str) -> None:
    more = {"files": [{"from": "f", **files}]} if files else {}
    (here.root / "recipes/m").mkdir()
    (here.root / "recipes/m/f").write_text("x")
    asks(here, to, path, **more)
    with pytest.raises(RecipeError, match=said):
        here.lock()
        made(here)


def test_two_sets_at_one_path_are_refused(here: Here) -> None:
    row = {"path": "a", "sha256": sha(SHARD), "size": len(SHARD), "origin": "x"}
    here.recipe(weights={name: {"to": "x", "files": [row]} for name in ("one", "two")})
    with pytest.raises(RecipeError, match=r"two\.to: /workspace/m/weights/one/a has a link at x/a already"):
        here.lock()
        made(here)
