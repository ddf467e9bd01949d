"""Work on a recipe's code: the folder, the container over it, and what runs there."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from portside.accelerators import Host
from portside.common.progress import live, say, step
from portside.develop.code import WEIGHTS, built_code, code_key
from portside.develop.container import code_mounts, develop_spec, ensure, leave, run_in
from portside.develop.follow import follow, start_over
from portside.develop.source_side import SourceSide
from portside.develop.watch import CodeLook, watch
from portside.develop.work_folder import (
    WorkFolder,
    WorkState,
    find_folder,
    give_back,
    ignored,
    lay_beside,
    lay_out,
    mount_points,
)
from portside.engines import Engine, RunSpec
from portside.errors import EngineError, RecipeError
from portside.plan.model import Plan
from portside.prepare import locked_plan
from portside.project import Project
from portside.recipe import Recipe
from portside.runtime import Intent, bring_weights, known_image, read_intent, weight_mounts
from portside.runtime.datasets import target_mounts
from portside.runtime.stopping import STOP_SECONDS

MIGRATED = "migrated"


@dataclass(frozen=True)
class Wanted:
    """What a person asks `develop` for, as on the command line.

    target: whose devices, data sets, ports and rights the container has; default: that of `watched`. command: a shell
    line to run; default: a shell. watched: the target that starts again when code changes. layout_only: start nothing.
    """

    target: str | None = None
    command: str | None = None
    watched: str | None = None
    devices: str | None = None
    folder: str | None = None
    network: str | None = None
    ports: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    name: str | None = None
    sources: bool = False
    reset: bool = False
    recreate: bool = False
    layout_only: bool = False
    stop_seconds: int | None = None


def develop(project: Project, name: str, wanted: Wanted, engine_of: Callable[[], Engine]) -> int:
    """Lay the code of a recipe out, or take up what lies there, and run something in its container; gives the exit
    code. Nothing that a person has edited is overwritten.

    Raises PortsideError before any work where something cannot be as it is asked for.
    """
    recipe = project.recipe(name)
    _check(recipe, wanted)
    intent = read_intent(
        recipe,
        target=wanted.watched or wanted.target,
        command=wanted.command,
        devices=wanted.devices,
        mounts=wanted.mounts,
        ports=wanted.ports,
        env=wanted.env,
        network=wanted.network,
        name=wanted.name,
        mounted_weights=True,
    )
    host = Host.here()
    engine = None if wanted.layout_only else _local(engine_of())
    if engine is not None and not host.terminal and wanted.command is None and wanted.watched is None:
        raise RecipeError("nothing to run, and no terminal for a shell", "Give --command, --watch, or --layout-only.")
    work = find_folder(project.root, name, wanted.folder)
    plan = locked_plan(project, recipe)
    state = take_up(work, plan, project, wanted.sources, reset=wanted.reset)
    if engine is None:
        say(f"The code of {name} is in {work.path}")
        return 0
    mounted = (*mount_points(recipe, state.sources), WEIGHTS)
    return _WorkSession(project, plan, work, intent, engine, mounted).start(wanted, host)


def _check(recipe: Recipe, wanted: Wanted) -> None:
    migration = recipe.model.migration
    if wanted.sources and (migration is None or migration.mode == "image"):
        why = (
            "nothing in it is migrated"
            if migration is None
            else "in image mode the converter of the image migrates, and that runs in a build alone"
        )
        raise RecipeError(
            f"'{recipe.name}' has no source side to edit: {why}",
            "Leave --sources out, and edit the migrated code." if migration else "Leave --sources out.",
        )
    if wanted.watched and wanted.command:
        raise RecipeError("--watch runs its target's command", "Leave out --command or --watch.")
    if wanted.watched and wanted.target and wanted.watched != wanted.target:
        raise RecipeError("--watch and --target name two targets", "Say --watch alone: the container is that target's.")


def _local(engine: Engine) -> Engine:
    """Raise EngineError for an engine on another machine, which does not see the folder."""
    if engine.free_bytes() is None:
        raise EngineError(
            f"{engine.name} is on another machine, which cannot mount a folder of this one",
            "Work on that machine, or take an engine of this one (--engine); --layout-only lays the code out here.",
        )
    return engine


def take_up(work: WorkFolder, plan: Plan, project: Project, sources: bool, *, reset: bool = False) -> WorkState:
    """The working folder, laid out if it is not there; what the recipe has had of changes since comes in.

    Raises BuildError where the recipe is not built, RecipeError where its changes and a person's are of the same lines.
    """
    recipe, key = plan.recipe, code_key(plan)
    if not work.exists():
        with live(), step(f"Laying out the code of {recipe.name}"):
            code, installed = built_code(plan, project.store)
            lay_out(work, recipe, code, installed, key, sources)
        return work.state()
    with work.locked():
        state = work.state()
        wider = sources and not state.sources
        if not reset and not wider and state.key == key:
            return state
        code, installed = built_code(plan, project.store)
        sources = sources or (state.sources and not reset)
        lay_beside(work, recipe, code, sources)
        work.repository.ignore(ignored(recipe, sources))
        if reset:
            start_over(work, recipe, code, installed, key, sources)
        else:
            follow(work, recipe, code, installed, key, sources)
        return work.state()


@dataclass(frozen=True)
class _WorkSession:
    """A working folder with what runs over it. mounted: the folders that other things are mounted over."""

    project: Project
    plan: Plan
    work: WorkFolder
    intent: Intent
    engine: Engine
    mounted: tuple[str, ...]

    def start(self, wanted: Wanted, host: Host) -> int:
        recipe, project = self.plan.recipe, self.project
        if recipe.model.weights:
            bring_weights(recipe, self.plan.lock, project.store, project.config)
        weights = weight_mounts(recipe, self.plan.lock, project.store)
        data = target_mounts(project, recipe, wanted.watched or wanted.target, bring=True)
        spec = develop_spec(self.intent, host, code_mounts(self.work, recipe, self.work.state()), weights, data)
        known = known_image(recipe.name, MIGRATED, project.store, lambda: self.plan)
        known.bring(project.store, self.engine)
        if (found := self.engine.image_id(spec.image)) is not None:
            known.compare(spec.image, found)
        container = ensure(self.engine, spec, recreate=wanted.recreate or wanted.reset)
        _note(self.work, self.intent, wanted, spec)
        try:
            with self.work.session():
                return self._run(container, wanted, host.terminal)
        finally:
            give_back(self.work.path)
            leave(self.engine, container, self.work, recipe.workspace, self.mounted)

    def _run(self, container: str, wanted: Wanted, terminal: bool) -> int:
        recipe = self.plan.recipe
        workdir = self.intent.workdir or recipe.model.run.workdir or recipe.workspace
        side = None
        if self.work.state().sources:
            side = SourceSide(self.work, recipe)
        if wanted.watched is None:
            with side.following() if side is not None else nullcontext():
                return run_in(
                    self.engine, container, wanted.command, terminal=terminal, env=self.intent.env, workdir=workdir
                )
        assert self.intent.command is not None
        say(f"Watching {self.work.path}; Ctrl-C ends it")
        return watch(
            self.engine,
            container,
            self.intent.command,
            CodeLook(self.work.path, self.work.repository.known_paths(), self.mounted),
            env=self.intent.env,
            workdir=workdir,
            stop_seconds=STOP_SECONDS if wanted.stop_seconds is None else wanted.stop_seconds,
            saved=side.saved if side is not None else lambda paths: [],
        )


def _note(work: WorkFolder, intent: Intent, wanted: Wanted, spec: RunSpec) -> None:
    """What `capture` will want to know: the networks that were given, and what was run."""
    with work.locked():
        state = work.state()
        networks = sorted({*state.networks, intent.network} - {"none"})
        commands = list(state.commands)
        if wanted.command is not None or wanted.watched is not None:
            said = dict(variable.split("=", 1) for variable in wanted.env)
            target = wanted.watched or wanted.target
            row = {"command": intent.command, "env": said, "workdir": intent.workdir, "target": target}
            commands = [*commands, row][-20:]
        work.note(networks=networks, commands=commands, container=spec.name, image=spec.image)
    if intent.network != "none":
        say(f"The container has the network {intent.network}: a build has none, so what comes from there is not kept")
