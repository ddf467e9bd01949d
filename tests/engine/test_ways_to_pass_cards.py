"""Eight device nodes that stand in for cards, passed by their nodes and by the Container Device Interface.

The nodes are made like /dev/null under names of their own. PORTSIDE_TEST_CDI: where the engine finds specifications, if
it is a machine of its own.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_images import Counted, Sandbox, image, layer, programs

from portside.accelerators import AcceleratorProfile, Host
from portside.doctor.cdi_file import cdi_text
from portside.recipe import Recipe
from portside.recipe.models import RecipeModel
from portside.runtime import container_spec, noted, read_intent, run_container

NULL = os.makedev(1, 3)
OWN = f"portside-test-{os.getpid()}"
GROUP = 54321
FOLDER = Path(os.environ.get("PORTSIDE_TEST_CDI", "/var/run/cdi"))
LOOK = (
    f"cd /dev; for node in {OWN}-*; do echo ${{node##*-}}; done; echo $MY_CARDS_SEEN; "
    "test -s /etc/my-driver && echo driver"
)


@pytest.fixture(scope="module")
def cards() -> Iterator[AcceleratorProfile]:
    """An accelerator with eight cards, a control node and a file that every machine has in its driver's place."""
    names = [*(f"card{number}" for number in range(8)), "ctl"]
    paths = [Path(f"/dev/{OWN}-{name}") for name in names]
    try:
        for path in paths:
            os.mknod(path, 0o660 | stat.S_IFCHR, NULL)
            os.chmod(path, 0o660)
            os.chown(path, 0, GROUP)
        yield AcceleratorProfile.model_validate(
            {
                "name": "stand-in",
                "description": "nodes that stand in for cards",
                "cards": {"node": f"/dev/{OWN}-card{{index}}"},
                "control": [{"path": f"/dev/{OWN}-ctl"}],
                "files": [{"paths": ["/etc/passwd"], "target": "/etc/my-driver", "required": True}],
                "visible": {"variable": "MY_CARDS_SEEN", "numbering": "container"},
                "cdi": {"kind": f"portside.test/{OWN}", "device": "card{index}"},
            }
        )
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def recipe(sandbox: Sandbox) -> Iterator[Recipe]:
    name = f"cards-{os.getpid()}-{os.urandom(3).hex()}"
    model = RecipeModel.model_validate(
        {"description": "x", "base": {"debian": {"suite": "bookworm"}}, "accelerator": {"name": "stand-in"}}
    )
    ref = f"portside/{name}:weights"
    sandbox.engine.load(image([layer(programs(), 0o755)], [ref], note=name), Counted())
    yield Recipe(name, model, Path("/nowhere"), (), f"/workspace/{name}")
    sandbox.engine.remove_image(ref)


@pytest.fixture(scope="module")
def specified(cards: AcceleratorProfile) -> Iterator[None]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{OWN}.json"
    path.write_text(cdi_text(cards, Host()))
    yield
    path.unlink()


def said(sandbox: Sandbox, recipe: Recipe, cards: AcceleratorProfile, capfd: Any, command: str, **options: Any) -> str:
    intent = read_intent(recipe, command=command, **options)
    spec = container_spec(intent, Host(user="tester"), accelerator=cards, lacking=noted(print), warn=print)
    capfd.readouterr()
    assert run_container(sandbox.engine, spec) == 0
    return str(capfd.readouterr().out)


def has_cdi(sandbox: Sandbox) -> bool:
    version = re.search(r"(\d+)\.", sandbox.engine.describe())
    return version is not None and int(version[1]) >= {"docker": 25, "podman": 4}[sandbox.engine.name]


def test_cards_4_and_5_of_eight_arrive_as_0_and_1(
    sandbox: Sandbox, recipe: Recipe, cards: AcceleratorProfile, capfd: pytest.CaptureFixture[str]
) -> None:
    out = said(sandbox, recipe, cards, capfd, LOOK, devices="4,5")
    assert out == "card4\ncard5\nctl\n0,1\ndriver\n"


def test_the_same_by_cdi(
    sandbox: Sandbox,
    recipe: Recipe,
    cards: AcceleratorProfile,
    specified: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if not has_cdi(sandbox):
        pytest.skip(f"{sandbox.engine.describe()} has no CDI")
    out = said(sandbox, recipe, cards, capfd, LOOK, devices="4,5", access="cdi")
    assert out == "card4\ncard5\nctl\n0,1\ndriver\n"


def test_a_user_of_a_number_may_use_nodes_of_a_group(
    sandbox: Sandbox, recipe: Recipe, cards: AcceleratorProfile, capfd: pytest.CaptureFixture[str]
) -> None:
    use = f"echo x >/dev/{OWN}-card4 && echo written"
    assert said(sandbox, recipe, cards, capfd, use, devices="4", user="1000:1000") == "written\n"
