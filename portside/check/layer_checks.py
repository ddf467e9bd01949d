"""Check layers: testinfra in a container of each, against what the lock says must be there."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from portside.check.broker import SOCKET, broker
from portside.check.enclosed import Enclosure
from portside.common.activating import program
from portside.common.process import has_ended, this_process
from portside.common.progress import live, say
from portside.common.tree import Entry
from portside.engines import Engine, Runner, RunSpec
from portside.engines.base import PROCESS_LABEL
from portside.errors import CheckError, EngineError
from portside.image.built import load_image, stored_image
from portside.image.config import command, environment, image_name, labels, workdir
from portside.inputs.spool import Spool
from portside.layers.index import Index
from portside.layers.layer import Layer
from portside.layers.writer import read_layer
from portside.patches.steps import Copy
from portside.plan.environment import PATH, building
from portside.plan.model import Install, Plan
from portside.plan.states import blob_of
from portside.recipe import Recipe
from portside.recipe.models import LAYERS
from portside.store import Store
from portside.trees import parts as data

_METADATA = re.compile(r"(?P<name>.+?)(-[0-9][^-]*(-py[0-9.]+)?)?\.(dist-info|egg-info|egg-link)")

_TOKEN = "portside-5b0c3d0e-activate"
"""What stands around the environments that are read."""

TESTS = Path(__file__).with_name("layers")

BROKER = "PORTSIDE_BROKER"
"""The variable that tells the checks where the broker listens (layers/broker_backend.py)."""

_GIVEN = "/run/portside"
"""Where enclosed checks see what they are given."""


def check(plan: Plan, store: Store, engine: Engine, names: Sequence[str] | None = None) -> None:
    """Run the checks of the named layers (all of them by default), two layers at a time, without a network.

    Images that the engine lacks are loaded. The recipe's own checks run with the layer that they name, enclosed where
    this machine allows it; whoever calls this lets them run (`portside.check.trust`). Raises CheckError if a check
    fails.
    """
    chosen = [layer.name for layer in plan.layers if names is None or layer.name in names]
    with live():
        for name in chosen:
            _need_loaded(plan, store, engine, name)
    remove_left(engine)
    failed = []
    encloses = bool(plan.recipe.model.checks_of(*chosen)) and _may_enclose(plan.recipe, store)
    with ThreadPoolExecutor(2) as pool, _Running() as running:
        jobs = [pool.submit(_check_layer, plan, store, engine, name, running, encloses) for name in chosen]
        for name, job in zip(chosen, jobs, strict=True):
            code, output = job.result()
            say(f"--- {name}\n{output.rstrip()}")
            if code:
                failed.append(name)
    if failed:
        raise CheckError(
            f"checks of {plan.recipe.name} failed in: {', '.join(failed)}",
            "The output above names every difference between the image and its lock.",
        )


class _Running:
    """The runs of pytest at this moment. Where the block fails, as by a signal, they end and no further one begins, so
    that their containers go."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[str]] = []
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> "_Running":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            with self._lock:
                self._is_over = True
                for child in self._children:
                    child.terminate()

    def run(self, argv: Sequence[str], **options: Any) -> tuple[int, str]:
        """Exit code, and what was written to stdout and stderr."""
        with self._lock:
            if self._is_over:
                return 1, ""
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                **options,
            )
            self._children.append(child)
        output, _ = child.communicate()
        return child.returncode, output


def remove_left(engine: Runner) -> None:
    """Remove the containers of checks that were killed, and name them."""
    for container in engine.containers():
        if has_ended(container.labels.get(PROCESS_LABEL, "")):
            say(f"removing the container {container.id[:12]} of a check that was killed")
            engine.remove_container(container.id)


def _need_loaded(plan: Plan, store: Store, engine: Engine, name: str) -> None:
    """Make the engine have a layer's image as it was built. Below the finished image an older one may have the name
    still, for a build does not load them; the finished one that is another is not what was built."""
    image = stored_image(plan, store, name)
    tag = image_name(plan.recipe.name, name)
    there = engine.image_id(tag)
    if there == image.image_id:
        return
    if there is not None and name == LAYERS[-1]:
        raise EngineError(
            f"the engine does not have {tag} as it was built", f"Load it: invoke build --recipe {plan.recipe.name}"
        )
    load_image(plan, name, image, store, engine)


