"""What comes with cards: their ways, groups, files and rights."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import fake_host, put
from runtime_recipes import make_recipe

from portside.accelerators import AcceleratorProfile, Host
from portside.accelerators.host import Owner
from portside.engines import RunSpec
from portside.engines.docker_run import as_command
from portside.errors import EngineError, PortsideError, RecipeError
from portside.runtime import container_spec, noted, read_intent, refuse

CARD: dict[str, Any] = {
    "name": "mycard",
    "description": "a card for tests",
    "cards": {"node": "/dev/mycard{index}", "parts": {"node": "/dev/mycard-parts/{index}.{part}"}},
    "control": [{"path": "/dev/my_manager", "instead": ["/dev/my_manager_docker"], "inside": "/dev/my_manager"}],
    "rdma": [{"path": "/dev/infiniband/uverbs*"}],
    "visible": {"variable": "MY_VISIBLE_DEVICES", "numbering": "container"},
    "files": [{"paths": ["/usr/lib/my"], "required": True}, {"paths": ["/usr/bin/my-smi"]}],
    "toolkit": {"name": "my-toolkit", "runtime": "my", "variable": "MY_CARDS", "value": "{index}", "void": "void"},
    "cdi": {"kind": "my.org/card", "device": "card{index}"},
    "variants": {"small": {"description": "s", "match": "^S", "without": ["/usr/bin/my-smi"]}},
    "chip": {"file": "/proc/my/chip", "pattern": "^Chip: (?P<chip>.*)$"},
}
NODES = ("mycard4", "mycard5", "my_manager", "mycard-parts/4.1", "infiniband/uverbs0", "infiniband/uverbs1")


class OwnedHost(Host):
    """A host whose nodes belong to groups."""

    def owner(self, absolute: str) -> Owner | None:
        return {
            "/dev/mycard4": Owner(1000, 0o660),
            "/dev/mycard5": Owner(44, 0o666),
            "/dev/my_manager": Owner(0, 0o660),
        }.get(absolute)


def host_with_cards(root: Path, *, kind: type[Host] = Host) -> Host:
    fields = fake_host(root)
    for name in NODES:
        put(root, f"/dev/{name}")
    put(root, "/usr/lib/my/libmy.so")
    put(root, "/usr/bin/my-smi")
    return kind(**{field.name: getattr(fields, field.name) for field in dataclasses.fields(fields)})


def passed(
    host: Host, changes: Mapping[str, Any] | None = None, *, dry: list[str] | None = None, **options: Any
) -> RunSpec:
    accelerator = AcceleratorProfile.model_validate({**CARD, **(changes or {})})
    intent = read_intent(make_recipe(accelerator="mycard"), command="true", **options)
    lacking = refuse if dry is None else noted(dry.append)
    return container_spec(intent, host, accelerator=accelerator, lacking=lacking, warn=lambda text: None)


def sources(spec: RunSpec) -> list[str]:
    return [node.split(":")[0] for node in spec.devices]


def test_nodes_by_default_and_no_variable_of_the_toolkit_that_names_cards(tmp_path: Path) -> None:
    spec = passed(host_with_cards(tmp_path), devices="4,5")
    assert sources(spec) == ["/dev/my_manager", "/dev/mycard4", "/dev/mycard5"]
    assert spec.env == {"MY_VISIBLE_DEVICES": "0,1", "MY_CARDS": "void"}
    assert [mount.source for mount in spec.mounts] == ["/usr/lib/my", "/usr/bin/my-smi"]
    assert spec.runtime is None
    assert spec.cdi == ()


def test_a_node_of_another_name_for_containers(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    put(tmp_path, "/dev/my_manager_docker")
    assert passed(host, devices="4").devices[0] == "/dev/my_manager_docker:/dev/my_manager:rw"


def test_nodes_that_count_in_the_container_from_0(tmp_path: Path) -> None:
    cards = {"node": "/dev/mycard{index}", "inside": "/dev/mycard{position}"}
    spec = passed(host_with_cards(tmp_path), {"cards": cards}, devices="4,5")
    assert spec.devices[1:] == ("/dev/mycard4:/dev/mycard0:rw", "/dev/mycard5:/dev/mycard1:rw")


def test_the_toolkit_gets_the_numbers_of_the_host(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    put(tmp_path, "/etc/docker/daemon.json", '{"runtimes": {"my": {"path": "my-runtime"}}}')
    spec = passed(host, devices="4,5", access="toolkit")
    assert spec.devices == ()
    assert spec.mounts == ()
    assert spec.runtime == "my"
    assert spec.env == {"MY_VISIBLE_DEVICES": "0,1", "MY_CARDS": "4,5"}
    assert "--runtime" in as_command(spec)


def test_cdi_names_devices(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    put(tmp_path, "/etc/cdi/my.yaml", "cdiVersion: 0.6.0\nkind: my.org/card\ndevices: []\n")
    spec = passed(host, devices="4,5", access="cdi")
    assert spec.cdi == ("my.org/card=card4", "my.org/card=card5")
    assert spec.devices == ()
    assert spec.env == {"MY_VISIBLE_DEVICES": "0,1", "MY_CARDS": "void"}
    line = as_command(spec)
    assert line[line.index("my.org/card=card4") - 1] == "--device"


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({}, "raw"),
        ({"/etc/docker/daemon.json": '{"runtimes": {"my": {}}}'}, "toolkit"),
        (
            {"/etc/docker/daemon.json": '{"runtimes": {"my": {}}}', "/var/run/cdi/a.json": '{"kind": "my.org/card"}'},
            "cdi",
        ),
        ({"/etc/docker/daemon.json": '{"runtimes": ["my"]}', "/etc/cdi/a.json": '{"kind": "other.org/card"}'}, "raw"),
        ({"/etc/docker/daemon.json": "{", "/etc/cdi/a.txt": '{"kind": "my.org/card"}'}, "raw"),
        ({"/etc/docker/daemon.json": "[" * 100_000}, "raw"),
    ],
)
def test_auto_takes_what_the_host_has(tmp_path: Path, files: dict[str, str], way: str) -> None:
    host = host_with_cards(tmp_path)
    for path, text in files.items():
        put(tmp_path, path, text)
    spec = passed(host, devices="4", access="auto")
    assert ("cdi" if spec.cdi else "toolkit" if spec.runtime else "raw") == way


@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        ({"access": "toolkit"}, EngineError, "has no my-toolkit"),
        ({"access": "cdi"}, EngineError, "no CDI specification of my.org/card"),
        ({"access": "nodes"}, RecipeError, "no such way to pass cards"),
        ({"env": ["MY_CARDS=4"]}, RecipeError, "MY_CARDS=4 asks my-toolkit for cards"),
        ({"devices": "4.2"}, RecipeError, "card 4 has no part 2"),
        ({"devices": "4,4.1"}, RecipeError, "named twice"),
        ({"devices": "4.1", "access": "cdi"}, RecipeError, "a part of a card is passed by its nodes"),
    ],
)
def test_what_cannot_be_passed_is_refused(
    tmp_path: Path, options: dict[str, Any], kind: type[PortsideError], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        passed(host_with_cards(tmp_path), **{"devices": "4", **options})


def test_a_way_that_nobody_knows(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    for way, key in (("toolkit", "toolkit"), ("cdi", "cdi")):
        with pytest.raises(RecipeError, match="Portside knows no"):
            passed(host, {key: None}, devices="4", access=way)
    with pytest.raises(RecipeError, match="knows no RDMA nodes"):
        passed(host, {"rdma": []}, devices="4", rdma=True)


def test_a_part_of_a_card_has_its_cards_node_too(tmp_path: Path) -> None:
    spec = passed(host_with_cards(tmp_path), devices="4.1")
    assert sources(spec) == ["/dev/my_manager", "/dev/mycard4", "/dev/mycard-parts/4.1"]
    assert spec.env["MY_VISIBLE_DEVICES"] == "0"


def test_rdma_nodes_only_where_they_are_asked_for(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    assert not any("infiniband" in node for node in sources(passed(host, devices="4")))
    assert sources(passed(host, devices="4", rdma=True))[-2:] == ["/dev/infiniband/uverbs0", "/dev/infiniband/uverbs1"]


def test_groups_of_nodes_that_not_everybody_may_use(tmp_path: Path) -> None:
    """Not those of nodes that are everybody's, nor root's own group."""
    host = host_with_cards(tmp_path, kind=OwnedHost)
    put(tmp_path, "/etc/group", "root:x:0:\nvideo:x:44:li\nrender:x:109:\n")
    spec = passed(host, {"groups": [{"name": "render"}, {"name": "nobody-has-it"}]}, devices="4,5", user="1000:1000")
    assert spec.groups == ("109", "1000")
    line = as_command(spec)
    assert line[line.index("--group-add") + 1] == "109"


def test_a_group_goes_by_its_name_where_no_card_is(tmp_path: Path) -> None:
    spec = passed(fake_host(tmp_path), {"groups": [{"name": "render"}]}, devices="0", dry=[])
    assert spec.groups == ("render",)


def test_rights_come_with_their_reason_alone(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    rights = {
        "capabilities": [{"name": "SYS_NICE", "why": "memory is bound to a processor"}],
        "seccomp": {"why": "a call that the filter refuses"},
        "ipc": {"why": "two containers share memory"},
        "shm_size": "1GiB",
    }
    spec = passed(host, rights, devices="4", user="1000")
    assert spec.cap_add == ("SYS_NICE",)
    assert spec.cap_drop == ("ALL",)
    assert (spec.seccomp, spec.ipc, spec.shm_size) == ("unconfined", "host", None)
    line = as_command(spec)
    assert "seccomp=unconfined" in line
    assert "no-new-privileges" in line
    assert line[line.index("--ipc") + 1] == "host"
    with pytest.raises(ValueError, match="why"):
        passed(host, {"capabilities": [{"name": "SYS_NICE"}]}, devices="4")


def test_a_required_file_is_in_a_dry_run_anywhere(tmp_path: Path) -> None:
    said: list[str] = []
    spec = passed(fake_host(tmp_path), devices="0,1", dry=said)
    assert [mount.source for mount in spec.mounts] == ["/usr/lib/my"]
    assert len(said) == 1


def test_a_card_without_a_required_file_does_not_start(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    (tmp_path / "usr/lib/my/libmy.so").unlink()
    (tmp_path / "usr/lib/my").rmdir()
    with pytest.raises(EngineError, match="has mycard cards, but no /usr/lib/my"):
        passed(host, devices="4")


def test_the_chip_of_the_host_chooses_the_variant(tmp_path: Path) -> None:
    host = host_with_cards(tmp_path)
    assert len(passed(host, devices="4").mounts) == 2
    put(tmp_path, "/proc/my/chip", "Name: x\nChip: S100\n")
    assert [mount.source for mount in passed(host, devices="4").mounts] == ["/usr/lib/my"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"variables": {"MY_CARDS": "0"}}, "the toolkit's own variable"),
        ({"visible": {"variable": "MY_CARDS", "numbering": "container"}}, "cannot have both numberings"),
        ({"cards": {"node": "/dev/mycard{index}", "source": "a"}}, "no source 'a' in `sources`"),
        ({"chip": None}, "there is no `chip` that finds its name"),
        ({"groups": [{"of": "x"}]}, "groups.0"),
    ],
)
def test_data_that_contradict_themselves(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        AcceleratorProfile.model_validate({**CARD, **changes})
    assert complaint in str(caught.value)


def test_two_publishers_make_a_fact() -> None:
    sources = {
        "a": {"by": "X", "of": "x", "date": "2026-01-01"},
        "b": {"by": "X", "of": "y", "date": "2026-01-01"},
        "c": {"by": "Z", "of": "z", "date": "2026-01-01"},
    }
    for names, reported in (("a", True), (["a", "b"], True), (["a", "c"], False)):
        text = {
            "name": "n",
            "description": "d",
            "sources": sources,
            "cards": {"node": "/dev/n{index}", "source": names},
        }
        assert AcceleratorProfile.model_validate(text).is_reported is reported
    assert not AcceleratorProfile.model_validate(
        {"name": "n", "description": "d", "cards": {"node": "/dev/n{index}"}}
    ).is_reported
