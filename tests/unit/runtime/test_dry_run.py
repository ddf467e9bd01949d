"""`run-container --dry-run` says the command anywhere: without cards, engine, terminal, weights or folders to mount."""

import shlex
from pathlib import Path
from typing import Any

import calls
import pytest
from fake_hosts import add_mlu, fake_host, sixteen
from runtime_recipes import TARGETS, make_recipe, spec_for

from portside.accelerators import Host
from portside.engines import RunSpec
from portside.errors import RecipeError
from portside.runtime import noted, refuse

ROOT = Path(__file__).parents[3]
SAID: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_said() -> None:
    SAID.clear()


def planned(host: Host, **options: Any) -> RunSpec:
    options.setdefault("command", "true")
    recipe = make_recipe(run=TARGETS)
    return spec_for(recipe, host, SAID.append, lacking=noted(SAID.append), **options)


def cards(spec: RunSpec) -> list[str]:
    return [node.split(":")[0] for node in spec.devices]


@pytest.mark.parametrize(
    ("asked", "indexes", "visible"),
    [({"target": "train"}, [0, 1], "0,1"), ({"devices": "8,9"}, [8, 9], "0,1"), ({"devices": "all"}, [0], "0")],
)
def test_cards_that_this_host_lacks(tmp_path: Path, asked: dict[str, Any], indexes: list[int], visible: str) -> None:
    spec = planned(fake_host(tmp_path), **asked)
    assert cards(spec) == ["/dev/cambricon_ctl", *(f"/dev/cambricon_dev{index}" for index in indexes)]
    assert spec.env["MLU_VISIBLE_DEVICES"] == visible
    assert spec.shm_size == 16 << 30
    [said] = SAID
    assert said.startswith("on this host a start would be refused: ")
    assert "mlu370 card" in said


def test_cards_that_are_there_are_used(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [1])
    spec = planned(host, target="train")
    assert [node for node in cards(spec) if "dev" in node.removeprefix("/dev")] == [
        "/dev/cambricon_dev0",
        "/dev/cambricon_dev1",
    ]
    assert "/dev/cambricon_ipcm1" in cards(spec)
    assert "2 mlu370 card(s) are needed, this host has 1" in SAID[0]


def test_a_control_node_that_is_missing(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0], control=False)
    assert "/dev/cambricon_ctl" in cards(planned(host, devices="0"))
    assert "no /dev/cambricon_ctl" in SAID[0]


def test_a_folder_that_this_host_lacks(tmp_path: Path) -> None:
    spec = planned(sixteen(tmp_path), mounts=["/data/out:/out"])
    assert spec.mounts[0].source == "/data/out"
    assert "the host has no /data/out" in SAID[0]


def test_a_shell_where_nobody_sits_at_a_terminal(tmp_path: Path) -> None:
    spec = planned(sixteen(tmp_path), command=None)
    assert spec.terminal
    assert spec.keep
    assert "no terminal for a shell" in SAID[0]


def test_a_host_that_has_everything_gives_the_command_of_a_start(tmp_path: Path) -> None:
    host = sixteen(tmp_path)
    recipe = make_recipe(run=TARGETS)
    assert planned(host, command=None, target="train") == spec_for(recipe, host, target="train")
    assert SAID == []


@pytest.mark.parametrize(
    "options",
    [
        {"devices": "x"},
        {"devices": "1,1"},
        {"devices": "1", "target": "train"},
        {"mounts": ["data:/out"]},
        {"command": None, "detach": True},
        {"target": "nothing"},
    ],
)
def test_what_no_host_could_start_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        planned(fake_host(tmp_path), **options)


@pytest.mark.parametrize(
    ("options", "image", "shown"),
    [
        (("--recipe", "chatglm"), "portside/chatglm:weights", ["--interactive", "--tty"]),
        (
            ("--recipe", "chatglm-ptuning-parallel", "--target", "train"),
            "portside/chatglm-ptuning-parallel:weights",
            ["MLU_VISIBLE_DEVICES=0,1", "/dev/cambricon_dev1:/dev/cambricon_dev1:rw"],
        ),
        (
            ("--recipe", "chatglm-cpu", "--target", "web", "--weights", "mount"),
            "portside/chatglm-cpu:migrated",
            ["GRADIO_SERVER_NAME=0.0.0.0", "127.0.0.1:7860:7860"],
        ),
    ],
)
def test_the_task_needs_no_engine(tmp_path: Path, options: tuple[str, ...], image: str, shown: list[str]) -> None:
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/none", "PORTSIDE_HOME": str(tmp_path / "home")}
    done = calls.call(ROOT, ["-r", str(ROOT), "run-container", *options, "--dry-run"], environment, "invoke")
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    words = shlex.split(line)
    assert words[:2] == ["docker", "run"]
    assert image in words
    assert not set(shown) - set(words)
    assert not (tmp_path / "home" / "mounts").exists()


REACH = {
    "targets": {
        "web": {"description": "a", "command": "true", "ports": {"web": 7860, "api": 8000}},
        "open": {"description": "a", "command": "true", "network": "host"},
        "both": {"description": "a", "command": "true", "network": "host", "ports": {"web": 7860}},
        "plain": {"description": "a", "command": "true"},
    }
}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "web"}, "target web publishes 127.0.0.1:8000, 127.0.0.1:7860"),
        ({"target": "web", "ports": ["web=0.0.0.0:80"]}, "target web publishes 127.0.0.1:8000, 0.0.0.0:80"),
        ({"target": "web", "ports": ["9:9"]}, "target web publishes 127.0.0.1:8000, 127.0.0.1:7860"),
        ({"target": "open"}, "target open asks for the host's network: "),
        ({"target": "both"}, "target both asks for the host's network: "),
        ({"target": "open", "network": "none"}, None),
        ({"target": "web", "network": "host"}, None),
        ({"target": "plain"}, None),
        ({"target": "plain", "ports": ["9:9"]}, None),
        ({"command": "true", "network": "host"}, None),
    ],
)
def test_what_a_target_makes_of_the_network_is_said(
    tmp_path: Path, options: dict[str, Any], said: str | None, dry_run: bool
) -> None:
    recipe = make_recipe(run=REACH, accelerator="cpu")
    lacking = noted(SAID.append) if dry_run else refuse
    spec_for(recipe, sixteen(tmp_path), SAID.append, lacking=lacking, **options)
    assert len(SAID) == (said is not None)
    assert SAID == [] or SAID[0].startswith(str(said))
