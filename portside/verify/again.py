"""The second build, in a process of its own: `python -m portside.verify.again JOB`.

JOB is a JSON file: root, recipe, home (a scratch store with the inputs), names (the home of the store that stays),
engine, conditions, expected (diff IDs by part key), proven (keys of parts that need not be made) and result, the file
to write: diff IDs by part key, or the error.
"""

import json
import sys
from pathlib import Path
from typing import Any

from portside.build.many import make_again
from portside.common.progress import live, step
from portside.common.values import DiffID, Key
from portside.errors import PortsideError
from portside.fetch.fetcher import Fetcher
from portside.inputs.debian.base_layer import make_base
from portside.inputs.spool import Spool
from portside.layers.writer import write_layer
from portside.plan.model import Part, Plan
from portside.plan.states import blob_of
from portside.prepare import locked_plan
from portside.project import Project
from portside.store import Store
from portside.trees.parts import part_layer
from portside.verify.conditions import Conditions, put_reversed


def main(job_file: Path) -> None:
    job = json.loads(job_file.read_bytes())
    Conditions(**job["conditions"]).apply()
    result: dict[str, Any]
    try:
        result = {"diff_ids": _build(job)}
    except PortsideError as error:
        error.name_recipe(job["recipe"])
        result = {"error": [error.exit_code, error.problem, error.solution]}
    Path(job["result"]).write_text(json.dumps(result), encoding="utf-8")


def _build(job: dict[str, Any]) -> dict[Key, DiffID]:
    project = Project(Path(job["root"]))
    store = Store(Path(job["home"]))
    plan = locked_plan(project, project.recipe(job["recipe"]))
    bases = [part for part in plan.build_order() if part.kind == "base"]
    found: dict[Key, DiffID] = {part.key: _base(part, plan, store) for part in bases}
    if any(found[part.key] != job["expected"][part.key] for part in bases):
        return found  # nothing can be built on a base that is another
    # No folder of this machine is looked into: only what the first build had, by its hash.
    fetcher = Fetcher(store, project.config.model_copy(update={"folders": ()}), offline=True)
    proven = set(job["proven"])
    found |= {part.key: DiffID(job["expected"][part.key]) for part in plan.build_order() if part.key in proven}
    lower = [part for part in plan.build_order() if part.layer != "weights" and part.key not in found]
    blobs = make_again(
        plan,
        store,
        fetcher,
        project.engine(job["engine"]),
        lower,
        put_context=put_reversed,
        names=Path(job["names"]),
    )
    found |= {part.key: blobs[part.key].digest for part in lower}
    with live():
        weights = [part for part in plan.layer("weights").parts if part.key not in proven]
        found |= {part.key: _weights(part, plan, store, job["expected"]) for part in weights}
    return found


def _base(part: Part, plan: Plan, store: Store) -> DiffID:
    """The diff ID of the base made again, or of the one that was taken over where it cannot be made again."""
    taken, base = blob_of(part, store), plan.lock.base.distribution
    if taken is not None:
        return taken.digest
    assert base is not None, part.name
    return make_base(base.suite, base.architecture, base.epoch, base.debs, store).digest


def _weights(part: Part, plan: Plan, store: Store, expected: dict[str, str]) -> DiffID:
    """The part's diff ID; its blob is written only where it is not the expected one: weights are large."""
    with step(f"{part.layer}/{part.name}"), store.workspace() as folder, Spool(folder) as spool:
        layer = part_layer(plan, part, store, spool, {})
        written = write_layer(layer, None)
        if written.diff_id != expected.get(part.key):
            with store.layout.new_blob() as new:
                new.commit(write_layer(layer, new.stream).diff_id)
    return written.diff_id


if __name__ == "__main__":
    main(Path(sys.argv[1]))
