"""An image of the shape that Cambricon's has, made out of this machine's own programs and Python."""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tiny_images import programs
from tiny_project import EPOCH

VENV = "torch/venv3/pytorch"
PROGRAMS = (
    *("sh", "bash", "cat", "chmod", "cp", "find", "grep", "head", "ln", "ls", "mkdir", "rm", "seq", "sha256sum"),
    *("cut", "env", "uname", "sleep", "stat", "tar", "test", "xargs", "readlink", "install"),
)
SKIP = {"__pycache__", "site-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "turtledemo"}


def vendor_archive(target: Path, reference: str, more: Mapping[str, bytes | str] | None = None) -> None:
    """An image of the vendor's shape as `docker save` writes it: a system, then a virtual environment with a torch and
    a torch_mlu that say what they are, and a converter at the vendor's place. more: further files of the system."""
    system: dict[str, bytes | str] = dict(programs(PROGRAMS)) | dict(more or {})
    system |= {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n", "etc/group": b"root:x:0:\n", "etc/motd": b"gone\n"}
    system |= {"var/lib/dpkg/status": b"", **dict.fromkeys(("dev/", "proc/", "run/", "sys/", "tmp/"), b"")}
    system |= python_files()
    site = f"{VENV}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    home = python_folder()
    environment: dict[str, bytes | str] = {
        f"{VENV}/pyvenv.cfg": f"home = {home}\ninclude-system-site-packages = false\n".encode(),
        f"{VENV}/bin/python3": f"{home}/python3",
        f"{VENV}/bin/python": "python3",
        f"{site}/torch/__init__.py": b'__version__ = "1.9.0+standin"\n',
        f"{site}/torch-1.9.0+standin.dist-info/METADATA": b"Name: torch\nVersion: 1.9.0+standin\n",
        f"{site}/torch_mlu/__init__.py": b'raise ImportError("a stand-in: there is no torch_mlu here")\n',
        "torch/src/catch/tools/torch_gpu2mlu.py": b'raise SystemExit("a stand-in for the converter of the vendor")\n',
        **{f"{site}/{path}": data for path, data in _pip().items()},
        "etc/.wh.motd": b"",
    }
    layers = [_layer(system), _layer(environment)]
    path = "PATH=/usr/local/neuware/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-03-01T08:09:10.123456789Z",
        "config": {"Env": [path, "NEUWARE_HOME=/usr/local/neuware"], "Cmd": ["/bin/bash"], "WorkingDir": "/torch"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers]},
        "history": [{"created_by": "a test"}, {"created_by": "CMD", "empty_layer": True}, {"created_by": "a test"}],
    }
    raw = json.dumps(config).encode()
    name = f"{hashlib.sha256(raw).hexdigest()}.json"
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    entry = {"Config": name, "RepoTags": [reference], "Layers": paths}
    members = dict(zip(paths, layers, strict=True)) | {name: raw, "manifest.json": json.dumps([entry]).encode()}
    with target.open("wb") as out, gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=1) as packed:
        packed.write(_layer(dict(members), mode=0o644))


def _layer(files: Mapping[str, bytes | str], mode: int = 0o755) -> bytes:
    """A tar; a value that is text is where a symbolic link leads, a name that ends with / is a folder for all."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.mode, info.mtime = mode, EPOCH
            if path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o1777
                archive.addfile(info)
            elif isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def python_folder() -> str:
    """Where `python_files` puts the interpreter."""
    return f"{sys.base_prefix}/bin"


def python_files() -> dict[str, bytes | str]:
    """The interpreter that runs the tests, at its own place, with its standard library."""
    program = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    found: dict[str, bytes | str] = {str(program).lstrip("/"): program.read_bytes()}
    found[f"{python_folder()}/python3".lstrip("/")] = program.name
    library = Path(sysconfig.get_path("stdlib"))
    for folder, names, files in os.walk(library):
        names[:] = [name for name in names if name not in SKIP and not name.startswith("config-")]
        for name in files:
            path = Path(folder) / name
            found[str(path).lstrip("/")] = path.read_bytes()
    binaries = [program, *library.glob("lib-dynload/*.so")]
    linked = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=True).stdout
    for shared in sorted(set(re.findall(r"(/\S+) \(0x", linked))):
        found[shared.lstrip("/")] = Path(shared).read_bytes()
    return found


def _pip() -> dict[str, bytes]:
    spec = find_spec("pip")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent
    parts = [folder, *folder.parent.glob("pip-*.dist-info")]
    paths = [path for part in parts for path in part.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder.parent)): path.read_bytes() for path in paths}
