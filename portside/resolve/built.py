"""The packages that are built in the env layer: which source distributions, and with what."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from portside.common.parallel import run_all
from portside.common.progress import say
from portside.common.tree import Tree
from portside.fetch.fetcher import JOBS, Fetcher
from portside.inputs import python
from portside.inputs.bringer import artefact_date
from portside.inputs.python import Asking, Building
from portside.inputs.spool import Spool
from portside.lock.packages import Artefact, LockedBuild, PackageSet
from portside.recipe.python_packages import Python

Update = Collection[str] | Literal["all"]


def find(wanted: Python, before: LockedBuild | None, update: Update, fetcher: Fetcher) -> Building:
    """The source distributions, which are brought into the store. before: as they are locked so far."""
    store = fetcher.store

    def bring(file: Artefact) -> Path:
        fetcher.artefact(file, wanted)
        return store.inputs.require(file.sha256, file.file).path

    with store.workspace() as folder, Spool(folder) as spool:
        kept = before.sdists if before is not None else ()
        made = python.building(wanted, kept, update, fetcher.config, bring, spool)
    for line in made.unknown:
        say(f"  {line}")
    return made


def locked(
    wanted: Python,
    made: Building,
    of: Asking,
    before: LockedBuild | None,
    update: Update,
    installed: Mapping[str, str],
    fetcher: Fetcher,
) -> LockedBuild | None:
    """What is built, with the wheels that building needs beside what is installed by then."""
    if not made.sdists:
        return None
    store = fetcher.store
    tools = python.resolve_wheels(
        python.tools_asked(made, of),
        keep=before.tools if before is not None else (),
        update=update,
        installed=installed,
        config=fetcher.config,
        store=store,
        bound=python.bindings(wanted, fetcher.config),
    )
    run_all([partial(fetcher.artefact, tool, wanted) for tool in tools], JOBS)
    asked = python.who_asks(python.tools_asked(made, of), tools, store)
    tools = [tool for tool in tools if tool.name in asked]
    epoch = max(artefact_date(sdist, store) for sdist in made.sdists)
    return LockedBuild(epoch=epoch, sdists=made.sdists, tools=tuple(tools))


def installer(of: Asking, old: PackageSet | None, update: Update, target: Mapping[str, Any]) -> Artefact:
    """The pip that installs wheels where the base has none that can."""
    before = old.python.installer if old and old.python else None
    pip = python.asking(Python(version=of.version, platform=of.platform, requirements=("pip",)), lambda _: Tree())
    keep = [before] if before else []
    [found] = python.resolve_wheels(pip, keep=keep, update=update, **{**target, "installed": {}, "bound": {}})
    return found
