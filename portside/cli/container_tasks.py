"""The tasks that use containers of what was built: the checks of each layer, and running it."""

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.chosen import CHOICE, choose, each, end
from portside.cli.task import ENGINE, LAYER, RECIPE, check_layer, number, portside_task, project

if TYPE_CHECKING:
    from portside.engines import Mount
    from portside.recipe import Recipe


@portside_task(
    iterable=["recipe"],
    help=CHOICE
    | {
        "layer": f"only this layer: {LAYER}; default: all",
        "devices": "try these cards of this host instead: the vendor's tool, a tensor against the processor's, and a "
        "collective over two",
        "access": "with --devices: how cards are passed: raw (default), toolkit, cdi or auto",
        "report": "with --devices: write what came of it as JSON, to send to somebody",
        "engine": ENGINE,
        "trust": "let the recipe's own checks run, as they are now, without a question",
    },
)
def check(
    c: Context,
    recipe: list[str],
    all: bool = False,
    changed_since: str | None = None,
    layer: str | None = None,
    devices: str | None = None,
    access: str = "raw",
    report: str | None = None,
    engine: str | None = None,
    trust: bool = False,
) -> None:
    """testinfra against a container of each layer: what is in it is what the lock says. Or, with --devices, whether the
    cards compute.

    The recipe's own checks are code: before they run here for the first time at this content, you are asked.

    Example: invoke check --recipe minilm --layer env
    """
    from portside.accelerators import Host
    from portside.begin.project import own_recipes
    from portside.check.layer_checks import check as check_layers
    from portside.cli.trusting import need_trust
    from portside.common.progress import say
    from portside.doctor.on_card import check_cards, write_report
    from portside.doctor.on_card import tell as tell_cards
    from portside.errors import RecipeError
    from portside.image.pointers import what_is_left
    from portside.prepare import locked_plan

    names = None if layer is None else [check_layer(layer)]
    if report is not None and devices is None:
        raise RecipeError("--report writes what cards did, and none is named", "Say --devices 0 with it.")
    p = project()
    chosen = choose(p, recipe, all, changed_since)
    if report is not None and len(chosen.recipes) > 1:
        raise RecipeError("--report is of one recipe, and several are chosen", "Say --recipe NAME.")

    for loaded in chosen.recipes if devices is None else ():
        need_trust(loaded, p.store, trust, own_recipes)

    def check_one(loaded: "Recipe") -> None:
        plan_ = locked_plan(p, loaded)
        if devices is not None:
            running, here = p.engine(engine), Host.here()
            checks = check_cards(plan_, running, here, devices, access=access, layer=layer or "weights")
            if report is not None:
                write_report(plan_, running, here, checks, Path(report))
            tell_cards(checks)
            return
        try:
            check_layers(plan_, p.store, p.engine(engine), names)
        finally:
            for line in what_is_left(plan_, p.store):
                say(line)

    end(each(chosen, check_one)[1], len(chosen.recipes))


@portside_task(
    iterable=["mount", "port", "env"],
    help={
        "recipe": RECIPE,
        "layer": f"the image to run: {LAYER}; default: weights",
        "target": "one of the recipe's run targets",
        "command": "a shell line instead of the recipe's command; default without one: a shell",
        "devices": "cards: 0,1 or 0-3, 0.1 for a part of one, all or none; default: as many as the target needs",
        "access": "how cards are passed: raw (nodes and files, the default), toolkit (the vendor's), cdi, or auto",
        "rdma": "pass the host's RDMA nodes too",
        "mount": "HOST:CONTAINER or HOST:CONTAINER:ro; may be repeated",
        "port": "HOST:CONTAINER, or NAME=HOST for a named port of the target; may be repeated",
        "env": "NAME=VALUE; may be repeated",
        "network": "none, bridge, host or a network's name; default: none, bridge where ports are published",
        "user": "a user of the image or UID[:GID]",
        "name": "the container's name, to have several; default: portside-RECIPE-USER",
        "weights": "baked (in the image), mount (read-only where they lie, on the migrated layer's image), or auto "
        "(default): baked if the engine has the finished image",
        "detach": "run in the background",
        "stop-timeout": "seconds that the command has to end after SIGINT, SIGTERM or SIGHUP; default: 10",
        "recreate": "remove a container of this name first",
        "host": "with --dry-run: another machine, a file of `doctor --describe` or like:8xmlu370",
        "dry-run": "print the equivalent `docker run` or `podman run` and start nothing",
        "engine": ENGINE,
    },
)
def run_container(
    c: Context,
    recipe: str,
    mount: list[str],
    port: list[str],
    env: list[str],
    layer: str = "weights",
    target: str | None = None,
    command: str | None = None,
    devices: str | None = None,
    access: str = "raw",
    rdma: bool = False,
    network: str | None = None,
    user: str | None = None,
    name: str | None = None,
    weights: str = "auto",
    detach: bool = False,
    stop_timeout: str | None = None,
    recreate: bool = False,
    dry_run: bool = False,
    host: str | None = None,
    engine: str | None = None,
) -> None:
    """Start a recipe's image with exactly the devices and rights that it needs.

    Example: invoke run-container --recipe minilm --command 'python3 embed.py "A cat." "A kitten."'
    """
    from functools import cache

    from portside.accelerators.described import described_host
    from portside.common.progress import say
    from portside.errors import RecipeError
    from portside.prepare import locked_plan
    from portside.runtime import (
        Host,
        container_spec,
        known_image,
        noted,
        print_command,
        read_intent,
        refuse,
    )
    from portside.runtime import run_container as start
    from portside.runtime.auto import with_weights

    check_layer(layer)
    if weights not in ("auto", "baked", "mount"):
        raise RecipeError(f"no such way to have weights: '{weights}'", "Say auto, baked or mount.")
    if host is not None and not dry_run:
        raise RecipeError("a container starts on this machine alone", "Say --dry-run with --host.")
    p = project()
    loaded = p.recipe(recipe)
    machine_ = Host.here() if host is None else described_host(host, Host.here(), p.root)
    intent = read_intent(
        loaded,
        layer=layer,
        target=target,
        command=command,
        devices=devices,
        access=access,
        rdma=rdma,
        mounts=mount,
        ports=port,
        env=env,
        network=network,
        user=user,
        name=name,
        detach=detach,
        stop_seconds=None if stop_timeout is None else number(stop_timeout, "stop-timeout"),
        mounted_weights=weights == "mount" and bool(loaded.model.weights),
    )
    plan_of = cache(lambda: locked_plan(p, loaded))
    running = None if dry_run or weights == "baked" or not loaded.model.weights else p.engine(engine)
    intent, mounted = with_weights(intent, weights, p, running, plan_of)
    data: tuple[Mount, ...] = ()
    if target is not None:
        from portside.runtime.datasets import target_mounts

        data = target_mounts(p, loaded, target, bring=not dry_run)
    spec = container_spec(
        intent,
        machine_,
        weights=mounted,
        data=data,
        lacking=noted(say) if dry_run else refuse,
    )
    if dry_run:
        print_command(spec, engine or p.config.engine)
        return
    known = known_image(recipe, spec.image.rpartition(":")[2], p.store, plan_of)
    running = running or p.engine(engine)
    known.bring(p.store, running)
    code = start(running, spec, recreate=recreate, known=known)
    if code:
        raise Exit(code=code)
