"""From a recipe and options to a container's devices, rights and mounts."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import add_mlu, fake_host, put, sixteen
from runtime_recipes import TARGETS, make_recipe, spec_for

from portside.accelerators import Host
from portside.engines import Mount, RunSpec
from portside.engines.docker_run import as_command
from portside.errors import EngineError, PortsideError, RecipeError

SAID: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_said() -> None:
    SAID.clear()


def spec_of(host: Host, **options: Any) -> RunSpec:
    recipe = options.pop("recipe", None) or make_recipe()
    options.setdefault("command", "true")
    return spec_for(recipe, host, SAID.append, **options)


def test_two_cards_of_sixteen_and_not_one_right_more(tmp_path: Path) -> None:
    spec = spec_of(sixteen(tmp_path), devices=[0, 1])
    assert [device.split(":")[0] for device in spec.devices] == [
        "/dev/cambricon_ctl",
        "/dev/cambricon_dev0",
        "/dev/cambricon_ipcm0",
        "/dev/cambricon_dev1",
        "/dev/cambricon_ipcm1",
    ]
    assert all(device.endswith(":rw") for device in spec.devices)
    assert spec.env == {"MLU_VISIBLE_DEVICES": "0,1"}
    assert spec.mounts == (Mount("/usr/bin/cnmon", "/usr/bin/cnmon", read_only=True),)
    assert spec.network == "none"
    assert spec.cap_drop == ("ALL",)
    assert spec.no_new_privileges
    assert spec.shm_size == 16 << 30
    assert spec.ulimits == {"memlock": (-1, -1), "stack": (67108864, 67108864)}
    assert spec.name == "portside-glm-li"
    assert spec.image == "portside/glm:weights"


def test_the_dry_run_line_has_nothing_of_the_old_script(tmp_path: Path) -> None:
    words = as_command(spec_of(sixteen(tmp_path), devices=[8, 9], command='python3 cli_demo.py "你好"'))
    line = shlex.join(words)
    for former in ("--privileged", "--pid", "--ipc", "host", "/sys/kernel/debug", "DISPLAY"):
        assert former not in line
    assert shlex.split(line)[-3:] == ["/bin/sh", "-c", 'exec python3 cli_demo.py "你好"']
    assert "/dev/cambricon_dev9:/dev/cambricon_dev9:rw" in words
    assert not any("cambricon_dev0" in word for word in words)


def test_cards_count_from_zero_in_the_container(tmp_path: Path) -> None:
    """The tutorial's MLU_VISIBLE_DEVICES=8,9 is --devices 8,9; programs in the container see cards 0 and 1."""
    assert spec_of(sixteen(tmp_path), devices="8,9").env["MLU_VISIBLE_DEVICES"] == "0,1"


def test_ascend_cards_are_passed_without_a_variable(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    for node in ("davinci4", "davinci5", "davinci_manager", "devmm_svm", "hisi_hdc"):
        put(tmp_path, f"/dev/{node}")
    put(tmp_path, "/usr/local/sbin/npu-smi")
    put(tmp_path, "/usr/local/Ascend/driver/version.info")
    spec = spec_of(host, recipe=make_recipe(accelerator="ascend"), devices="all")
    assert "ASCEND_RT_VISIBLE_DEVICES" not in spec.env
    assert len(spec.devices) == 5
    assert spec.mounts == (
        Mount("/usr/local/Ascend/driver", "/usr/local/Ascend/driver", read_only=True),
        Mount("/usr/local/sbin/npu-smi", "/usr/local/bin/npu-smi", read_only=True),
    )


def test_cuda_needs_no_toolkit_and_keeps_it_from_adding_cards(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    for node in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        put(tmp_path, f"/dev/{node}")
    put(tmp_path, "/usr/lib64/libcuda.so.1")
    spec = spec_of(host, recipe=make_recipe(accelerator="cuda"), devices=[1])
    assert spec.env == {"CUDA_VISIBLE_DEVICES": "0", "NVIDIA_VISIBLE_DEVICES": "void"}
    assert Mount("/usr/lib64/libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1", read_only=True) in spec.mounts


@pytest.mark.parametrize(
    ("asked", "cards"),
    [(None, [0]), ("all", list(range(16))), ("none", []), ("0-3,15", [0, 1, 2, 3, 15]), ([], []), ([3, 2], [2, 3])],
)
def test_which_cards_are_taken(tmp_path: Path, asked: Any, cards: list[int]) -> None:
    spec = spec_of(sixteen(tmp_path), devices=asked)
    assert [device.split(":")[0] for device in spec.devices if "_dev" in device] == [
        f"/dev/cambricon_dev{index}" for index in cards
    ]
    assert bool(spec.shm_size) is bool(cards)


@pytest.mark.parametrize("asked", ["x", "1-", "3-1", "0,,1", "-1", "0 1", ""])
def test_what_is_no_list_of_devices_is_refused(tmp_path: Path, asked: str) -> None:
    with pytest.raises(RecipeError, match="not a list of devices"):
        spec_of(sixteen(tmp_path), devices=asked)


def test_cards_that_the_host_lacks_are_named(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0, 1])
    with pytest.raises(RecipeError, match="no mlu370 card 2, 7 on this host") as caught:
        spec_of(host, devices=[0, 2, 7])
    assert "It has 0, 1." in str(caught.value)
    with pytest.raises(RecipeError, match="named twice"):
        spec_of(host, devices=[1, 1])


def test_an_accelerator_without_devices_refuses_them(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    cpu = make_recipe(accelerator="cpu")
    with pytest.raises(RecipeError, match="'cpu' has no devices"):
        spec_of(host, recipe=cpu, devices=[0])
    for nothing in (None, [], "none", "all"):
        spec = spec_of(host, recipe=cpu, devices=nothing)
        assert (spec.devices, spec.env, spec.ulimits) == ((), {}, {})


def test_without_a_card_the_container_starts_and_says_so(tmp_path: Path) -> None:
    assert spec_of(fake_host(tmp_path)).devices == ()
    assert len(SAID) == 1
    assert "no mlu370 card" in SAID[0]
    with pytest.raises(EngineError, match="no mlu370 card"):
        spec_of(fake_host(tmp_path), devices="all")


def test_a_missing_control_node_stops_it(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0], control=False)
    with pytest.raises(EngineError, match="no /dev/cambricon_ctl"):
        spec_of(host)


@pytest.mark.parametrize(
    ("driver", "own", "warned"),
    [("5.10.10", None, False), ("4.20.6", None, True), ("4.20.6", ">=4.20", False), ("5.10.10", ">=6", True)],
)
def test_an_old_driver_is_said(tmp_path: Path, driver: str, own: str | None, warned: bool) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0], version=driver)
    spec_of(host, recipe=make_recipe(driver=own))
    assert any(driver in said for said in SAID) is warned


