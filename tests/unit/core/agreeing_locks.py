"""Recipes with locks that agree with them: the committed ones, and one that pins whatever a recipe can."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from portside.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[3]
A, B, C = "a" * 64, "b" * 64, "c" * 64

OWN = f"""\
description: everything that a recipe can pin
base: {{debian: {{suite: bookworm, architecture: arm64, include: [curl=7.88.1-10, git]}}}}
accelerator: {{name: cpu}}
env:
  debian: [python3, wget=1.21.3-1]
  python:
    version: "3.11"
    platform: aarch64-manylinux_2_28
    given: {{Big.Thing: vendor-1, six: "1.16.0"}}
    requirements:
      - numpy>=1.24,<2
      - Tiny_Thing==1.0
      - tomli; python_version < "3.11"
      - x86only; platform_machine == "x86_64"
      - big-thing>=99
      - six>=1.5
      - brought
    manual: [{{file: brought-2.0-py3-none-any.whl, origin: x, sha256: {A}, size: 5}}]
sources: {{s: {{sdist: Some.Thing==1.0}}}}
weights: {{w: {{files: [{{path: a/w.bin, origin: x, sha256: {A}, size: 4}}, {{path: b.bin, origin: x}}]}}}}
data: {{d: {{file: d.tar, origin: x, to: d, sha256: {A}, size: 6}}}}
"""


def deb(name: str, version: str, architecture: str = "arm64") -> dict[str, Any]:
    path = f"pool/{name}.deb"
    return {"name": name, "version": version, "architecture": architecture, "path": path, "size": 1, "sha256": B}


def wheel(name: str, version: str, file: str) -> dict[str, Any]:
    return {"name": name, "version": version, "file": file, "size": 1, "sha256": B}


def own_lock(recipe: Recipe) -> dict[str, Any]:
    python = {
        "version": "3.11",
        "platform": "aarch64-manylinux_2_28",
        "wheels": [
            wheel("numpy", "1.26.4", "numpy-1.26.4-cp311-cp311-manylinux_2_17_aarch64.whl"),
            wheel("tiny-thing", "1.0", "Tiny_Thing-1.0-py3-none-any.whl"),
        ],
        "given": {"Big.Thing": "vendor-1", "six": "1.16.0"},
        "manual": [
            {"name": "brought", "version": "2.0", "file": "brought-2.0-py3-none-any.whl", "size": 5, "sha256": A}
        ],
    }
    debs = [deb("python3", "3.11.2-1+b1"), deb("wget", "1.21.3-1")]
    base = {"kind": "debian", "suite": "bookworm", "architecture": "arm64", "snapshot": "20240101T000000Z", "epoch": 1}
    return {
        "format": 2,
        "recipe": recipe.name,
        "epoch": 1,
        "requests": recipe.requests(),
        "base": base | {"debs": [deb("curl", "7.88.1-10"), deb("git", "1", "all")], "diff_id": C, "size": 1},
        "env": {"sets": [{"recipe": recipe.name, "epoch": 1, "debs": debs, "python": python}]},
        "sources": {"s": {"kind": "sdist", "epoch": 1, "sdist": wheel("some-thing", "1.0", "Some.Thing-1.0.tar.gz")}},
        "weights": {
            "w": {
                "epoch": 0,
                "files": [{"path": "a/w.bin", "size": 4, "sha256": A}, {"path": "b.bin", "size": 1, "sha256": B}],
            }
        },
        "data": {"d": {"file": "d.tar", "size": 6, "sha256": A}},
    }


@cache
def committed(name: str) -> tuple[Recipe, dict[str, Any]]:
    recipe = load_recipe(ROOT, name)
    value: dict[str, Any] = json.loads(recipe.lock_path.read_text())
    return recipe, value
