"""The recipes of a collection of tutorials, built and checked on a stand-in of the vendor's image and of all else."""

import os
import sys
from pathlib import Path

import pytest
from chatglm_standins import backend
from own_left import remove_unnamed
from pipeline import Machine, checkout, docker, remove_images
from tiny_project import sdist
from vendor_standin import vendor_archive

sys.path.extend(str(Path(__file__).parents[1] / "unit" / of) for of in ("", "recipes", "inputs", "core", "first_sight"))

from collection_standins import MODELS, NAMES, SHARDS, Tried, transformers_files
from made_up_hub import ModelHub

SHOWN = {
    "baichuan": "cd WS/baichuan-7B_mlu && cat train.py baichuan-7B/*-00002-*.bin; python3 -c 'import transformers'",
    "chatglm2": "cd WS/models/chatglm2-6b && cat *-00002-*.bin modeling_chatglm.py; python3 -c 'import ffmpy'",
    "yolact": "cd WS/yolact_mlu && cat weights/*.pth; grep -c map_location yolact.py",
}
EXPECTED = {
    "baichuan": ["model.mlu()", "w2"],
    "chatglm2": ["w2import", "torch_mlu"],
    "yolact": ["weights", "1"],
}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_built_on_a_stand_in(name: str, tmp_path: Path) -> None:
    suffix = f"-{os.getpid()}x{os.urandom(3).hex()}"
    root = checkout(tmp_path / "checkout")
    tried = Tried(root, name, suffix)
    links, files = root / "links", root / "files"
    for version in ("4.29.1", "4.30.2"):
        package = {path: text.encode() for path, text in transformers_files(version).items()}
        package["src/transformers/__init__.py"] = b""
        made = sdist("transformers", version, {**package, **backend("transformers", version, "src")})
        (links / f"transformers-{version}.tar.gz").write_bytes(made)
    ffmpy = {"ffmpy/__init__.py": b"", **backend("ffmpy", "0.3.0", ".")}
    (links / "ffmpy-0.3.0.tar.gz").write_bytes(sdist("ffmpy", "0.3.0", ffmpy))
    (files / "yolact").mkdir(parents=True)
    (files / "yolact/yolact_im700_54_800000.pth").write_bytes(b"weights\n")
    vendor = next(line.split()[-1] for line in tried.text.splitlines() if "file: pytorch-v" in line)
    vendor_archive(files / vendor, f"vendor.example/{name}:{suffix}")
    with ModelHub(name=MODELS.get(name, "none")).running() as hub:
        hub.push(SHARDS)
        environment = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
        machine = Machine(root, tmp_path / "home", environment)
        try:
            machine.run("lock", "--recipe", tried.name)
            machine.run("build", "--recipe", tried.name)
            if name == "chatglm2":  # that of the three with most in it
                assert machine.run("check", "--recipe", tried.name).stderr.count(" passed") == 4
            run = ("run", "--rm", "--network", "none", f"portside/{tried.name}:weights", "bash", "-c")
            said = docker(*run, SHOWN[name].replace("WS", f"/workspace/{tried.name}")).split()
            assert said == EXPECTED[name], said
        finally:
            remove_images(docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"portside/{tried.name}").split())
            remove_unnamed([tried.name])