def test_mounts(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    put(tmp_path, "/data/models/x")
    put(tmp_path, "/data/out/x")
    spec = spec_of(host, mounts=["/data/models:/models:ro", "/data/out:/workspace/glm/output"])
    assert spec.mounts == (
        Mount("/data/models", "/models", read_only=True),
        Mount("/data/out", "/workspace/glm/output"),
    )


@pytest.mark.parametrize(
    ("mount", "complaint"),
    [
        ("data:/data", "must be absolute"),
        ("./data:/data", "must be absolute"),
        ("/no/such:/data", "the host has no /no/such"),
        ("/data:data", "must be absolute and clean"),
        ("/data:/a/../b", "must be absolute and clean"),
        ("/data:/", "must be absolute and clean"),
        ("/data:/dev/shm", "belongs to the engine"),
        ("/data:/proc", "belongs to the engine"),
        ("/data", "not a mount"),
        ("/data:", "not a mount"),
        (":/data", "not a mount"),
        ("/data:/a:rox", "not a mount"),
    ],
)
def test_bad_mounts_are_refused(tmp_path: Path, mount: str, complaint: str) -> None:
    host = fake_host(tmp_path)
    put(tmp_path, "/data/x")
    with pytest.raises(RecipeError) as caught:
        spec_of(host, mounts=[mount])
    assert complaint in str(caught.value)


def test_two_mounts_of_one_place_are_refused(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    put(tmp_path, "/data/x")
    with pytest.raises(RecipeError, match="two mounts go to /a"):
        spec_of(host, mounts=["/data:/a", "/data:/a:ro"])


def test_weights_from_the_store_go_on_the_migrated_layer(tmp_path: Path) -> None:
    weights = (Mount("/store/mounts/abc", "/workspace/glm/weights/glm", read_only=True),)
    spec = spec_of(fake_host(tmp_path), weights=weights)
    assert spec.image == "portside/glm:migrated"
    assert weights[0] in spec.mounts


@pytest.mark.parametrize("layer", ["env", "sources"])
def test_weights_from_the_store_are_not_for_the_layers_below(tmp_path: Path, layer: str) -> None:
    weights = (Mount("/store/mounts/abc", "/workspace/glm/weights/glm", read_only=True),)
    with pytest.raises(RecipeError, match=f"migrated layer's image, not on {layer}'s"):
        spec_of(fake_host(tmp_path), layer=layer, weights=weights)


def test_a_target_brings_its_command_ports_and_devices(tmp_path: Path) -> None:
    recipe = make_recipe(run=TARGETS)
    spec = spec_of(sixteen(tmp_path), recipe=recipe, command=None, target="web")
    assert spec.command == ("/bin/sh", "-c", "exec python3 web_demo.py --listen 0.0.0.0")
    assert spec.ports == {"127.0.0.1:7860": "7860", "127.0.0.1:8000": "8000"}
    assert spec.network == "bridge"
    assert spec.workdir == "/workspace/glm/demo_mlu"
    assert spec.env == {"GRADIO_ANALYTICS_ENABLED": "False", "MLU_VISIBLE_DEVICES": "0"}
    assert spec_of(sixteen(tmp_path), recipe=recipe, target="train").env["MLU_VISIBLE_DEVICES"] == "0,1"
    assert spec_of(sixteen(tmp_path), recipe=recipe, target="convert").devices == ()


def test_a_target_that_needs_more_cards_than_there_are(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0])
    recipe = make_recipe(run=TARGETS)
    with pytest.raises(EngineError, match="2 mlu370 card"):
        spec_of(host, recipe=recipe, target="train")
    with pytest.raises(RecipeError, match="needs 2 cards"):
        spec_of(host, recipe=recipe, target="train", devices=[0])


def test_ports_are_moved_opened_and_refused(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    recipe = make_recipe(run=TARGETS)

    def ports(*texts: str, **more: Any) -> dict[str, str]:
        return dict(spec_of(host, recipe=recipe, target="web", ports=texts, **more).ports)

    assert ports("web=9000") == {"127.0.0.1:8000": "8000", "127.0.0.1:9000": "7860"}
    assert ports("web=0.0.0.0:7860")["0.0.0.0:7860"] == "7860"
    assert ports("web=[::1]:7860")["[::1]:7860"] == "7860"
    assert ports("2222:22")["127.0.0.1:2222"] == "22"
    assert ports(network="host") == {}
    for wrong in ("web=0", "web=70000", "web=x:1", "nothing=1", "7860", "a:b", ":22"):
        with pytest.raises(RecipeError):
            ports(wrong)
    with pytest.raises(RecipeError, match=r"two ports go to 127\.0\.0\.1:8000"):
        ports("web=8000")
    with pytest.raises(RecipeError, match="cannot be reached"):
        ports(network="none")


def test_a_user_of_ones_own_has_no_capability_at_all(tmp_path: Path) -> None:
    spec = spec_of(fake_host(tmp_path), user="1000:1000")
    assert (spec.user, spec.cap_drop, spec.cap_add) == ("1000:1000", ("ALL",), ())
    assert spec.env["HOME"] == "/tmp"
    assert spec_of(fake_host(tmp_path), user="0").cap_add
    with pytest.raises(RecipeError, match="not a user"):
        spec_of(fake_host(tmp_path), user="a b")


def test_variables_of_the_person_win(tmp_path: Path) -> None:
    spec = spec_of(sixteen(tmp_path), env=["MLU_VISIBLE_DEVICES=", "LR=2e-2"])
    assert spec.env == {"MLU_VISIBLE_DEVICES": "", "LR": "2e-2"}
    with pytest.raises(RecipeError, match="not a variable"):
        spec_of(sixteen(tmp_path), env=["2x=1"])


@pytest.mark.parametrize(
    "options", [{"layer": "top"}, {"target": "web"}, {"network": "a b"}, {"network": "container:x"}]
)
def test_other_arguments_that_cannot_be_used(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(PortsideError):
        spec_of(fake_host(tmp_path), **options)


def test_a_shell_needs_a_terminal_and_stays(tmp_path: Path) -> None:
    spec = spec_of(fake_host(tmp_path, terminal=True), command=None)
    assert spec.terminal
    assert spec.keep
    assert "--rm" not in as_command(spec)
    with pytest.raises(RecipeError, match="no terminal for a shell"):
        spec_of(fake_host(tmp_path), command=None)
    with pytest.raises(RecipeError, match="in the background"):
        spec_of(fake_host(tmp_path, terminal=True), command=None, detach=True)


def test_a_command_goes_when_it_has_ended(tmp_path: Path) -> None:
    spec = spec_of(fake_host(tmp_path, terminal=True), command="python3")
    assert spec.terminal
    assert not spec.keep
    assert "--rm" in as_command(spec)
    default = spec_of(fake_host(tmp_path), recipe=make_recipe(run={"command": "python3 cli.py"}), command=None)
    assert default.command == ("/bin/sh", "-c", "exec python3 cli.py")


def test_a_container_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    assert spec_of(fake_host(tmp_path), name="glm-web").name == "glm-web"


@pytest.mark.parametrize("name", ["", "x", "-web", "a b", "a/b", "web\n"])
def test_a_name_that_engines_refuse_is_refused_here(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not a container's name"):
        spec_of(fake_host(tmp_path), name=name)


def test_names_hold_nothing_that_an_engine_refuses(tmp_path: Path) -> None:
    assert spec_of(fake_host(tmp_path, user="CORP\\li wei@x")).name == "portside-glm-CORP_li_wei_x"


def test_settings_tell_containers_apart_and_the_command_does_not(tmp_path: Path) -> None:
    host = sixteen(tmp_path)
    put(tmp_path, "/data/x")

    def settings(**options: Any) -> str:
        return spec_of(host, **options).labels["portside.settings"]

    assert settings(command="a") == settings(command="b", env=["A=1"])
    different = [
        {},
        {"devices": [1]},
        {"mounts": ["/data:/d"]},
        {"network": "bridge"},
        {"user": "1000"},
        {"ports": ["1:2"]},
    ]
    assert len({settings(**options) for options in different}) == len(different)
