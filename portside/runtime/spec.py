"""From a recipe and what a person asks for to a container, with no more rights than it needs."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

from portside.accelerators import Accelerator, Host, load_accelerator
from portside.common.canonical import digest_of
from portside.common.progress import say
from portside.engines import Mount, RunSpec
from portside.errors import RecipeError, did_you_mean
from portside.image.config import image_name
from portside.recipe import Recipe
from portside.recipe.models import LAYERS, Target
from portside.runtime.devices import choose_cards, parse_devices, pass_cards, warn_of_driver
from portside.runtime.lacking import noted, refuse
from portside.runtime.mounts import parse_mounts, parse_ports, parse_variables

SETTINGS = "portside.settings"
"""The label that tells two containers of one name apart; see `settings_digest`."""
KEPT = "portside.kept"
"""The label of containers that stay: `shell` can be entered again and again, `command` runs one in the background."""
SHELL = ("/bin/sh", "-c", "exec $(command -v bash || command -v sh)")
ROOT_KEEPS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What root in a container can still do: work with files of any owner, and become a user of the image."""

_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")


def container_name(recipe: str, user: str) -> str:
    """The name of a person's container of a recipe, with nothing in it that an engine refuses."""
    return f"portside-{recipe}-{re.sub('[^A-Za-z0-9_.-]', '_', user)}"


def container_spec(
    recipe: Recipe,
    *,
    layer: str = "weights",
    devices: Sequence[int] | str | None = None,
    command: str | None = None,
    mounts: Sequence[str] = (),
    detach: bool = False,
    host: Host | None = None,
    target: str | None = None,
    network: str | None = None,
    ports: Sequence[str] = (),
    env: Sequence[str] = (),
    user: str | None = None,
    name: str | None = None,
    weights: Sequence[Mount] = (),
    data: Sequence[Mount] = (),
    accelerator: Accelerator | None = None,
    dry_run: bool = False,
    warn: Callable[[str], None] = say,
) -> RunSpec:
    """The container to run for a recipe; nothing is started and no engine is asked.

    devices: numbers of cards, or `0,1`, `0-3`, `all`, `none`; None: as many as the target needs, else the first.
    command: a shell line; None: the target's, the recipe's, or a shell on the person's terminal.
    mounts, ports, env: as on the command line, see `mounts`. host: default: this machine.
    network: `none`, `bridge`, `host` or the name of a network; None: the target's, else bridge with ports, else none.
    user: a user of the image, or UID[:GID]; None: the image's.
    name: the container's; None: `container_name` of the recipe and this person.
    weights: mounts that replace the weights layer (see `weight_mounts`); the migrated layer's image is used then.
    data: mounts of the target's data sets (see `datasets`). accelerator: default: the recipe's, by its name.
    dry_run: what this host lacks is said with `warn` and taken as there, so that the command can be shown anywhere.
    Raises RecipeError or EngineError.
    """
    if layer not in LAYERS:
        raise RecipeError(f"no layer '{layer}'", f"The layers are {', '.join(LAYERS)}.")
    if weights and layer not in ("migrated", "weights"):
        raise RecipeError(
            f"--weights mount puts the weights on the migrated layer's image, not on {layer}'s",
            "Leave out --layer or --weights.",
        )
    host = host or Host.here()
    lacking = noted(warn) if dry_run else refuse
    chosen = _target(recipe, target)
    line = command or (chosen.command if chosen else recipe.model.run.command)
    if line is None and detach:
        raise RecipeError("nothing to run in the background", _say_command(recipe))
    if line is None and not host.terminal:
        lacking(RecipeError("nothing to run, and no terminal for a shell", _say_command(recipe)))
        host = dataclasses.replace(host, terminal=True)
    accelerator = accelerator or load_accelerator(recipe.model.accelerator.name)
    cards = choose_cards(accelerator, host, _devices(devices), chosen.devices if chosen else None, warn, lacking)
    passed = pass_cards(accelerator, cards, host, lacking)
    if cards:
        warn_of_driver(recipe, accelerator, host, warn)
    published = parse_ports(ports, chosen.ports if chosen else {})
    network = _network(network, chosen, published)
    if chosen is not None:
        _say_reach(target, chosen, network, published, warn)
    if user is not None and not _USER.fullmatch(user):
        raise RecipeError(f"not a user: {user!r}", "Expected a name of the image, or UID or UID:GID.")
    if name is not None and not _NAME.fullmatch(name):
        raise RecipeError(
            f"not a container's name: {name!r}",
            "Expected two or more of letters, digits, '_', '.' and '-', no sign first.",
        )
    is_root = user is None or user.split(":")[0] in ("root", "0")
    variables = dict(passed.env) | (chosen.env if chosen else {}) | parse_variables(env)
    if not is_root:
        # A number without an entry in the image's passwd has no home that it may write to.
        variables.setdefault("HOME", "/tmp")
    spec = RunSpec(
        image_name(recipe.name, "migrated" if weights else layer),
        command=SHELL if line is None else ("/bin/sh", "-c", line),
        name=name or container_name(recipe.name, host.user),
        env=variables,
        mounts=_all_mounts(parse_mounts(mounts, host, lacking), weights, (*data, *passed.files)),
        devices=tuple(f"{node}:{node}:rw" for node in passed.nodes),
        network=network,
        workdir=chosen.workdir if chosen else None,
        user=user,
        terminal=host.terminal and not detach,
        detach=detach,
        keep=line is None,
        ulimits={name: (limit, limit) for name, limit in accelerator.ulimits.items()} if cards else {},
        shm_size=accelerator.shm_size if cards else None,
        # With the host's network every port is the host's already, and engines refuse to publish it again.
        ports={} if network == "host" else published,
        cap_drop=("ALL",),
        cap_add=ROOT_KEEPS if is_root else (),
        no_new_privileges=True,
    )
    kept = {KEPT: "command" if detach else "shell"} if detach or spec.keep else {}
    return dataclasses.replace(spec, labels={SETTINGS: settings_digest(spec), **kept})


