"""A source distribution with an extension in C, built twice: in both engines, in two stores and on another day."""

import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from own_left import remove_unnamed
from pipeline import Machine, checkout, remove_images
from tiny_project import sdist
from vendor_standin import VENV, vendor_archive

from portside.layers.writer import read_layer

PYPROJECT = b"""
[build-system]
requires = []
build-backend = "own:backend"
backend-path = ["."]
[project]
name = "fast"
version = "1.0"
dependencies = ["later"]
"""
BACKEND = b"""
import os, subprocess, sysconfig, zipfile

class backend:
    @staticmethod
    def build_wheel(out, settings):
        # What a build may take in of its surroundings: where it happens, and when.
        flags = [*os.environ["CFLAGS"].split(), "-g", "-shared", "-fPIC", "-I" + sysconfig.get_path("include")]
        subprocess.run(["gcc", *flags, os.path.abspath("fast.c"), "-o", "fast.so"], check=True)
        with zipfile.ZipFile(os.path.join(out, "fast-1.0-py3-none-any.whl"), "w") as wheel:
            wheel.write("fast.so")
            wheel.writestr("slow.py", "x = 1\\n")
            wheel.writestr("fast-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: fast\\nVersion: 1.0\\n")
            wheel.writestr("fast-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
            wheel.writestr("fast-1.0.dist-info/RECORD", "")
        return "fast-1.0-py3-none-any.whl"
"""
CODE = b"""
#include <Python.h>
static PyObject *where(PyObject *self, PyObject *args) { return PyUnicode_FromString(__FILE__); }
static PyMethodDef methods[] = {{"where", where, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, methods};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""
FILES = {"pyproject.toml": PYPROJECT, "own.py": BACKEND, "fast.c": CODE}


def compiler(folder: Path) -> dict[str, bytes | str]:
    """This machine's compiler, with the headers and libraries that the extension needs of it, at their own places."""

    def gcc(*arguments: str) -> str:
        return subprocess.run(["gcc", *arguments], capture_output=True, text=True, check=True).stdout.strip()

    source = folder / "fast.c"
    source.write_bytes(CODE)
    programs = [shutil.which(gcc(f"-print-prog-name={name}")) for name in ("cc1", "collect2", "as", "ld")]
    paths = [*programs, shutil.which("gcc"), gcc("-print-file-name=liblto_plugin.so")]
    linked = subprocess.run(["ldd", *map(str, paths)], capture_output=True, text=True, check=True).stdout
    paths += re.findall(r"(/\S+) \(0x", linked)
    objects = ("crti.o", "crtn.o", "crtbeginS.o", "crtendS.o", "libgcc.a", "libgcc_s.so", "libgcc_s.so.1")
    paths += [gcc(f"-print-file-name={name}") for name in (*objects, "libc.so", "libc.so.6", "libc_nonshared.a")]
    paths += gcc("-M", f"-I{sysconfig.get_path('include')}", str(source)).replace("\\\n", " ").split()[2:]
    found = {os.path.normpath(path): Path(path).read_bytes() for path in map(str, paths)}
    found |= {"/lib64/ld-linux-x86-64.so.2": Path("/lib64/ld-linux-x86-64.so.2").read_bytes()}
    return {path.lstrip("/"): data for path, data in found.items()}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[tuple[Machine, str]]:
    made = Machine(checkout(tmp_path / "checkout"), tmp_path / "home")
    links, name = tmp_path / "links", f"built-{os.getpid()}x{os.urandom(3).hex()}"
    links.mkdir()
    (links / "fast-1.0.tar.gz").write_bytes(sdist("fast", "1.0", FILES))
    vendor_archive(links / "base.tar.gz", "standin:1", compiler(tmp_path))
    recipe = {
        "description": "builds",
        "base": {"archive": {"file": "base.tar.gz", "origin": "a test"}},
        "accelerator": {"name": "cpu"},
        "env": {
            "path": [f"/{VENV}/bin"],
            "python": {
                "version": sysconfig.get_python_version(),
                "given": {"torch": "1.9.0", "later": "1.0"},
                "build": ["fast"],
            },
        },
    }
    shutil.rmtree(made.checkout / "recipes")
    (made.checkout / "recipes").mkdir()
    (made.checkout / f"recipes/{name}.yaml").write_text(json.dumps(recipe))
    (made.checkout / "portside.toml").write_text(f'folders = ["{links}"]\n')
    made.environment.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(links))
    yield made, name
    remove_images([f"portside/{name}:{layer}" for layer in ("env", "sources", "migrated", "weights", "latest")])
    remove_unnamed([name])


@pytest.mark.usefixtures("podman_storage")
def test_the_same_layer_everywhere_and_always(machine: tuple[Machine, str], tmp_path: Path) -> None:
    here, name = machine
    here.run("lock", "--recipe", name)
    built = here.json("build", "--recipe", name, "--engine", "docker")
    there = replace(here, home=tmp_path / "other", prefix=("faketime", "-f", "+400d"))
    assert there.json("build", "--recipe", name, "--engine", "podman") == built
    top = read_layer(
        here.home / "oci" / "blobs" / "sha256" / built["layers"][0]["diff_ids"][-1].removeprefix("sha256:")
    )
    files = {entry.path.partition("site-packages/")[2]: entry for entry in top.entries if entry.kind == "file"}
    assert {"fast.so", "slow.py", "fast-1.0.dist-info/METADATA"} <= files.keys()
    assert not [entry.path for entry in top.entries if entry.path.endswith((".whl", ".c")) or "portside" in entry.path]
    assert b"/build/fast/fast-1.0" in files["fast.so"].read()
    assert b"portside" not in files["fast.so"].read()
    # What it needs is `given`, and missing: the later layers are asked for it.
    assert "fast 1.0 requires later" not in here.run("check", "--recipe", name, "--layer", "env").stderr
