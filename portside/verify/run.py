"""The whole of `verify`: the first build (the store's), a second one under other conditions, the comparison."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import portside
from portside.adopt.adopt import confirm
from portside.build.many import build
from portside.common.outputs import output
from portside.common.parallel import run_all
from portside.common.progress import live, say, step
from portside.common.values import DiffID, ImageID, Key, Size
from portside.errors import KINDS, BuildError, InputError
from portside.fetch.fetcher import JOBS, Fetcher, fetch
from portside.image.config import make_image
from portside.lock.bases import DebianBase
from portside.plan.model import Part, Plan
from portside.plan.states import blob_of
from portside.prepare import lock_pin_and_plan
from portside.project import Project
from portside.store import Store
from portside.store.layout import Blob
from portside.verify.cause import Window
from portside.verify.compare import differences
from portside.verify.conditions import NOT_VARIED, other_conditions
from portside.verify.scratch import lend, scratch_store
from portside.verify.traces import traces
from portside.verify.verdict import Evidence, PartVerdict, Verdict

STOP_SECONDS = 30
"""How long an interrupted second build has to remove what it left in the engine."""
SLACK = 2
"""Seconds that the engine's clock may be off ours."""


def verify(
    project: Project,
    recipe: str,
    *,
    engine: str | None = None,
    offline: bool = False,
    keep: Path | None = None,
    proven: dict[Key, PartVerdict] | None = None,
) -> Verdict:
    """Build every layer of a recipe again from its inputs and compare with what the store has.

    What the store does not have yet is built first, as `build` does. keep: a folder that gets both tars of every part
    that differs, as LAYER-NAME.1.tar and .2.tar. proven: by key, parts that were just built again for another recipe,
    and were the same: they are not built a third time; it gets this recipe's. Raises what building raises.
    """
    proven = {} if proven is None else proven
    store = project.store
    running = project.engine(engine)
    plan = lock_pin_and_plan(project, project.recipe(recipe), offline=offline)
    fetcher = Fetcher(project.store, project.config, offline)
    with live():
        fetch(plan, fetcher)
        if (base := plan.lock.base.distribution) is not None and not offline:
            _bring_debs(base, fetcher)
    if any(blob_of(part, store) is None for part in plan.stack()):
        say(f"{recipe} is not built yet: this is the first of two builds")
        build(plan, store, fetcher, running)
    first: dict[Key, Blob] = {part.key: _blob(part, store) for part in plan.stack()}
    with step("Reading what the store has"):
        for blob in first.values():
            store.layout.check(blob)  # nothing could be compared with wrong bytes
    start = int(time.time()) - SLACK
    with store.workspace() as folder:
        bases = [first[part.key].digest for part in plan.stack() if part.kind == "base"]
        scratch, base_made = scratch_store(plan.lock, store, folder / "home", bases)
        known = [part for part in plan.stack() if part.key in proven]
        for part in known:
            lend(part, first[part.key], store, scratch)
        conditions = other_conditions(os.environ)
        job = {
            "root": str(project.root.absolute()),
            "recipe": recipe,
            "home": str(scratch.home),
            "names": str(store.home),
            "engine": running.name,
            "conditions": conditions.as_json(),
            "expected": {key: blob.digest for key, blob in first.items()},
            "proven": [part.key for part in known],
            "result": str(folder / "result.json"),
        }
        with step(f"Building {recipe} once more, under other conditions"):
            second = _run(job, folder, conditions.environment(os.environ))
        builds = Window(start, int(time.time()) + SLACK)
        with step("Comparing"):
            parts = _compare(plan, first, second, store, scratch, builds, base_made, proven)
        proven |= {part.key: row for part, row in zip(plan.stack(), parts, strict=True) if row.reproducible}
        for part in plan.stack():
            if second.get(part.key) == first[part.key].digest:
                confirm(part, store)
        if keep is not None:
            _keep(parts, store, scratch, keep)
    image_ids = make_image(plan, "weights", first).image_id, _second_image(plan, second, first)
    return Verdict(recipe, parts, image_ids, tuple(conditions.describe()), NOT_VARIED)