def _check_layer(
    plan: Plan, store: Store, engine: Runner, name: str, running: _Running, encloses: bool
) -> tuple[int, str]:
    """Exit code and output of Portside's own checks of a layer, and of the recipe's. encloses: see `_may_enclose`."""
    own = [plan.recipe.file(check) for check in plan.recipe.model.checks_of(name)]
    with _container(plan, engine, name) as container, store.workspace() as folder:
        given = folder / "given"
        given.mkdir()
        expected = given / "expected.json"
        expected.write_text(json.dumps(expectations(plan, store, name) | {"engine": engine.name}), encoding="utf-8")
        host = f"{engine.name}://{container}"
        argv = _pytest(host, expected, TESTS, TESTS, own_tests(name))
        code, output = running.run(argv, env=_surroundings(os.environ), cwd=TESTS)
        if not own:
            return code, output
        with broker(engine.name, container, given):
            enclosure = _enclosure(plan.recipe, folder)
            seen = Path(enclosure.workdir) if encloses else given
            variables = _of_python() | {BROKER: str(seen / SOCKET)}
            argv = _pytest(host, seen / "expected.json", plan.recipe.path.parents[1], _top(plan.recipe, own[0]), own)
            if encloses:
                own_code, own_output = running.run(enclosure.command(argv, variables))
            else:
                own_code, own_output = running.run(argv, env=_surroundings(os.environ) | variables, cwd=given)
    return code or own_code, f"{output.rstrip()}\n{own_output}"


def own_tests(name: str) -> list[Path]:
    """Portside's checks of a layer."""
    return [TESTS / f"test_{name}.py", TESTS / "test_image.py"]


def _top(recipe: Recipe, file: Path) -> Path:
    """The folder of the recipe, or of one that it extends, that has a file."""
    return next(folder for folder in recipe.folders if file.is_relative_to(folder))


def _pytest(host: str, expected: Path, root: Path, within: Path, tests: Sequence[Path]) -> list[str]:
    """A pytest run of its own: no settings of this project, a recipe or a person mix in. within: the
    folder in and below which a conftest.py counts."""
    options = {
        "--rootdir": root,
        "-c": os.devnull,
        "--confcutdir": within,
        "-p": "conftest_layers",
        "--hosts": host,
        "--expected": expected,
    }
    words = [str(word) for option in options.items() for word in option]
    # Nothing is imported from the folder in which it happens to start.
    start = "import sys; sys.path.pop(0); import pytest; sys.exit(pytest.main())"
    return [sys.executable, "-c", start, "-q", "-p", "no:cacheprovider", *words, *map(str, tests)]


def _may_enclose(recipe: Recipe, store: Store) -> bool:
    """Whether this machine lets the recipe's own checks run where they reach nothing but their container; says it if
    not."""
    with store.workspace() as folder:
        (folder / "given").mkdir()
        why = _enclosure(recipe, folder).refused()
    if why is not None:
        say(
            f"The checks of {recipe.name} run with your rights, and with your network: this machine does not let them "
            f"be enclosed ({why})"
        )
    return why is None


def _enclosure(recipe: Recipe, folder: Path) -> Enclosure:
    """folder: of one run, with what the checks are given in `given`."""
    root = folder / "root"
    root.mkdir()
    shown = {str(own): own for own in recipe.folders if own.is_dir()}
    return Enclosure({**shown, str(TESTS): TESTS, _GIVEN: folder / "given"}, root, _GIVEN)


def _surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for the checks' pytest: without a person's settings of pytest and Python, with UTF-8."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    return kept | _of_python()


def _of_python() -> dict[str, str]:
    return {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}


@contextmanager
def _container(plan: Plan, engine: Runner, name: str) -> Iterator[str]:
    image = image_name(plan.recipe.name, name)
    mine = {PROCESS_LABEL: this_process()}
    # As a build has them, where the image sets none of that name: a check imports what an install step does.
    own = environment(plan)
    without_card = {key: value for key, value in building(plan.recipe) if key not in own}
    spec = RunSpec(image, ("sleep", "infinity"), entrypoint=(), detach=True, labels=mine, env=without_card)
    container = engine.start(spec)
    try:
        yield container
    finally:
        engine.remove_container(container)


def expectations(plan: Plan, store: Store, name: str) -> dict[str, Any]:
    """What the checks of a layer compare a container with, as plain JSON."""
    image = stored_image(plan, store, name)
    result: dict[str, Any] = {
        "image": {
            "name": image_name(plan.recipe.name, name),
            "diff_ids": [f"sha256:{blob.digest}" for blob in image.layers],
            "created": json.loads(image.config)["created"],
            "history": [row["created_by"] for row in json.loads(image.config)["history"]],
            "env": [f"{key}={value}" for key, value in sorted(environment(plan).items())],
            "labels": labels(plan, name),
            "command": command(plan),
            "workdir": workdir(plan, name),
        },
        "workspace": plan.recipe.workspace,
    }
    return result | _EXPECTATIONS[name](plan, store)


def _env(plan: Plan, store: Store) -> dict[str, Any]:
    lock = plan.lock
    python = lock.env.python
    packages = [item for item in lock.inputs() if item.pinned]
    wheels = {item.name: item.version for item in packages if item.kind in ("wheel", "sdist")}
    return {
        "debs": {item.name: item.version for item in packages if item.kind == "deb"},
        "there": {n: v for s in lock.env.sets if s.suites for n, v in s.suites.there.items()},
        "wheels": wheels if python else None,
        "given": python.there if python else {},
        "interpreter": _interpreter(plan),
        "activation": _activation(plan),
        "foreign": lock.base.distribution is None,
        "files": [_row(entry) for entry in plan.recipe.file_tree(plan.recipe.model.env.files)],
    }


