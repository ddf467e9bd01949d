"""Recipes as loaded ones, without files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from portside.accelerators import Host
from portside.engines import Mount, RunSpec
from portside.recipe import Recipe
from portside.recipe.models import RecipeModel
from portside.runtime import container_spec, read_intent, refuse
from portside.runtime.lacking import Lacking


def spec_for(
    recipe: Recipe,
    host: Host,
    warn: Callable[[str], None] = print,
    *,
    weights: Sequence[Mount] = (),
    data: Sequence[Mount] = (),
    lacking: Lacking = refuse,
    **options: Any,
) -> RunSpec:
    """The container that these options of a command line become on a host."""
    intent = read_intent(recipe, mounted_weights=bool(weights), **options)
    return container_spec(intent, host, weights=weights, data=data, lacking=lacking, warn=warn)


def make_recipe(
    *, name: str = "glm", accelerator: str = "mlu370", driver: str | None = None, run: dict[str, Any] | None = None,
    weights: dict[str, Any] | None = None, data: dict[str, Any] | None = None,
) -> Recipe:  # fmt: skip
    model = RecipeModel.model_validate(
        {
            "description": "A recipe for tests",
            "base": {"debian": {"suite": "bookworm"}},
            "accelerator": {"name": accelerator, "driver": driver},
            "run": run or {},
            "weights": weights or {},
            "data": data or {},
        }
    )
    return Recipe(name, model, Path(f"/project/recipes/{name}.yaml"), (), f"/workspace/{name}")


TARGETS = {
    "workdir": "/workspace/glm",
    "targets": {
        "web": {
            "description": "the web demo",
            "command": "python3 web_demo.py --listen 0.0.0.0",
            "workdir": "/workspace/glm/demo_mlu",
            "env": {"GRADIO_ANALYTICS_ENABLED": "False"},
            "ports": {"web": 7860, "api": 8000},
        },
        "train": {"description": "two cards", "command": "bash train.sh", "devices": 2},
        "convert": {"description": "no card", "command": "python3 convert.py", "devices": 0},
    },
}
