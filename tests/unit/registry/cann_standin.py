"""An image as those of Ascend are, in a made-up registry, and an engine that runs nothing of arm64."""

from types import SimpleNamespace
from typing import Any

from base_layers import installed, layer, system
from made_up_registry import MadeUpRegistry

from portside.common import oci

SET_ENV = "/usr/local/Ascend/ascend-toolkit/set_env.sh"

ELSEWHERE: Any = SimpleNamespace(
    runs=lambda architecture: architecture == "amd64", describe=lambda: "Docker, amd64", image_id=lambda name: None,
    name="docker", free_bytes=lambda: None, room=lambda size: size, lacks=lambda ids: [True] * len(ids), cache=None,
    identity=lambda: "elsewhere",
)  # fmt: skip


def cann(registry: MadeUpRegistry, version: str, prefix: str, tag: str) -> str:
    """Ubuntu's files, a Python of its own (version: 3.11) at `prefix`, set_env.sh; for both machines; its address."""
    python: dict[str, bytes | str | None] = {
        f"{prefix}/bin/python{version}": b"\x7fELF",
        f"{prefix}/bin/python3": f"python{version}",
        f"{prefix}/lib/python{version}/os.py": b"",
        **installed(f"{prefix}/lib/python{version}/site-packages", "pip==24.0", "numpy==1.26.4"),
        SET_ENV[1:]: b"export ASCEND_HOME_PATH=/usr/local/Ascend/ascend-toolkit/latest\n",
        "bin/bash": b"\x7fELF",
    }
    rows = []
    for architecture, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        layers = (layer(system("3.10", machine)), layer(python | {f"opt/{machine}": b""}))
        settings = {"architecture": architecture, "config": {"Env": [f"PATH=/{prefix}/bin:/usr/bin:/bin"]}}
        made = registry.image(layers, (f"{oci.LAYER}+gzip",) * 2, config=settings)
        rows.append(made | {"platform": {"os": "linux", "architecture": architecture}})
    return registry.tag(tag, registry.index(*rows))