def _interpreter(plan: Plan) -> dict[str, Any] | None:
    """The interpreter of the base that the recipe names, its version, where its wheels are, and what else it has; None
    where it names none."""
    python = plan.lock.env.python
    its = python.interpreter if python else None
    if python is None or its is None:
        return None
    there = {name: version for name, version in python.there.items() if name in its.packages}
    return {"path": its.path, "version": its.version, "site": its.site, "packages": there}


def _activation(plan: Plan) -> dict[str, Any] | None:
    """What the base's scripts set when they were run for the lock, and how to run them again; None without any."""
    packages = plan.lock.env.of(plan.recipe.stages[-1].recipe)
    if packages is None or packages.activation is None:
        return None
    found = packages.activation
    return {
        "program": program(found.scripts, _TOKEN),
        "token": _TOKEN,
        "before": {"PATH": PATH, **plan.lock.base.env},
        "set": found.set,
        "unset": list(found.unset),
    }


def _sources(plan: Plan, store: Store) -> dict[str, Any]:
    with store.workspace() as folder, Spool(folder) as spool:
        trees = {n: data.source_tree(source, store, spool) for n, source in sorted(plan.lock.sources.items())}
    return {"trees": {f"{plan.recipe.workspace}/{n}": [_row(entry) for entry in tree] for n, tree in trees.items()}}


def _weights(plan: Plan, store: Store) -> dict[str, Any]:
    return {
        "weights": {
            f"{plan.recipe.workspace}/weights/{item.name}": [item.size, item.sha256]
            for item in plan.lock.inputs()
            if item.kind in ("weights", "member")
        }
    }


def _migrated(plan: Plan, store: Store) -> dict[str, Any]:
    """The trees as they were written to the layer, and of their files as the install steps left those that they
    changed: setuptools writes an sdist's egg-info anew, each version in words of its own."""
    below = plan.recipe.workspace.lstrip("/") + "/"
    parts = plan.layer("migrated").parts
    layers = [(p, read_layer(store.layout.tar(blob.digest))) for p in parts if (blob := blob_of(p, store))]
    written = Index.of(layer for p, layer in layers if not isinstance(p.of, Install))
    installed = Index.of(layer for _, layer in layers)
    kept = {e.path: (e, now) for e in written if e.path.startswith(below) and (now := installed.get(e.path))}
    names = {name for p, layer in layers if isinstance(p.of, Install) for name in distributions(layer)}
    python = plan.lock.env.python
    result = {
        "rows": [_row(now, below) for _, now in kept.values()],
        "brought": sorted(names),
        "migration": None,
        "given": python.given if python else {},
        "interpreter": _interpreter(plan),
    }
    migration = plan.recipe.model.migration
    if migration is None:
        return result
    ruleset = plan.recipe.ruleset
    words = ruleset.words
    if migration.mode == "vendor" and ruleset.vendor is not None:
        pairs = (*ruleset.vendor.replace, *(ruleset.vendor.strict if migration.strict else ()))
        words = tuple(before for before, _ in pairs)
    changed = {path.removeprefix(below) for path, (was, now) in kept.items() if was.sha256 != now.sha256}
    brought = {file.to for file in plan.recipe.expanded(plan.recipe.model.files)}
    brought |= {step.to for step in plan.recipe.model.patches if isinstance(step, Copy)}
    result["migration"] = {
        "trees": {name: f"{name}{ruleset.suffix}" for name in migration.sources},
        "words": list(words),
        # What the migration made of these stands there no more: the recipe or an install step put something else.
        "replaced": sorted(changed | brought),
    }
    return result


_EXPECTATIONS: Mapping[str, Callable[[Plan, Store], dict[str, Any]]] = {
    "env": _env,
    "sources": _sources,
    "migrated": _migrated,
    "weights": _weights,
}
"""By layer: what is expected of it alone."""


def distributions(layer: Layer) -> set[str]:
    """The normalised names of the Python packages that a layer brings, changes or removes, by where their metadata
    stands: NAME-VERSION.dist-info/, NAME[-VERSION].egg-info (a file or folder) or NAME.egg-link."""
    names: set[str] = set()
    for path in (*(entry.path for entry in layer.entries), *layer.whiteouts):
        for part in path.split("/"):
            if found := _METADATA.fullmatch(part):
                names.add(canonicalize_name(found["name"]))
    return names


def _row(entry: Entry, below: str = "") -> list[Any]:
    """[path, kind, mode, sha256 or link target]; one of several hard links is a file like any other."""
    kind = "file" if entry.kind == "hardlink" else entry.kind
    return [entry.path.removeprefix(below), kind, entry.mode, entry.link if kind == "symlink" else entry.sha256]
