"""The Python of a base, read from its layers: virtual environments, conda, a distribution's own, and odd ones."""

import json
import subprocess
import sys
import sysconfig
import venv as real_venv
from pathlib import Path
from typing import Any

import pytest
from base_layers import Files, image, installed, layer, system, venv
from hypothesis import given
from hypothesis import strategies as st

from portside.common.tree import Tree
from portside.errors import RecipeError
from portside.inputs.python.base_interpreter import BaseInterpreter, read_interpreter
from portside.layers.image_files import ImageFiles
from portside.layers.raw import TarLayer

SITE = "torch/venv3/pytorch/lib/python{}/site-packages"


def read(tmp_path: Path, path: str, *layers: Files, environment: dict[str, str] | None = None) -> BaseInterpreter:
    return read_interpreter(image(tmp_path, *layers), path, environment or {}, "x86_64")


def versions(found: BaseInterpreter) -> dict[str, str]:
    return {name: package.version for name, package in found.packages.items()}


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.10", "3.13"])
def test_a_virtual_environment(tmp_path: Path, version: str) -> None:
    site = SITE.format(version)
    files = venv("torch/venv3/pytorch", version, "torch==1.9.0+mlu", "pip==21.3.1", "torch-mlu==1.3.1_x86-1")
    above: Files = {f"{site}/pip-21.3.1.dist-info": None, **installed(site, "pip==9.0.3")}
    found = read(tmp_path, "/torch/venv3/pytorch/bin/python", system(version), files, above)
    assert (found.version, found.platform, found.site) == (version, "x86_64-manylinux_2_35", f"/{site}")
    assert versions(found) == {"pip": "9.0.3", "torch": "1.9.0+mlu", "torch-mlu": "1.3.1_x86-1"}


def test_a_virtual_environment_that_sees_the_systems_packages(tmp_path: Path) -> None:
    files = venv("opt/v", "3.10", "six==1.17.0", system_packages=True)
    debian: Files = {
        "usr/lib/python3/dist-packages/pip-22.0.2.dist-info/METADATA": b"Name: pip\nVersion: 22.0.2\n",
        "usr/lib/python3/dist-packages/PyYAML-5.4.1.egg-info/PKG-INFO": b"Name: PyYAML\nVersion: 5.4.1\n",
    }
    found = read(tmp_path, "/opt/v/bin/python3", system("3.10"), debian, files)
    assert versions(found) == {"six": "1.17.0", "pip": "22.0.2", "pyyaml": "5.4.1"}
    assert found.site == "/opt/v/lib/python3.10/site-packages"


def test_a_distributions_own_python_installs_beside_its_packages(tmp_path: Path) -> None:
    local = installed("usr/local/lib/python3.10/dist-packages", "six==1.17.0")
    found = read(tmp_path, "/usr/bin/python3", system("3.10"), local)
    assert found.site == "/usr/local/lib/python3.10/dist-packages"
    assert versions(found) == {"six": "1.17.0"}
    [six] = found.packages.values()
    assert six.removable
    [six] = read(tmp_path, "/usr/bin/python3", system("3.10")).packages.values()
    assert (six.version, six.removable) == ("1.16.0", False)


@pytest.mark.parametrize("link", [False, True])
def test_a_conda_prefix(tmp_path: Path, link: bool) -> None:
    site = "opt/conda/envs/python310_torch25/lib/python3.10/site-packages"
    files: Files = {
        "opt/conda/envs/python310_torch25/bin/python3.10": b"\x7fELF",
        "opt/conda/envs/python310_torch25/bin/python": "python3.10",
        "opt/conda/envs/python310_torch25/lib/python3.10/os.py": b"",
        "opt/conda/envs/python310_torch25/lib/python3.1": "python3.10",
        "opt/conda/envs/python310_torch25/conda-meta/python-3.10.12-h955ad1f_0.json": b"{}",
        "usr/local/bin/python": "/opt/conda/envs/python310_torch25/bin/python",
        "lib64/libc.so.6": "libc-2.17.so",
        "lib64/libc-2.17.so": b"GNU C Library (GNU libc) stable release version 2.17, by Roland McGrath et al.\n",
        **installed(site, "numpy==1.26.4"),
    }
    path = "/usr/local/bin/python" if link else "/opt/conda/envs/python310_torch25/bin/python"
    found = read(tmp_path, path, files)
    assert (found.version, found.platform, found.site) == ("3.10", "x86_64-manylinux_2_17", f"/{site}")
    assert versions(found) == {"numpy": "1.26.4"}


