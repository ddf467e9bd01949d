"""Recipes as loaded ones, without files."""

from pathlib import Path
from typing import Any

from portside.recipe import Recipe
from portside.recipe.models import RecipeModel


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
