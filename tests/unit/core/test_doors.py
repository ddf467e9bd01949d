"""What Portside offers to Python: names at the doors of the rooms, and a start that loads no more than it needs."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import portside
from portside.begin import make_project
from portside.cli.root import CHECKOUT
from portside.errors import RecipeError

DOORS = {
    "portside": ["Project", "__version__"],
    "portside.build": ["build"],
    "portside.check": ["check"],
    "portside.fetch": ["Fetcher", "fetch"],
    "portside.plan": ["plan"],
    "portside.resolve": ["lock_recipe"],
}


@pytest.mark.parametrize("room", DOORS)
def test_rooms_offer_their_main_functions(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__all__ == DOORS[room]
    for name in DOORS[room]:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=rf"module '{room}' has no attribute 'nothing'"):
        _ = module.nothing


def test_a_project_is_found_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path / "demo")
    assert portside.Project.find(tmp_path / "demo" / "recipes").root == tmp_path / "demo"
    monkeypatch.chdir(tmp_path / "demo" / "recipes")
    assert portside.Project.find().root == tmp_path / "demo"
    assert portside.Project(tmp_path / "demo").recipe("hello").name == "hello"
    with pytest.raises(RecipeError, match="no project here"):
        portside.Project.find(tmp_path)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import portside; portside.__version__", {"pydantic", "portside.project", "yaml"}),
        (
            "import portside.cli.program, portside.cli.tasks",
            {"pydantic", "portside.project", "httpx", "rich", "unittest.mock", "asyncio", "ssl"},
        ),
        ("import portside.prepare", {"httpx", "portside.fetch.fetcher", "portside.build", "docker"}),
        ("import portside.prepare, portside.build.space", {"portside.build.many", "portside.inputs.kinds"}),
        ("import portside.runtime, portside.runtime.auto", {"portside.fetch.fetcher", "portside.inputs.kinds"}),
    ],
)
def test_what_a_start_does_not_load(code: str, absent: set[str]) -> None:
    program = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True, env={}
    )
    assert absent.isdisjoint(done.stdout.split())


def test_who_tests_with_invoke_gets_its_mocks() -> None:
    program = (
        "import portside.cli, sys, invoke\nassert 'unittest.mock' not in sys.modules\n"
        "context = invoke.MockContext(run={'ls': invoke.Result('there')}, repeat=True)\n"
        "assert context.run('ls').stdout == 'there'\ncontext.run.assert_called_once_with('ls')\n"
        "from unittest import mock\nassert isinstance(context.run, mock.Mock)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, check=True, env={})