def test_packages_in_development_mode_eggs_and_pythonpath(tmp_path: Path) -> None:
    site = SITE.format("3.7")
    files: Files = {
        f"{site}/easy-install.pth": b"import sys\n# no\n./apex-0.1-py3.7.egg\n/opt/catch\n/gone\n",
        f"{site}/apex-0.1-py3.7.egg/EGG-INFO/PKG-INFO": b"Name: apex\nVersion: 0.1\n",
        f"{site}/fairseq.egg-link": b"/opt/fairseq\n.",
        "opt/catch/torch_mlu.egg-info/PKG-INFO": b"Name: torch_mlu\nVersion: 0.1.0\n",
        "opt/fairseq/fairseq.egg-info/PKG-INFO": b"Name: fairseq\r\nVersion: 1.0.0a0\r\n\r\nx",
        "usr/local/Ascend/python/te-0.4.0.dist-info/METADATA": b"Name: te\nVersion: 0.4.0\n",
        f"{site}/~orch-1.9.0.dist-info/METADATA": b"Name: torch\nVersion: 1.9.0\n",
        f"{site}/left-1.0.dist-info/RECORD": b"",
    }
    where = {"PYTHONPATH": "/usr/local/Ascend/python::relative"}
    path = "/torch/venv3/pytorch/bin/python"
    found = read(tmp_path, path, system("3.7"), venv("torch/venv3/pytorch", "3.7"), files, environment=where)
    assert versions(found) == {"apex": "0.1", "torch-mlu": "0.1.0", "fairseq": "1.0.0a0", "te": "0.4.0"}


WRONG: list[tuple[str, Files, str]] = [
    ("/opt/v/bin/python3.9", venv("opt/v", "3.10"), r"/opt/v/bin/python3\.9 is not there"),
    ("/opt/v", venv("opt/v", "3.10"), "/opt/v is a folder in the base"),
    ("/opt/wrapper", {"opt/wrapper": b"#!/bin/sh\nexec python3\n"}, "is a script"),
    ("/opt/x/bin/python3", {"opt/x/bin/python3": b"\x7fELF"}, "no standard library belongs to"),
    ("/opt/loop/python", {"opt/loop/python": "python"}, "is not there"),
]


@pytest.mark.parametrize(("path", "files", "problem"), WRONG)
def test_what_is_no_interpreter_is_told(tmp_path: Path, path: str, files: Files, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        read(tmp_path, path, system("3.10"), files)
    if "not there" in problem or "folder" in problem:
        assert "/usr/bin/python3" in str(caught.value.solution) or "/opt/v/bin/python" in str(caught.value.solution)


def test_a_base_without_the_gnu_c_library(tmp_path: Path) -> None:
    musl: dict[str, Any] = dict(system("3.10"))
    del musl["lib/x86_64-linux-gnu/libc.so.6"]
    with pytest.raises(RecipeError, match="no GNU C library"):
        read(tmp_path, "/usr/bin/python3", musl)


def test_it_says_what_the_interpreter_itself_says(tmp_path: Path) -> None:
    """The interpreter of these tests, in a virtual environment of its own, and what it says of itself."""
    folder = tmp_path / "v"
    real_venv.create(folder, with_pip=False, symlinks=True)
    where = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for path, data in installed(str(where).lstrip("/"), "some-thing==1.0", "other==2.0+x").items():
        file = Path("/", path)
        file.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(data, bytes)
        file.write_bytes(data)
    program = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    said = subprocess.run([folder / "bin/python", "-I", "-c", program], capture_output=True, text=True, check=True)
    real = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    files: dict[str, bytes | str | None] = {
        str(real).lstrip("/"): b"\x7fELF",
        f"{library}/os.py".lstrip("/"): b"",
        **{f"{sys.base_prefix}/bin/{n}".lstrip("/"): real.name for n in ("python3", "python")},
        "lib/x86_64-linux-gnu/libc.so.6": system("3.10")["lib/x86_64-linux-gnu/libc.so.6"],
    }
    for entry in Tree.from_folder(folder):
        if entry.kind != "dir":
            files[f"{folder}/{entry.path}".lstrip("/")] = entry.link if entry.kind == "symlink" else entry.read()
    found = read(tmp_path, f"{folder}/bin/python", files)
    assert versions(found) == json.loads(said.stdout)
    assert found.version == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert found.site == str(where)


@given(st.binary(max_size=300), st.binary(max_size=300), st.text(max_size=60))
def test_hostile_metadata_gives_an_answer_or_an_error_for_people(
    tmp_path_factory: pytest.TempPathFactory, metadata: bytes, settings: bytes, link: str
) -> None:
    site = SITE.format("3.10")
    files = {
        **system("3.10"),
        **venv("torch/venv3/pytorch", "3.10"),
        "torch/venv3/pytorch/pyvenv.cfg": settings,
        f"{site}/x-1.dist-info/METADATA": metadata,
        f"{site}/x.pth": link.encode("utf-8", "surrogatepass"),
    }
    folder = tmp_path_factory.mktemp("x")
    (folder / "x.tar").write_bytes(layer(files))
    try:
        found = read_interpreter(
            ImageFiles.of([TarLayer(folder / "x.tar")]), "/torch/venv3/pytorch/bin/python", {}, "x86_64"
        )
    except RecipeError:
        return
    assert all(package.version for package in found.packages.values())
