"""What the scripts of a base set that people source before they work (`set_env.sh`): run once, and locked as variables.

Each runs in bash, in a container of the base without a network, from the base's own environment, and all of it twice:
what is another the second time is the machine's, and no part of an image.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from portside.accelerators.load import load_accelerator
from portside.common.activating import LEFT_OUT, program, read_output
from portside.common.canonical import canonical_json
from portside.common.process import this_process
from portside.common.progress import say, step, transfer
from portside.common.values import Size
from portside.engines import Engine, ImageLayer, ImageToLoad, RunSpec
from portside.engines.base import BUILD_LABEL, PROCESS_LABEL, RECIPE_LABEL
from portside.errors import EngineError, InputError, RecipeError
from portside.layers.image_files import ImageFiles
from portside.lock.bases import LockedBase
from portside.lock.packages import LockedActivation, is_variable
from portside.recipe import Recipe
from portside.store import Store
from portside.store.layout import Blob

KEY = "env.activate"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines set where an image says none."""


def activate(
    scripts: Sequence[str],
    base: LockedBase,
    files: ImageFiles,
    store: Store,
    engine: Callable[[], Engine],
    recipe: Recipe,
) -> LockedActivation:
    """Run the scripts of a base, and tell what of it depends on the machine. scripts: a path, and arguments behind it.

    files: of the base, whose layers the store has. Raises RecipeError for what the base does not have, EngineError
    without an engine that runs its programs, InputError where the scripts end the shell.
    """
    for script in scripts:
        if not files.is_file(path := script.partition(" ")[0]):
            raise RecipeError(f"{KEY}: {path} is not in the base", "Name a script of the base by its whole path.")
    if not any(files.is_program(f"{folder}/bash") for folder in ("/bin", "/usr/bin", "/usr/local/bin")):
        raise RecipeError(f"{KEY}: the base has no bash", "Take env.activate out; say the variables in env.variables.")
    runner = engine()
    if not runner.runs(base.architecture):
        raise EngineError(
            f"{KEY} runs the base's scripts once, the base is for {base.architecture}, and the engine is not known to "
            f"run such programs: {runner.describe()}",
            lambda name: (
                f"Lock it on a machine for {base.architecture}, or with an engine there (DOCKER_HOST), or let "
                "its machine emulate one: `apt-get install qemu-user-static` on Debian 12, registered with the "
                f"flag F (docs/configuration.md); then invoke lock --recipe {name}."
            ),
        )
    with step(f"Running {', '.join(scripts)} in the base"):
        runs = _run_twice(scripts, base, store, runner, recipe)
    found = _compared(scripts, runs)
    absent = _absent(found.set, files)
    _tell_absent(absent, recipe)
    return found.model_copy(update={"absent": absent})


def _run_twice(
    scripts: Sequence[str], base: LockedBase, store: Store, engine: Engine, recipe: Recipe
) -> list[tuple[dict[str, str], dict[str, str]]]:
    """The variables before and after, of each run."""
    token = secrets.token_hex(16)
    labels = {RECIPE_LABEL: recipe.name, BUILD_LABEL: token, PROCESS_LABEL: this_process()}
    blobs = [Blob(layer.diff_id, Size(store.layout.blob(layer.diff_id).stat().st_size)) for layer in base.layers]
    config = {
        "architecture": base.architecture,
        "os": "linux",
        "config": {"Env": [f"{k}={v}" for k, v in sorted({"PATH": PATH, **base.env}.items())], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{blob.digest}" for blob in blobs]},
    }
    layers = tuple(
        ImageLayer(blob.digest, blob.size, partial(store.layout.open, blob), store.layout.file(blob.digest))
        for blob in blobs
    )
    name = f"portside.invalid/activate:{token}"
    try:
        engine.load(ImageToLoad(canonical_json(config), layers, (name,), f"the base of {recipe.name}"), transfer)
        return [_run(scripts, name, token, engine, labels) for _ in range(2)]
    finally:
        engine.remove_image(name)


def _run(
    scripts: Sequence[str], image: str, token: str, engine: Engine, labels: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    said, errors = bytearray(), bytearray()

    def collect(out: bytes, err: bytes) -> None:
        said.extend(out)
        errors.extend(err)

    command = ("bash", "--noprofile", "--norc", "-c", program(scripts, token))
    code = engine.run(RunSpec(image, command, entrypoint=(), network="none", labels=dict(labels)), collect)
    tail = errors.decode("utf-8", "backslashreplace").splitlines()[-8:]
    try:
        return read_output(bytes(said), token)
    except ValueError:
        lines = "".join(f"\n  {line}" for line in tail)
        raise InputError(
            f"{KEY}: {', '.join(scripts)} ended the shell that they ran in, with {code}{lines}",
            "Try it by hand in a container of the base; say the variables in env.variables where it wants a card.",
        ) from None


def _compared(scripts: Sequence[str], runs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]]) -> LockedActivation:
    (before, after), (_, again) = runs
    changed = {name: value for name, value in after.items() if before.get(name) != value and name not in LEFT_OUT}
    stable = {name: value for name, value in changed.items() if again.get(name) == value}
    sets = {name: value for name, value in stable.items() if is_variable(name, value)}
    gone = sorted(name for name in before.keys() - after.keys() - again.keys() if name not in LEFT_OUT)
    if others := sorted(changed.keys() - stable.keys()):
        say(f"{KEY}: left out, as each run gives another value: {', '.join(map(ascii, others))}")
    if others := sorted(stable.keys() - sets.keys()):
        say(f"{KEY}: left out: variables with odd names, or with line breaks: {', '.join(map(ascii, others))}")
    return LockedActivation(scripts=tuple(scripts), set=dict(sorted(sets.items())), unset=tuple(gone))


def _absent(variables: Mapping[str, str], files: ImageFiles) -> dict[str, tuple[str, ...]]:
    """Of the paths that each variable names, those that the base does not have."""
    found = {}
    for name, value in variables.items():
        paths = dict.fromkeys(part for part in value.split(":") if part.startswith("/"))
        if lacking := tuple(path for path in paths if files.resolve(path) is None):
            found[name] = lacking
    return found


def _tell_absent(absent: Mapping[str, Sequence[str]], recipe: Recipe) -> None:
    """Which paths only the host's driver has, and which nobody is known to have."""
    profile = load_accelerator(recipe.model.accelerator.name, root=recipe.root)
    mounted = [path for file in profile.files for path in file.paths]
    for name, paths in absent.items():
        of_driver = [path for path in paths if any(_overlap(path, other) for other in mounted)]
        if of_driver:
            say(f"  {name}: {', '.join(of_driver)}: of the host's driver, not there where no card is")
        if others := [path for path in paths if path not in of_driver]:
            say(f"  {name}: {', '.join(others)}: not in the base")


def _overlap(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")
