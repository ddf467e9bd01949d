"""The packages that are built in the env layer: which source distributions, and with what."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from portside.common.parallel import run_all
from portside.common.progress import say
from portside.fetch.fetcher import JOBS, Fetcher
from portside.inputs import python
from portside.inputs.bringer import artefact_date
from portside.inputs.python import Asking, Building
from portside.inputs.spool import Spool
from portside.lock.packages import Artefact, LockedBuild
from portside.recipe.python_packages import Python

Update = Collection[str] | Literal["all"]


def find(wanted: Python, before: LockedBuild | None, update: Update, fetcher: Fetcher) -> Building:
    """The source distributions, which are brought into the store. before: as they are locked so far."""
    store = fetcher.store

    def bring(file: Artefact) -> Path:
        fetcher.artefact(file)
        return store.inputs.require(file.sha256, file.file).path

    with store.workspace() as folder, Spool(folder) as spool:
        kept = before.sdists if before is not None else ()
        made = python.building(wanted, kept, update, fetcher.config, bring, spool)
    for line in made.unknown:
        say(f"  {line}")
    return made


def locked(
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
    )
    run_all([partial(fetcher.artefact, tool) for tool in tools], JOBS)
    epoch = max(artefact_date(sdist, store) for sdist in made.sdists)
    return LockedBuild(epoch=epoch, sdists=made.sdists, tools=tuple(tools))
