"""A recipe for Ascend and arm64 on an image of a registry, on a machine that is neither: it is locked, brought and
rendered, and what would have to run in the image is refused before any work."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inputs"))
sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from cann_standin import ELSEWHERE, SET_ENV, cann
from made_up_registry import MadeUpRegistry
from source_project import repository
from tiny_wheels import wheel

from portside.build.many import build
from portside.build.render import render
from portside.config import Config
from portside.errors import EngineError
from portside.fetch.fetcher import Fetcher, fetch
from portside.lock.bases import ImageBase
from portside.lock.file import check_lock, write_lock
from portside.plan.parts import plan
from portside.project import Project
from portside.recipe import load_recipe
from portside.resolve.chain import lock_recipe
from portside.resolve.resolver import make_lock
from portside.store import Store

PREFIX = "usr/local/python3.11"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def registry() -> Iterator[MadeUpRegistry]:
    made = MadeUpRegistry()
    yield made
    made.close()


def test_ascend_on_arm64_locks_comes_and_renders_on_another_machine(
    registry: MadeUpRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "links"
    wheel(links, "torch_npu", "2.5.1", "torch==2.5.1", tag="cp311-cp311-manylinux_2_28_aarch64")
    wheel(links, "torch_npu", "2.5.1", "torch==2.5.1", tag="cp311-cp311-manylinux_2_28_x86_64")
    wheel(links, "torch", "2.5.1", "numpy", tag="cp311-cp311-manylinux2014_aarch64")
    wheel(links, "torch", "2.5.1", "numpy", tag="cp311-cp311-manylinux2014_x86_64")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    env = {"python": {"interpreter": f"/{PREFIX}/bin/python3", "requirements": ["torch_npu==2.5.1"]}}
    value = {
        "description": "a model on an Ascend 910B",
        "base": {
            "image": {"image": cann(registry, "3.11", PREFIX, "8.1-910b-ubuntu22.04-py3.11"), "architecture": "arm64"}
        },
        "accelerator": {"name": "ascend"},
        "env": env,
        "install": ["python3 -c 'import torch_npu'"],
    }
    path = tmp_path / "recipes/r.yaml"
    path.parent.mkdir()
    path.write_text(json.dumps(value))
    config = Config(home=tmp_path / "home")
    store = Store(config.home)
    recipe = load_recipe(tmp_path, "r")
    lock = make_lock(recipe, None, (), store, config)
    write_lock(recipe, lock)
    check_lock(recipe, lock)
    python = lock.env.python
    assert isinstance(lock.base, ImageBase) and lock.base.architecture == "arm64" and python is not None
    assert (python.version, python.platform) == ("3.11", "aarch64-manylinux_2_35")
    assert [file.file.rpartition("-")[2] for file in python.wheels] == [
        "manylinux2014_aarch64.whl",
        "manylinux_2_28_aarch64.whl",
    ]
    assert python.there == {"numpy": "1.26.4", "pip": "24.0"}
    made = plan(recipe, lock)
    fetch(made, Fetcher(store, config))
    render(made, store, tmp_path / "rendered")
    text = (tmp_path / "rendered/Dockerfile").read_text()
    assert f"ARG BASE={lock.base.image.rpartition(':')[0]}@sha256:" in text
    assert f"/{PREFIX}/bin/python3 -m pip install" in text
    with pytest.raises(EngineError, match="base is for arm64, and nothing is known to run") as caught:
        build(made, store, Fetcher(store, config), ELSEWHERE)
    assert caught.value.exit_code == 6
    # Its set_env.sh wants an engine for arm64, or an emulator: told before anything is run.
    path.write_text(json.dumps(value | {"env": {**env, "activate": [SET_ENV]}}))
    with pytest.raises(EngineError, match=r"env\.activate runs the base's scripts once, the base is for arm64"):
        make_lock(load_recipe(tmp_path, "r"), lock, (), store, config, engine=lambda: ELSEWHERE)
    # The same for the other architecture, in a recipe of its own.
    path.write_text(json.dumps(value))
    other = {"description": "x", "extends": "r", "base": {"image": {"image": lock.base.image}}}
    path.with_name("s.yaml").write_text(json.dumps(other))
    python = make_lock(load_recipe(tmp_path, "s"), None, (), store, config, lock).env.python
    assert python is not None and python.platform == "x86_64-manylinux_2_35"
    assert all(file.file.endswith("x86_64.whl") for file in python.wheels)


NANO = "import torch\ndevice = 'cuda'\nbackend = 'nccl'\nif device == 'cuda':\n    torch.cuda.set_device(device)\n"


def test_the_committed_recipe_for_ascend(
    registry: MadeUpRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its image, code and wheels are stand-ins; where they are stands in portside.toml, and not in the recipe."""
    text = (ROOT / "recipes/nanogpt-ascend.yaml").read_text(encoding="utf-8")
    assert not (ROOT / "recipes/nanogpt-ascend.lock").exists(), "nobody here has seen its bytes"
    assert len(text.splitlines()) < 60
    image = re.findall(r"image: (quay\S+):(\S+)", text)[0]
    version, prefix = "3.12", "usr/local/python3.12.13"
    assert f"interpreter: /{prefix}/bin/python3" in text
    cann(registry, version, prefix, image[1])
    links = tmp_path / "links"
    wheel(links, "torch_npu", "2.10.0.post4", "torch==2.10.0", tag="cp312-cp312-manylinux_2_28_aarch64")
    wheel(links, "torch", "2.10.0", "numpy", tag="cp312-cp312-manylinux_2_28_aarch64")
    wheel(links, "tqdm", "4.66")
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_CONFIG_FILE": os.devnull}
    for name, value in (settings | {"PORTSIDE_HOME": str(tmp_path / "home")}).items():
        monkeypatch.setenv(name, value)
    repositories = {"nanoGPT": {"train.py": NANO}, "char-rnn": {"input.txt": "First Citizen:\n"}}
    mirrors = "".join(
        f'"https://github.com/karpathy/{name}" = "file://{repository(tmp_path / "git" / name, **files)}"\n'
        for name, files in repositories.items()
    )
    (tmp_path / "portside.toml").write_text(
        f'[mirrors.registries]\n"{image[0]}" = "{registry.name}"\n[mirrors.git]\n{mirrors}'
    )
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/nanogpt-ascend.yaml").write_text(
        re.sub("commit: [0-9a-f]{40}", "branch: main", text).replace("branch: master", "branch: main")
    )
    project = Project(tmp_path)
    lock = lock_recipe(project, project.recipe("nanogpt-ascend"))[1]
    assert lock.base.architecture == "arm64" and lock.env.python is not None
    assert [wheel.name for wheel in lock.env.python.wheels] == ["torch", "torch-npu", "tqdm"]
    assert "127.0.0.1" not in (tmp_path / "recipes/nanogpt-ascend.lock").read_text()
    made = plan(project.recipe("nanogpt-ascend"), lock)
    fetch(made, Fetcher(project.store, project.config))
    render(made, project.store, tmp_path / "rendered")
    dockerfile = (tmp_path / "rendered/Dockerfile").read_text()
    assert f"ARG BASE={image[0]}@sha256:" in dockerfile
    assert "RUN python3 nanoGPT_npu/data/shakespeare_char/prepare.py\n" in dockerfile
    ported = (tmp_path / "rendered/migrated/nanoGPT_npu/train.py").read_text()
    assert "device = 'npu'" in ported and "backend = 'hccl'" in ported and "torch.npu.set_device" in ported
    with pytest.raises(EngineError, match="base is for arm64"):
        build(made, project.store, Fetcher(project.store, project.config), ELSEWHERE)
