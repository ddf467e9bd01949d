"""`check --devices`: cards that compute as the processor does, those that do not, and what could not be run.

The container is this machine: the program runs with a stand-in for PyTorch that computes on the processor.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portside.accelerators import AcceleratorProfile
from portside.accelerators.described import as_host, like
from portside.accelerators.host import Host
from portside.doctor import on_card
from portside.doctor.on_card import INSIDE, PROGRAM, CardCheck, check_cards, tell, write_report
from portside.engines import Engine, RunSpec
from portside.engines.base import Output
from portside.errors import CheckError, RecipeError
from portside.plan.model import Plan
from portside.recipe import Recipe
from portside.recipe.models import RecipeModel

STANDINS = Path(__file__).with_name("standins")
CARD = AcceleratorProfile.model_validate(
    {
        "name": "card",
        "description": "a card for tests",
        "cards": {"node": "/dev/card{index}"},
        "control": [{"path": "/dev/card_ctl"}],
        "visible": {"variable": "CARDS_SEEN", "numbering": "container"},
        "verify": {"command": ["card-smi"]},
        "framework": {"module": "torch_card", "device": "card", "collective": "cardccl"},
        "driver": {"file": "/proc/card", "pattern": "^v(?P<version>.*)$", "example": "v1.2", "install": "install it"},
    }
)


class ThisMachine:
    """An engine whose containers are processes here."""

    def __init__(self, environment: Mapping[str, str], tool: int = 0) -> None:
        self.environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        self.tool = tool
        self.specs: list[RunSpec] = []

    def describe(self) -> str:
        return "this machine"

    def run(self, spec: RunSpec, output: Output) -> int:
        self.specs.append(spec)
        if spec.command[-1] == "card-smi":
            output(b"card 0: fine\n", b"")
            return self.tool
        command = [sys.executable, *(str(PROGRAM) if word == INSIDE else word for word in spec.command[1:])]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        output(done.stdout, done.stderr)
        return done.returncode


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_card, "load_accelerator", lambda name, root=None: CARD)


def plan_of() -> Plan:
    model = RecipeModel.model_validate(
        {"description": "x", "base": {"debian": {"suite": "bookworm"}}, "accelerator": {"name": "card"}}
    )
    recipe = Recipe("x", model, Path("/project/recipes/x.yaml"), (), "/workspace/x")
    return cast(Plan, SimpleNamespace(recipe=recipe))


HOST = as_host(like(CARD, 2), Host(user="li"))


def checked(devices: str = "0,1", *, tool: int = 0, torch: bool = True, **environment: str) -> list[CardCheck]:
    path = {"PYTHONPATH": str(STANDINS)} if torch else {}
    engine = ThisMachine({"CARDS": str(len(devices.split(","))), **path, **environment}, tool)
    found = check_cards(plan_of(), cast(Engine, engine), HOST, devices)
    assert all(spec.env["CARDS_SEEN"] == ",".join(map(str, range(len(devices.split(","))))) for spec in engine.specs)
    assert all("/dev/card_ctl:/dev/card_ctl:rw" in spec.devices for spec in engine.specs)
    return found


def statuses(rows: list[CardCheck]) -> dict[str, str]:
    return {row.check: row.status for row in rows}


def test_two_cards_that_compute() -> None:
    found = checked()
    assert statuses(found) == {
        "card-smi": "ok",
        "cards that PyTorch sees": "ok",
        "tensor on card:0": "ok",
        "tensor on card:1": "ok",
        "cardccl over 2 cards": "ok",
    }
    tell(found)


def test_one_card_has_no_collective_and_that_is_said() -> None:
    found = checked("0")
    assert statuses(found)["collective"] == "not run"
    assert "--devices 0,1" in next(row.detail for row in found if row.check == "collective")


@pytest.mark.parametrize(
    ("environment", "check"),
    [
        ({"CARD_FAULT": "wrong"}, "tensor on card:1"),
        ({"CARD_FAULT": "collective"}, "cardccl over 2 cards"),
        ({"CARD_FAULT": "driver"}, "PyTorch"),
        ({"CARDS": "1"}, "cards that PyTorch sees"),
        ({"CARDS": "1"}, "tensor on card:1"),
        ({"CARDS": "0"}, "cards that PyTorch sees"),
    ],
)
def test_what_is_not_as_it_should_be_fails(environment: dict[str, str], check: str) -> None:
    found = checked(**environment)
    assert statuses(found)[check] == "failed", found
    with pytest.raises(CheckError, match="not on the card as it should be"):
        tell(found)


def test_an_image_without_pytorch_proves_nothing_and_says_so() -> None:
    assert statuses(checked(torch=False))["PyTorch"] == "not run"


@pytest.mark.parametrize(("code", "status"), [(127, "not run"), (1, "failed")])
def test_the_vendors_tool(code: int, status: str) -> None:
    assert statuses(checked(tool=code))["card-smi"] == status


def test_what_nobody_knows_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = CARD.model_copy(update={"verify": None, "framework": None})
    monkeypatch.setattr(on_card, "load_accelerator", lambda name, root=None: bare)
    assert statuses(checked()) == {"the vendor's tool": "not run", "PyTorch": "not run"}


def test_no_card_is_no_check() -> None:
    with pytest.raises(RecipeError, match="names no card"):
        check_cards(plan_of(), cast(Engine, ThisMachine({})), HOST, "none")


def test_a_report_to_send(tmp_path: Path) -> None:
    engine: Any = ThisMachine({})
    write_report(plan_of(), engine, HOST, [CardCheck("a", "ok", "b")], tmp_path / "report.json")
    value = json.loads((tmp_path / "report.json").read_text())
    assert (value["accelerator"], value["driver"], value["engine"]) == ("card", "1.2", "this machine")
    assert value["checks"] == [{"check": "a", "status": "ok", "detail": "b"}]
