"""Specifications of the Container Device Interface: what is in them, and that no engine refuses their form."""

import json
from pathlib import Path
from typing import Any

import calls
import pytest
from host_shapes import PERSON
from hypothesis import given
from hypothesis import strategies as st

from portside.accelerators import AcceleratorProfile, Host, accelerator_names, load_accelerator
from portside.accelerators.cdi import CdiSpecification, specification
from portside.accelerators.described import as_host, like
from portside.doctor.cdi_file import write_cdi
from portside.errors import PortsideError, RecipeError

ROOT = Path(__file__).parents[3]
NAMED = [name for name in accelerator_names() if load_accelerator(name).cdi]


def host_of(name: str, cards: int = 8) -> Host:
    return as_host(like(load_accelerator(name), cards), PERSON)


@pytest.mark.parametrize("name", NAMED)
def test_a_device_for_each_card_and_all(name: str) -> None:
    accelerator = load_accelerator(name)
    text = json.loads(specification(accelerator, host_of(name)).to_json())
    assert CdiSpecification.model_validate(text).to_json() == specification(accelerator, host_of(name)).to_json()
    assert accelerator.cdi is not None
    assert text["kind"] == accelerator.cdi.kind
    *devices, everything = text["devices"]
    assert len(devices) == 8
    assert everything["name"] == "all"
    nodes = [node for device in devices for node in device["containerEdits"]["deviceNodes"]]
    assert everything["containerEdits"]["deviceNodes"] == nodes
    assert all(node["permissions"] == "rw" for node in nodes)
    control = [node["path"] for node in text.get("containerEdits", {}).get("deviceNodes", [])]
    assert {node.path for node in accelerator.control if node.required} <= set(control)


def test_what_it_says_of_one_card() -> None:
    text = json.loads(specification(load_accelerator("ascend"), host_of("ascend", 1)).to_json())
    assert text["cdiVersion"] == "0.5.0"
    assert text["devices"][0] == {
        "name": "0",
        "containerEdits": {"deviceNodes": [{"path": "/dev/davinci0", "permissions": "rw"}]},
    }
    assert text["containerEdits"]["env"] == ["ASCEND_VISIBLE_DEVICES=void"]
    assert text["containerEdits"]["mounts"][0] == {
        "hostPath": "/usr/local/Ascend/driver",
        "containerPath": "/usr/local/Ascend/driver",
        "options": ["ro", "nosuid", "nodev", "rbind"],
    }


def test_a_node_of_another_name_needs_a_newer_version() -> None:
    path = Path(__file__).with_name("hosts") / "ascend-of-a-group.yaml"
    done = calls.call(ROOT, ["-r", str(ROOT), "cdi", "--accelerator", "ascend", "--host", str(path)], {}, "invoke")
    assert done.returncode == 0, done.stderr
    text = json.loads(done.stdout)
    assert text["containerEdits"]["deviceNodes"][0] == {
        "path": "/dev/davinci_manager",
        "hostPath": "/dev/davinci_manager_docker",
        "permissions": "rw",
    }
    assert text["cdiVersion"] == "0.5.0"


def test_the_lowest_version_that_does() -> None:
    assert json.loads(specification(load_accelerator("mlu370"), host_of("mlu370")).to_json())["cdiVersion"] == "0.3.0"


CARD: dict[str, Any] = {"name": "c", "description": "c", "cards": {"node": "/dev/c{index}"}, "cdi": {"kind": "a.org/c"}}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cdi": None}, "knows no CDI names"),
        ({"cards": {"node": "/dev/c{index}", "inside": "/dev/c{position}"}}, "another name in each container"),
        ({"cards": {"node": "/dev/other{index}"}}, "no c card"),
        ({"control": [{"path": "/dev/ctl"}]}, "but no /dev/ctl"),
        ({"files": [{"paths": ["/usr/lib/c"], "required": True}]}, "but no /usr/lib/c"),
    ],
)
def test_what_cannot_be_specified_is_refused(changes: dict[str, Any], complaint: str) -> None:
    host = as_host(like(AcceleratorProfile.model_validate(CARD), 2), PERSON)
    with pytest.raises(PortsideError) as caught:
        specification(AcceleratorProfile.model_validate({**CARD, **changes}), host)
    assert complaint in caught.value.problem


def test_a_file_that_engines_read(tmp_path: Path) -> None:
    accelerator = load_accelerator("mlu370")
    write_cdi(accelerator, host_of("mlu370"), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["kind"] == "cambricon.com/mlu"
    with pytest.raises(RecipeError, match=r"engines read \.json, \.yaml, \.yml"):
        write_cdi(accelerator, host_of("mlu370"), tmp_path / "a.txt")
    made = like(accelerator, 8, None, "+cdi")
    with pytest.raises(RecipeError, match=r"/etc/cdi/made-up\.json has devices of cambricon\.com/mlu already"):
        write_cdi(accelerator, as_host(made, PERSON), Path("/etc/cdi/portside-test.json"))


@given(st.text(max_size=70))
def test_odd_names_of_devices_are_no_specification(name: str) -> None:
    text = {"cdiVersion": "0.5.0", "kind": "a.org/c", "devices": [{"name": name, "containerEdits": {}}]}
    try:
        CdiSpecification.model_validate(text)
    except ValueError:
        return
    assert 0 < len(name) <= 63
    assert name.isascii()
    assert name[0].isalnum() and name[-1].isalnum()
