"""From what a person asks for and what the host has to a container, with no more rights than it needs."""

import dataclasses
import re
from collections.abc import Callable, Sequence

from portside.accelerators import AcceleratorProfile, Host, for_host, load_accelerator
from portside.common.canonical import digest_of
from portside.common.progress import say
from portside.engines import Mount, RunSpec
from portside.errors import RecipeError
from portside.image.config import image_name
from portside.runtime.devices import choose_cards, warn_of_driver, warn_of_source
from portside.runtime.intent import Intent, say_command
from portside.runtime.lacking import Lacking, refuse
from portside.runtime.mounts import parse_mounts
from portside.runtime.passing import pass_cards
from portside.runtime.shell_line import shell_line

SETTINGS = "portside.settings"
"""The label that tells two containers of one name apart; see `settings_digest`."""
KEPT = "portside.kept"
"""The label of containers that stay: `shell` can be entered again and again, `command` runs one in the background."""
SHELL = ("/bin/sh", "-c", "exec $(command -v bash || command -v sh)")
ROOT_KEEPS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What root in a container can still do: work with files of any owner, and become a user of the image."""


def container_name(recipe: str, user: str) -> str:
    """The name of a person's container of a recipe, with nothing in it that an engine refuses."""
    return f"portside-{recipe}-{re.sub('[^A-Za-z0-9_.-]', '_', user)}"


def container_spec(
    intent: Intent,
    host: Host,
    *,
    weights: Sequence[Mount] = (),
    data: Sequence[Mount] = (),
    accelerator: AcceleratorProfile | None = None,
    lacking: Lacking = refuse,
    warn: Callable[[str], None] = say,
) -> RunSpec:
    """The container that an intent becomes on a host; nothing is started and no engine is asked.

    weights: mounts that replace the weights layer (see `weight_mounts`). data: mounts of the target's data sets (see
    `datasets`). accelerator: default: the recipe's, by its name. lacking: what happens where this host lacks
    something. Raises RecipeError or EngineError.
    """
    recipe = intent.recipe
    if intent.command is None and not host.terminal:
        lacking(RecipeError("nothing to run, and no terminal for a shell", say_command(recipe)))
        host = dataclasses.replace(host, terminal=True)
    accelerator = accelerator or load_accelerator(recipe.model.accelerator.name, root=recipe.root)
    accelerator = for_host(accelerator, host, intent.variant)
    cards = choose_cards(accelerator, host, intent.devices, intent.needed, warn, lacking)
    passed = pass_cards(accelerator, cards, host, lacking, access=intent.access, rdma=intent.rdma, asked=intent.env)
    if cards:
        warn_of_source(accelerator, warn)
        warn_of_driver(recipe, accelerator, host, warn)
    for note in intent.notes:
        warn(note)
    is_root = intent.user is None or intent.user.split(":")[0] in ("root", "0")
    variables = {**passed.env, **intent.env}
    if not is_root:
        # A number without an entry in the image's passwd has no home that it may write to.
        variables.setdefault("HOME", "/tmp")
    spec = RunSpec(
        image_name(recipe.name, intent.layer),
        command=SHELL if intent.command is None else ("/bin/sh", "-c", shell_line(intent.command)),
        name=intent.name or container_name(recipe.name, host.user),
        env=variables,
        mounts=_all_mounts(parse_mounts(intent.mounts, host, lacking), weights, (*data, *passed.files)),
        devices=tuple(f"{node}:{inside}:rw" for node, inside in passed.nodes.items()),
        cdi=passed.cdi,
        runtime=passed.runtime,
        groups=passed.groups,
        seccomp=passed.seccomp,
        ipc=passed.ipc,
        network=intent.network,
        workdir=intent.workdir,
        user=intent.user,
        terminal=host.terminal and not intent.detach,
        stdin=not (host.terminal or intent.detach),
        init=True,
        stop_seconds=intent.stop_seconds,
        detach=intent.detach,
        keep=intent.command is None,
        ulimits={name: (one.limit, one.limit) for name, one in accelerator.ulimits.items()} if cards else {},
        # With the host's shared memory its size is the host's.
        shm_size=accelerator.shm_size.size if cards and accelerator.shm_size and not passed.ipc else None,
        # With the host's network every port is the host's already, and engines refuse to publish it again.
        ports={} if intent.network == "host" else intent.ports,
        cap_drop=("ALL",),
        cap_add=tuple(sorted({*(ROOT_KEEPS if is_root else ()), *passed.capabilities})),
        no_new_privileges=True,
    )
    kept = {KEPT: "command" if intent.detach else "shell"} if intent.detach or spec.keep else {}
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
        "cdi": list(spec.cdi),
        "runtime": spec.runtime,
        "rights": [list(spec.cap_drop), list(spec.cap_add), spec.no_new_privileges, list(spec.groups), spec.seccomp],
        "ipc": spec.ipc,
    }
    return digest_of(value)[:16]


def _all_mounts(asked: Sequence[Mount], weights: Sequence[Mount], files: Sequence[Mount]) -> tuple[Mount, ...]:
    """A person's own mounts go before the target's data and the accelerator's files of the same place, and must leave
    the weights alone."""
    targets = {mount.target for mount in asked}
    for mount in weights:
        if mount.target in targets:
            raise RecipeError(f"two mounts go to {mount.target}: --weights mount needs it", "Leave out the other.")
    return (*asked, *weights, *(file for file in files if file.target not in targets))
