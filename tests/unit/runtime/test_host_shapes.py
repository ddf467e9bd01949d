"""Every family and variant on hosts of every shape, and hosts of described shapes."""

import shlex
from pathlib import Path

import calls
import pytest
from host_shapes import FOLDER, PERSON, families, text_of
from runtime_recipes import make_recipe

from portside.accelerators import Host, find_cards, load_accelerator
from portside.accelerators.described import described_host
from portside.errors import RecipeError
from portside.runtime import container_spec, noted, read_intent, refuse

ROOT = Path(__file__).parents[3]
HOSTS = Path(__file__).with_name("hosts")


@pytest.mark.parametrize("name", families())
def test_a_family_on_every_shape_of_host(name: str) -> None:
    stale = "changed: PYTHONPATH=. python tests/unit/runtime/host_shapes.py, and look at what"
    assert text_of(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8"), stale


def test_every_family_has_its_dry_runs() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == families()


def test_the_six_that_two_sources_agree_on() -> None:
    confirmed = {name for name in families() if not load_accelerator(name).is_reported}
    assert confirmed == {"ascend", "cuda", "hygon", "mlu370", "mlu590", "musa", "rocm"}


def test_two_ascend_cards_on_a_machine_without_any_have_the_driver() -> None:
    said: list[str] = []
    intent = read_intent(make_recipe(accelerator="ascend"), command="true", devices="0,1")
    spec = container_spec(intent, Host(root=Path("/nonexistent")), lacking=noted(said.append), warn=said.append)
    assert "/usr/local/Ascend/driver" in [mount.source for mount in spec.mounts]


def test_cards_beside_a_screen_count_by_their_addresses() -> None:
    host = described_host(str(HOSTS / "rocm-and-a-screen.yaml"), PERSON)
    cards = find_cards(load_accelerator("rocm"), host)
    assert [card.nodes for card in cards] == [
        ("/dev/dri/renderD129", "/dev/dri/card2"),
        ("/dev/dri/renderD130", "/dev/dri/card3"),
        ("/dev/dri/renderD128", "/dev/dri/card1"),
    ]
    spec = container_spec(read_intent(make_recipe(accelerator="rocm"), command="true", devices="1", user="1000"), host)
    assert [device.split(":")[0] for device in spec.devices] == ["/dev/kfd", "/dev/dri/renderD130", "/dev/dri/card3"]
    assert spec.groups == ("44", "109")


def test_a_driver_for_a_group() -> None:
    host = described_host(str(HOSTS / "ascend-of-a-group.yaml"), PERSON)
    intent = read_intent(make_recipe(accelerator="ascend"), command="true", devices="1", user="1001")
    spec = container_spec(intent, host, lacking=refuse)
    assert spec.groups == ("1000",)
    assert spec.devices[0] == "/dev/davinci_manager_docker:/dev/davinci_manager:rw"
    assert [(mount.source, mount.target) for mount in spec.mounts][:2] == [
        ("/usr/local/Ascend/driver", "/usr/local/Ascend/driver"),
        ("/usr/local/sbin/npu-smi", "/usr/local/bin/npu-smi"),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("like:8", "not a host"),
        ("like:xmlu370", "not a host"),
        ("like:1000xmlu370", "not a host"),
        ("like:8xmlu37", "no accelerator 'mlu37'"),
        ("like:8xcpu", "has no cards"),
        ("like:8xascend/310", "no variant '310'"),
        ("like:8xmlu370+gpu", "not a host"),
        ("nothing.yaml", "there is no file nothing.yaml"),
    ],
)
def test_what_is_no_host_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        described_host(text, PERSON)
    assert complaint in caught.value.problem


@pytest.mark.parametrize(
    "text",
    [
        "description: x\nnodes: {dev/x: {}}\n",
        "description: x\nnodes: {/dev/x: {mode: 0660}}\n",
        "description: x\nnodes: {/dev/../etc: {}}\n",
        "description: x\nfiles: {/a: [b]}\n",
        "nodes: {}\n",
        "[]\n",
        "description: x\ncards: 8\n",
    ],
)
def test_a_wrong_description_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "host.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        described_host(str(tmp_path / "host.yaml"), PERSON)
    assert f"{tmp_path}/host.yaml:" in caught.value.problem


def test_the_tasks_take_a_described_host(tmp_path: Path) -> None:
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/none", "PORTSIDE_HOME": str(tmp_path / "home")}
    options = ["--recipe", "chatglm", "--command", "true", "--devices", "4,5", "--host", "like:8xmlu370"]
    done = calls.call(ROOT, ["-r", str(ROOT), "run-container", *options, "--dry-run"], environment, "invoke")
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout)
    assert "/dev/cambricon_dev5:/dev/cambricon_dev5:rw" in words
    assert "MLU_VISIBLE_DEVICES=0,1" in words
    done = calls.call(ROOT, ["-r", str(ROOT), "run-container", *options], environment, "invoke")
    assert done.returncode == 2
    assert "a container starts on this machine alone" in done.stderr
    done = calls.call(ROOT, ["-r", str(ROOT), "doctor", "--host", "like:0xmlu370"], environment, "invoke")
    assert done.returncode == 1
    assert "no /dev/cambricon_devN" in done.stdout