def _bring_debs(base: DebianBase, fetcher: Fetcher) -> None:
    """What the base is made of: a store that got the base in a bundle, or pulled it, does not have it yet."""
    try:
        run_all([partial(fetcher.deb, deb, base) for deb in base.debs], JOBS)
    except InputError as error:
        say(f"The base cannot be made again: {error.problem}")


def _blob(part: Part, store: Store) -> Blob:
    blob = blob_of(part, store)
    assert blob is not None, part.name
    return blob


def _run(job: Mapping[str, Any], folder: Path, environment: dict[str, str]) -> dict[Key, DiffID]:
    """The second build in a process of its own; gives diff IDs by part key. Raises the errors that it met."""
    job_file = folder / "job.json"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    package = str(Path(portside.__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, environment.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "portside.verify.again", str(job_file)]
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr) as child:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            try:
                child.wait(STOP_SECONDS)  # Ctrl-C has reached it too
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    result_file = Path(job["result"])
    if code or not result_file.exists():
        raise BuildError(f"the second build ended with exit code {code} and no result", "Its output above says why.")
    result = json.loads(result_file.read_bytes())
    if "error" in result:
        code, problem, solution = result["error"]
        raise KINDS.get(code, BuildError)(f"the second build failed: {problem}", solution)
    return {Key(key): DiffID(diff_id) for key, diff_id in result["diff_ids"].items()}


def _compare(
    plan: Plan,
    first: Mapping[Key, Blob],
    second: Mapping[Key, DiffID],
    store: Store,
    scratch: Store,
    builds: Window,
    base_made: bool,
    proven: Mapping[Key, PartVerdict],
) -> tuple[PartVerdict, ...]:
    verdicts = []
    differing = {key for key, diff_id in second.items() if diff_id != first[key].digest}
    for part in plan.stack():
        if part.key in proven:
            verdicts.append(proven[part.key])
            continue
        old, new = first[part.key].digest, second.get(part.key)
        instructions = str(part.manifest.get("instructions", ""))
        found: list[Evidence] = []
        note = None
        if part.kind == "base" and not base_made:
            note = "taken as it is: the store does not have the .debs that it is made of"
            if not plan.lock.base.made_here:
                note = "taken as it is: somebody else made it, and its diff ID is the locked one"
        if new is None:
            note = "not built again: the base is another"
        elif new != old:
            window = Window(plan.lock.epoch, builds.last)
            found = differences(store.layout.tar(old), scratch.layout.tar(new), instructions, window)
            if part.kind == "run" and any(below.key in differing for below in plan.below(part)):
                note = "it was built on top of a layer that differs, which may be why"
        if new is not None and part.kind == "run":
            known = {finding.path for finding in found}
            seen = traces(scratch.layout.blob(new), instructions, builds, plan.lock.epoch)
            found += [finding for finding in seen if finding.path not in known]
        verdicts.append(PartVerdict(part.layer, part.name, part.kind, (old, new), tuple(found), note))
    return tuple(verdicts)


def _second_image(plan: Plan, second: Mapping[Key, DiffID], first: Mapping[Key, Blob]) -> ImageID | None:
    """The image ID of the second build. A config names diff IDs, no sizes."""
    if len(second) < len(first):
        return None
    return make_image(plan, "weights", {key: Blob(digest, Size(0)) for key, digest in second.items()}).image_id


def _keep(parts: tuple[PartVerdict, ...], store: Store, scratch: Store, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        old, new = part.diff_ids
        if new is not None and new != old:
            name = f"{part.layer}-{part.name.replace('/', '-')}"
            for number, tar in ((1, store.layout.tar(old)), (2, scratch.layout.tar(new))):
                with tar.content.open() as stream, output(folder / f"{name}.{number}.tar", None) as out:
                    shutil.copyfileobj(stream, out)
