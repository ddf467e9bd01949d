"""Layers of bases as vendors make them, small: what a reader of an image's files meets, as layer tars."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from portside.layers.image_files import ImageFiles
from portside.layers.raw import TarLayer

GLIBC = b"\x7fELF...GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.1) stable release version 2.35.\n"
Files = Mapping[str, bytes | str | None]
"""Path -> its bytes, where a symbolic link leads, or None for a whiteout."""


def system(version: str, machine: str = "x86_64") -> dict[str, bytes | str | None]:
    """A distribution's Python at /usr, with its C library."""
    return {
        f"usr/bin/python{version}": b"\x7fELF",
        "usr/bin/python3": f"python{version}",
        f"usr/lib/python{version}/os.py": b"",
        "usr/lib/python3/dist-packages/six-1.16.0.egg-info": b"Metadata-Version: 1.2\nName: six\nVersion: 1.16.0\n",
        f"lib/{machine}-linux-gnu/libc.so.6": GLIBC,
    }


def venv(prefix: str, version: str, *packages: str, system_packages: bool = False) -> dict[str, bytes | str | None]:
    """A virtual environment of the Python at /usr. packages: NAME==VERSION."""
    site = f"{prefix}/lib/python{version}/site-packages"
    settings = f"home = /usr/bin\ninclude-system-site-packages = {str(system_packages).lower()}\n"
    return {
        f"{prefix}/bin/python3": "/usr/bin/python3",
        f"{prefix}/bin/python": "python3",
        f"{prefix}/pyvenv.cfg": f"{settings}version = {version}.9\n".encode(),
        f"{site}/easy-install.pth": b"",
        **installed(site, *packages),
    }


def installed(site: str, *packages: str) -> dict[str, bytes | str | None]:
    files: dict[str, bytes | str | None] = {}
    for package in packages:
        name, _, version = package.partition("==")
        info = f"{site}/{name.replace('-', '_')}-{version}.dist-info"
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nSo it is.".encode()
        files[f"{info}/RECORD"] = b""
    return files


def layer(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, data in files.items():
            folder, _, name = path.rpartition("/")
            info = tarfile.TarInfo(path if data is not None else f"{folder}/.wh.{name}")
            info.mode = 0o755 if data is not None else 0o600
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                archive.addfile(info)
            else:
                info.size = len(data or b"")
                archive.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


def image(tmp_path: Path, *layers: Files) -> ImageFiles:
    """The files of an image with these layers, lowest first."""
    paths = [tmp_path / f"{number}.tar" for number in range(len(layers))]
    for path, files in zip(paths, layers, strict=True):
        path.write_bytes(layer(files))
    return ImageFiles.of(map(TarLayer, paths))


def archive(
    *layers: Files,
    environment: Mapping[str, str] | None = None,
    architecture: str = "amd64",
    start: Mapping[str, list[str]] | None = None,
) -> bytes:
    """An image of these layers as `docker save` writes it. start: its Entrypoint and Cmd."""
    tars = [layer(files) for files in layers]
    config = {
        "created": "2024-05-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Env": [f"{name}={value}" for name, value in (environment or {"PATH": "/usr/bin:/bin"}).items()],
            **(start or {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]},
        "history": [{"created_by": "vendor"} for _ in tars],
    }
    raw = json.dumps(config).encode()
    name = f"{hashlib.sha256(raw).hexdigest()}.json"
    paths = [f"{number}/layer.tar" for number in range(len(tars))]
    manifest = json.dumps([{"Config": name, "RepoTags": ["vendor:1"], "Layers": paths}]).encode()
    return layer({name: raw, **dict(zip(paths, tars, strict=True)), "manifest.json": manifest})