def settings_digest(spec: RunSpec) -> str:
    """A hash (16 hex digits) over what a container cannot change once it exists."""
    value = {
        "image": spec.image,
        "mounts": [[mount.source, mount.target, mount.read_only] for mount in spec.mounts],
        "devices": list(spec.devices),
        "network": spec.network,
        "user": spec.user,
        "ulimits": {name: list(limits) for name, limits in spec.ulimits.items()},
        "shm_size": spec.shm_size,
        "ports": dict(spec.ports),
        "rights": [list(spec.cap_drop), list(spec.cap_add), spec.no_new_privileges],
    }
    return digest_of(value)[:16]


def _target(recipe: Recipe, name: str | None) -> Target | None:
    if name is None:
        return None
    targets = recipe.model.run.targets
    if name not in targets:
        known = f"It has {', '.join(sorted(targets))}." if targets else "It has none."
        raise RecipeError(f"'{recipe.name}' has no target '{name}'", did_you_mean(name, targets) + known)
    return targets[name]


def _say_command(recipe: Recipe) -> str:
    targets = ", ".join(sorted(recipe.model.run.targets))
    return "Give --command" + (f", or --target with one of {targets}." if targets else ".")


def _devices(devices: Sequence[int] | str | None) -> Sequence[int] | str | None:
    return parse_devices(devices) if isinstance(devices, str) else devices


def _network(asked: str | None, target: Target | None, published: dict[str, str]) -> str:
    network = asked or (target.network if target else None) or ("bridge" if published else "none")
    if not _NETWORK.fullmatch(network):
        raise RecipeError(f"not a network: {network!r}", "Expected none, bridge, host or the name of a network.")
    if network == "none" and published:
        raise RecipeError("ports cannot be reached with --network none", "Leave --network out, or say bridge.")
    return network


def _say_reach(
    name: str | None, target: Target, network: str, published: Mapping[str, str], warn: Callable[[str], None]
) -> None:
    """Say what a target makes of this machine's network: somebody else may have written it.

    What a person asked for on the command line needs no word.
    """
    if network == "host":
        if target.network == "host":
            warn(f"target {name} asks for the host's network: it reaches, and listens on, what this machine does")
    elif places := [place for place, port in published.items() if int(port) in target.ports.values()]:
        warn(f"target {name} publishes {', '.join(places)}")


def _all_mounts(asked: Sequence[Mount], weights: Sequence[Mount], files: Sequence[Mount]) -> tuple[Mount, ...]:
    """A person's own mounts go before the target's data and the accelerator's files of the same place, and must leave
    the weights alone."""
    targets = {mount.target for mount in asked}
    for mount in weights:
        if mount.target in targets:
            raise RecipeError(f"two mounts go to {mount.target}: --weights mount needs it", "Leave out the other.")
    return (*asked, *weights, *(file for file in files if file.target not in targets))
