"""What a person asks for: a recipe's container, with nothing in it of the machine that it will run on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from portside.accelerators.ways import RAW, WAYS
from portside.errors import RecipeError, did_you_mean
from portside.recipe import Recipe
from portside.recipe.models import LAYERS, Target
from portside.runtime.devices import WantedCard, as_wanted, parse_devices
from portside.runtime.mounts import parse_ports, parse_variables

_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")


@dataclass(frozen=True)
class Intent:
    """A container as it is wanted, checked as far as no machine has to be looked at.

    layer: whose image. command: a shell line, None for a shell. devices: cards by their numbers, `all`, `none`, or None
    for as many as are needed. needed: how many cards the target needs, None if it does not say. access: one of
    `ways.WAYS`. variant: of the chips, None for what the host has. rdma: with the host's RDMA nodes. mounts: as on the
    command line. ports: `[ADDRESS:]HOST` -> port in the container. env: what the target and the person set. network:
    `none`, `bridge`, `host` or a network's name. workdir, user: None for the image's. name: None for the person's own.
    detach: in the background. stop_seconds: what the command has to end when it is told to.
    mounted_weights: the weights are mounted, not in the image. notes: what a person should know of the target before
    it runs.
    """

    recipe: Recipe
    layer: str = LAYERS[-1]
    command: str | None = None
    devices: Sequence[WantedCard] | str | None = None
    needed: int | None = None
    access: str = RAW
    variant: str | None = None
    rdma: bool = False
    mounts: tuple[str, ...] = ()
    ports: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    network: str = "none"
    workdir: str | None = None
    user: str | None = None
    name: str | None = None
    detach: bool = False
    stop_seconds: int | None = None
    mounted_weights: bool = False
    notes: tuple[str, ...] = ()


def read_intent(
    recipe: Recipe,
    *,
    layer: str = LAYERS[-1],
    target: str | None = None,
    command: str | None = None,
    devices: Sequence[int] | str | None = None,
    access: str = RAW,
    rdma: bool = False,
    mounts: Sequence[str] = (),
    ports: Sequence[str] = (),
    env: Sequence[str] = (),
    network: str | None = None,
    user: str | None = None,
    name: str | None = None,
    detach: bool = False,
    stop_seconds: int | None = None,
    mounted_weights: bool = False,
) -> Intent:
    """What a command line asks for, completed by the recipe's target.

    devices: numbers, or `0,1`, `0-3`, `0.1`, `all`, `none`. access: one of `ways.WAYS`. command: None: the target's,
    the recipe's, or a shell.
    mounts, ports, env: as on the command line, see `mounts`. network: None: the target's, else bridge with ports, else
    none. mounted_weights: the migrated layer's image is run. Raises RecipeError.
    """
    if layer not in LAYERS:
        raise RecipeError(f"no layer '{layer}'", f"The layers are {', '.join(LAYERS)}.")
    if mounted_weights and layer not in ("migrated", "weights"):
        raise RecipeError(
            f"--weights mount puts the weights on the migrated layer's image, not on {layer}'s",
            "Leave out --layer or --weights.",
        )
    if access not in WAYS:
        raise RecipeError(f"no such way to pass cards: '{access}'", f"Say {', '.join(WAYS[:-1])} or {WAYS[-1]}.")
    chosen = _target(recipe, target)
    line = command or (chosen.command if chosen else recipe.model.run.command)
    if line is None and detach:
        raise RecipeError("nothing to run in the background", say_command(recipe))
    published = parse_ports(ports, chosen.ports if chosen else {})
    if user is not None and not _USER.fullmatch(user):
        raise RecipeError(f"not a user: {user!r}", "Expected a name of the image, or UID or UID:GID.")
    if name is not None and not _NAME.fullmatch(name):
        raise RecipeError(
            f"not a container's name: {name!r}",
            "Expected two or more of letters, digits, '_', '.' and '-', no sign first.",
        )
    net = _network(network, chosen, published)
    return Intent(
        recipe,
        layer="migrated" if mounted_weights else layer,
        command=line,
        devices=_devices(devices),
        needed=chosen.devices if chosen else None,
        access=access,
        variant=recipe.model.accelerator.variant,
        rdma=rdma,
        mounts=tuple(mounts),
        ports=published,
        env=(chosen.env if chosen else {}) | parse_variables(env),
        network=net,
        workdir=chosen.workdir if chosen else None,
        user=user,
        name=name,
        detach=detach,
        stop_seconds=stop_seconds,
        mounted_weights=mounted_weights,
        notes=tuple(_reach(target, chosen, net, published)) if chosen else (),
    )


def _devices(asked: Sequence[int] | str | None) -> Sequence[WantedCard] | str | None:
    if asked is None:
        return None
    return parse_devices(asked) if isinstance(asked, str) else as_wanted(asked)


def say_command(recipe: Recipe) -> str:
    """The remedy where there is nothing to run."""
    targets = ", ".join(sorted(recipe.model.run.targets))
    return "Give --command" + (f", or --target with one of {targets}." if targets else ".")


def _reach(name: str | None, target: Target, network: str, published: Mapping[str, str]) -> Iterator[str]:
    """What a target makes of the machine's network: somebody else may have written it.

    What a person asked for on the command line needs no word.
    """
    if network == "host":
        if target.network == "host":
            yield f"target {name} asks for the host's network: it reaches, and listens on, what this machine does"
    elif places := [place for place, port in published.items() if int(port) in target.ports.values()]:
        yield f"target {name} publishes {', '.join(places)}"


def _target(recipe: Recipe, name: str | None) -> Target | None:
    if name is None:
        return None
    targets = recipe.model.run.targets
    if name not in targets:
        known = f"It has {', '.join(sorted(targets))}." if targets else "It has none."
        raise RecipeError(f"'{recipe.name}' has no target '{name}'", did_you_mean(name, targets) + known)
    return targets[name]


def _network(asked: str | None, target: Target | None, published: dict[str, str]) -> str:
    network = asked or (target.network if target else None) or ("bridge" if published else "none")
    if not _NETWORK.fullmatch(network):
        raise RecipeError(f"not a network: {network!r}", "Expected none, bridge, host or the name of a network.")
    if network == "none" and published:
        raise RecipeError("ports cannot be reached with --network none", "Leave --network out, or say bridge.")
    return network
