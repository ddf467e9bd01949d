"""The image config (OCI image-spec 1.0, `config.md`) as canonical JSON: its sha256 is the image ID."""

import datetime
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from portside.common.canonical import canonical_json
from portside.common.process import this_process
from portside.common.values import ImageName, Key
from portside.engines.base import BUILD_LABEL, PROCESS_LABEL, RECIPE_LABEL
from portside.plan.environment import variables
from portside.plan.model import Part, Plan
from portside.store.layout import Blob, Image


def image_name(recipe: str, layer: str) -> ImageName:
    """The name that an engine knows a layer's image by."""
    return ImageName(f"portside/{recipe}:{layer}")


def rfc3339(epoch: int) -> str:
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def environment(plan: Plan) -> dict[str, str]:
    """The image's environment variables."""
    return variables(plan.lock, plan.recipe.stages[-1])


def labels(plan: Plan, layer: str) -> dict[str, str]:
    """The labels of a layer's image: what it is and the keys of everything in it."""
    model = plan.recipe.model
    values = {
        "org.opencontainers.image.title": f"{plan.recipe.name} ({layer})",
        "org.opencontainers.image.description": model.description,
        RECIPE_LABEL: plan.recipe.name,
        "portside.layer": layer,
        "portside.accelerator": model.accelerator.name,
    }
    if model.accelerator.driver:
        values["portside.driver"] = model.accelerator.driver
    for below in plan.up_to(layer):
        values[f"portside.key.{below.name}"] = below.key
    return values


def command(plan: Plan) -> list[str]:
    run = plan.recipe.model.run
    return ["/bin/sh", "-c", run.command] if run.command else ["/bin/sh"]


def workdir(plan: Plan, layer: str) -> str:
    """Where a container starts; the env layer has no workspace yet."""
    return "/" if layer == "env" else plan.recipe.model.run.workdir or plan.recipe.workspace


def make_image(plan: Plan, layer: str, blobs: Mapping[Key, Blob]) -> Image:
    """The image of `layer`: its own parts on top of everything below. blobs: by part key."""
    return _image(plan, layer, plan.stack(layer), blobs, environment(plan), workdir(plan, layer))


def parent_image(plan: Plan, part: Part, blobs: Mapping[Key, Blob], token: str | None = None) -> Image:
    """The image that a run part is executed on: every part below it.

    Its instructions start in the root, unless they have a WORKDIR of their own: an engine makes the folder that a RUN
    starts in where it is missing, and `run.workdir` may lie in what this part or one above it is yet to make.
    token: its own word for this build. It makes a label, so that the image and what is built on it are no other
    build's: an engine forgets an image with the last name that somebody takes away. Another label names this process.
    Without it the image is the same in every build, so that a builder's cache knows it by its digest.
    """
    # Where the image has a variable that the Dockerfile makes an ARG of, Docker takes the ARG, and Podman the image's.
    arguments = set(re.findall(r"^ARG (\w+)=", part.manifest["instructions"], re.MULTILINE))
    variables = {name: value for name, value in part.manifest["environment"].items() if name not in arguments}
    own = {BUILD_LABEL: token, PROCESS_LABEL: this_process()} if token else {}
    return _image(plan, part.layer, plan.below(part), blobs, variables, "/", own)


def _image(
    plan: Plan,
    layer: str,
    parts: Sequence[Part],
    blobs: Mapping[Key, Blob],
    environment: Mapping[str, str],
    workdir: str,
    more_labels: Mapping[str, str] = MappingProxyType({}),
) -> Image:
    layers = tuple(blobs[part.key] for part in parts)
    config: dict[str, Any] = {
        "architecture": plan.lock.base.architecture,
        "os": "linux",
        "created": rfc3339(max(part.epoch for part in parts)),
        "config": {
            "Cmd": command(plan),
            "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
            "Labels": {**labels(plan, layer), **more_labels},
            "WorkingDir": workdir,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{blob.digest}" for blob in layers]},
        "history": [
            {"created": rfc3339(part.epoch), "created_by": f"portside {part.layer}/{part.name} {part.key}"}
            for part in parts
        ],
    }
    return Image(canonical_json(config), layers)
