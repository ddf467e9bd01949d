"""The Debian packages of a stage: on a base that is made of .debs, and on one of somebody else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from portside.fetch.fetcher import Fetcher
from portside.inputs.bringer import debs_date
from portside.inputs.debian.repositories import AptExtras, archive, archive_roots
from portside.inputs.debian.resolve import Update, resolve_added, resolve_packages
from portside.inputs.debian.system import read_system
from portside.layers.image_files import ImageFiles
from portside.lock.bases import LockedBase
from portside.lock.packages import Deb, DebianSuites, LockedEnv, PackageSet
from portside.recipe.stages import Stage


def debian_packages(
    stage: Stage,
    base: LockedBase,
    below: LockedEnv,
    old: PackageSet | None,
    files: Callable[[], ImageFiles],
    key: Callable[[str], Path],
    update: Update,
    fetcher: Fetcher,
) -> tuple[tuple[Deb, ...], DebianSuites | None, int]:
    """The .debs, which are brought into the store; where they come from, on somebody else's base; their newest time.

    below: what the lower stages add. old: what was locked for this one. files: of the base. key: the keyring that the
    recipe names so. Raises RecipeError for a
    base that packages cannot be added to; else as what resolves them.
    """
    if not stage.debian:
        return (), None, 0
    keep = [deb for deb in (old.debs if old else ()) if deb.architecture in (base.architecture, "all")]
    roots = archive_roots(stage.archives, fetcher.config)
    archives = (archive(name, asked, roots[name], key(asked.key)) for name, asked in stage.archives.items())
    beside = AptExtras(stage.components, tuple(archives))
    kept: tuple[Any, ...] = (keep, update, fetcher.config, fetcher.store, beside)
    if (distribution := base.distribution) is not None:
        lower, where = (*base.debs, *below.debs), (distribution.suite, base.architecture)
        debs = resolve_packages(stage.debian, lower, *where, *kept)
        return tuple(debs), None, debs_date(debs, distribution, fetcher, roots)
    system = read_system(files(), base.architecture)
    newest = {deb.name: deb for deb in below.debs}  # a higher set may bring a newer one
    debs, suites = resolve_added(stage.debian, system, list(newest.values()), *kept)
    return tuple(debs), suites, debs_date(debs, suites, fetcher, roots)
