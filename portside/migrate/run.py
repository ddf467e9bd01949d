"""The one entry: every file of a tree through its converter, then links and report."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from portside.errors import RecipeError
from portside.migrate import vendor
from portside.migrate.links import resolve
from portside.migrate.report.model import FileReport, Report
from portside.migrate.rulesets.model import Ruleset
from portside.tree import Entry, Tree

Mode = Literal["precise", "vendor"]

Convert = Callable[[str, bytes], tuple[bytes, FileReport | None]]
"""A file's path and bytes in; its migrated bytes and its report, if there is anything to say, out."""


@dataclass(frozen=True, slots=True)
class Migration:
    """tree: the same paths as the source; an entry whose bytes did not change is the very same object."""

    tree: Tree
    report: Report


def migrate(tree: Tree, ruleset: Ruleset, mode: Mode, *, strict: bool = False, jobs: int | None = None) -> Migration:
    """Migrate a tree. strict: the vendor's `-s`. jobs: processes to use; None: as many as are worth it.

    Raises RecipeError where the ruleset has no such mode.
    """
    report = Report(mode, strict, ruleset.name, ruleset.suffix, ruleset.digest)
    convert = _vendor(ruleset, strict, report)
    out = tree.copy()
    for entry in tree:
        if entry.kind == "file":
            report.total_files += 1
            report.python_files += entry.path.endswith(".py")
            if entry.path.endswith(".py"):
                data = entry.read()
                new, found = convert(entry.path, data)
                if found is not None:
                    report.files[entry.path] = found
                if new != data:
                    out.write(entry.path, new)
    _materialise_links(tree, out, convert)
    return Migration(out, report)


def _vendor(ruleset: Ruleset, strict: bool, report: Report) -> Convert:
    rules = ruleset.vendor
    if rules is None:
        raise RecipeError(f"the ruleset {ruleset.name} has no vendor mode", "Use precise mode.")
    pairs = [*rules.replace, *(rules.strict if strict else ())]
    report.rules = dict(vendor.RULES)
    return partial(vendor.migrate_text, pairs=pairs, module=rules.module)


def _materialise_links(tree: Tree, out: Tree, convert: Convert) -> None:
    """Links stay links, unless the file behind one would be migrated otherwise under the link's own name.

    A converter looks at names: behind `tool.py -> tool` it would migrate, behind `tool` not. There the link
    becomes a file of its own, as it does in the vendor's converter.
    """
    for entry in tree:
        if entry.kind not in ("symlink", "hardlink"):
            continue
        target = resolve(tree, entry.path)
        if target is None or entry.path.endswith(".py") == target.path.endswith(".py"):
            continue
        data = target.read()
        wanted = convert(entry.path, data)[0] if entry.path.endswith(".py") else data
        if wanted != out[target.path].read():
            plain = Entry(entry.path, "file", target.mode, target.uid, target.gid, target.mtime)
            out.put(plain)
            out.write(entry.path, wanted)
