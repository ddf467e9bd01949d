"""A recipe for Ascend and arm64 on an image of a registry, on a machine that is neither: it is locked, brought and
rendered, and what would have to run in the image is refused before any work."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inputs"))

from base_layers import installed, layer, system
from made_up_registry import MadeUpRegistry
from tiny_wheels import wheel

from portside.build.many import build
from portside.build.render import render
from portside.common import oci
from portside.config import Config
from portside.errors import EngineError
from portside.fetch.fetcher import Fetcher, fetch
from portside.lock.bases import ImageBase
from portside.lock.file import check_lock, write_lock
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.resolve.resolver import make_lock
from portside.store import Store

PREFIX = "usr/local/python3.11"
SET_ENV = "/usr/local/Ascend/ascend-toolkit/set_env.sh"


@pytest.fixture
def registry() -> Iterator[MadeUpRegistry]:
    made = MadeUpRegistry()
    yield made
    made.close()


def cann(registry: MadeUpRegistry) -> str:
    """An image as those of Ascend are: Ubuntu's files, a Python of its own in /usr/local, set_env.sh; both machines."""
    python: dict[str, bytes | str | None] = {
        f"{PREFIX}/bin/python3.11": b"\x7fELF",
        f"{PREFIX}/bin/python3": "python3.11",
        f"{PREFIX}/lib/python3.11/os.py": b"",
        **installed(f"{PREFIX}/lib/python3.11/site-packages", "pip==24.0", "numpy==1.26.4"),
        SET_ENV[1:]: b"export ASCEND_HOME_PATH=/usr/local/Ascend/ascend-toolkit/latest\n",
        "bin/bash": b"\x7fELF",
    }
    rows = []
    for architecture, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        layers = (layer(system("3.10", machine)), layer(python | {f"opt/{machine}": b""}))
        settings = {"architecture": architecture, "config": {"Env": [f"PATH=/{PREFIX}/bin:/usr/bin:/bin"]}}
        made = registry.image(layers, (f"{oci.LAYER}+gzip",) * 2, config=settings)
        rows.append(made | {"platform": {"os": "linux", "architecture": architecture}})
    return registry.tag("8.1-910b-ubuntu22.04-py3.11", registry.index(*rows))


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
        "base": {"image": {"image": cann(registry), "architecture": "arm64"}},
        "accelerator": {"name": "ascend"},
        "env": env,
        "install": ["python3 -c 'import torch_npu'"],
    }
    path = tmp_path / "recipes/r.yaml"
    path.parent.mkdir()
    path.write_text(json.dumps(value))
    config = Config(home=tmp_path / "home")
    store = Store(config.home)
    elsewhere = SimpleNamespace(
        runs=lambda architecture: architecture == "amd64", describe=lambda: "Docker, amd64", image_id=lambda name: None,
        name="docker", free_bytes=lambda: None, room=lambda size: size, lacks=lambda ids: [True] * len(ids), cache=None,
        identity=lambda: "elsewhere",
    )  # fmt: skip
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
    with pytest.raises(EngineError, match="base is for arm64, and the engine is not known to run") as caught:
        build(made, store, Fetcher(store, config), elsewhere)  # type: ignore[arg-type]
    assert caught.value.exit_code == 6
    # Its set_env.sh wants an engine for arm64, or an emulator: told before anything is run.
    path.write_text(json.dumps(value | {"env": {**env, "activate": [SET_ENV]}}))
    with pytest.raises(EngineError, match=r"env\.activate runs the base's scripts once, the base is for arm64"):
        make_lock(load_recipe(tmp_path, "r"), lock, (), store, config, engine=lambda: elsewhere)  # type: ignore[arg-type,return-value]
    # The same for the other architecture, in a recipe of its own.
    path.write_text(json.dumps(value))
    other = {"description": "x", "extends": "r", "base": {"image": {"image": lock.base.image}}}
    path.with_name("s.yaml").write_text(json.dumps(other))
    python = make_lock(load_recipe(tmp_path, "s"), None, (), store, config, lock).env.python
    assert python is not None and python.platform == "x86_64-manylinux_2_35"
    assert all(file.file.endswith("x86_64.whl") for file in python.wheels)
