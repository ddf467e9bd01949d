"""The places of weights and of the recipe's files in an image, and that nothing is hidden there unseen.

In an image the weights lie below the code, which is built without them. What the code had at the path of a weight file,
below it, or on the way to it without being a folder, would hide the file, and no engine would say so. The recipe's
files lie above the code, and replace files of it: no folder, and no link that leads to one.
"""

from collections.abc import Iterable, Mapping, Sequence

from portside.common.canonical import digest_of
from portside.common.never import never
from portside.common.tree import Entry
from portside.common.values import FileName, Key
from portside.common.weight_places import KINDS, Clash, folders_above
from portside.errors import BuildError, PortsideError, RecipeError
from portside.layers.engine_layer import read
from portside.layers.layer import Layer
from portside.plan.model import (
    BaseLayer,
    BuiltPackages,
    Converted,
    Files,
    Install,
    InstallFiles,
    LargeWeight,
    Packages,
    Part,
    Plan,
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
)
from portside.store import Store
from portside.store.layout import Blob


def check_named(plan: Plan) -> None:
    """Raise RecipeError where a file that the recipe names goes to where weights lie; the recipe alone is read."""
    for location, path in plan.recipe.named_paths():
        if (clash := plan.weight_places.clash([(path, "file")])) is not None:
            key = ".".join(map(str, location))
            raise RecipeError.about(plan.recipe.path, f"{key}: {clash}", "Give it another path.")


def check_layer(plan: Plan, part: Part, layer: Layer) -> None:
    """Raise RecipeError (for what is made of the recipe and its inputs) or BuildError (for what a step has made) where
    a part's layer has anything in the way of weights; RecipeError where a file of the recipe would hide a folder of it,
    or replace a link or a file by one."""
    _check(plan, part, layer.entries, layer.whiteouts)


def note_clear(plan: Plan, part: Part, blob: Blob, store: Store) -> None:
    """Remember that `check_layer` found nothing in the layer that this blob is."""
    if _may_clash(plan, part):
        store.keep("clear", _name(plan, part), {"diff_id": blob.digest})


def check_parts(plan: Plan, parts: Sequence[Part], blobs: Mapping[Key, Blob], store: Store) -> None:
    """`check_layer` for blobs that the store has: a part may be older than weights and files, or come from elsewhere.

    blobs: by part key. What was looked at once is not read again. Raises as `check_layer` does.
    """
    for part in parts:
        if not _may_clash(plan, part):
            continue
        blob = blobs[part.key]
        known = store.record("clear", _name(plan, part))
        if known is None or known["diff_id"] != blob.digest:
            layer = read(store.layout.tar(blob.digest))
            _check(plan, part, layer.entries.values(), sorted(layer.whiteouts))
            note_clear(plan, part, blob, store)


def _check(plan: Plan, part: Part, entries: Iterable[Entry], whiteouts: Iterable[str]) -> None:
    kinds = {entry.path: entry.kind for entry in entries}
    if (clash := plan.weight_places.clash(kinds.items(), whiteouts)) is not None:
        raise _error(plan, part, clash)
    files = _files_over(plan, part)
    for folder, file in sorted((above, below) for below in files for above in folders_above(below)):
        if kinds.get(folder, "dir") != "dir":
            where = f"on the way to the recipe's {_word(plan, file)} /{file}"
            raise _hidden(plan, part, file, folder, kinds[folder], where)
    for file in sorted(files):
        if kinds.get(file) == "dir":
            raise _hidden(plan, part, file, file, "dir", f"where a {_word(plan, file)} of the recipe goes")


def _files_over(plan: Plan, part: Part) -> frozenset[str]:
    """The paths of the recipe's files that lie over a part of the code."""
    if part.layer not in ("sources", "migrated"):
        return frozenset()
    code = plan.layer("migrated").parts
    over = code[code.index(part) + 1 if part in code else 0 :]
    return frozenset(path for other in over for path in _put_by(other))


def _put_by(part: Part) -> list[str]:
    """The paths of the recipe's own files and links in a part."""
    key = {InstallFiles: "files", RecipeFiles: "files", WeightLinks: "links"}.get(type(part.of))
    return [f"{part.manifest['at']}/{path}" for path in part.manifest[key]] if key is not None else []


def _name(plan: Plan, part: Part) -> FileName:
    places = digest_of([plan.weight_places.digest, sorted(_files_over(plan, part))])
    return FileName(f"{part.key}-{places[:16]}")


def _may_clash(plan: Plan, part: Part) -> bool:
    files = _files_over(plan, part)
    match part.of:
        case BaseLayer() | SmallWeights() | LargeWeight():
            return False  # the base lies below the weights, and is what it is
        case Source():
            at = part.manifest["at"]
            return plan.weight_places.within(at) or any(f"{file}/".startswith(f"{at}/") for file in files)
        case (
            Files()
            | Packages()
            | VendorInstall()
            | BuiltPackages()
            | Converted()
            | Trees()
            | InstallFiles()
            | Install()
            | RecipeFiles()
            | WeightLinks()
        ):
            return bool(plan.weight_places) or bool(files)
        case other:
            never(other)


def _word(plan: Plan, path: str) -> str:
    """What the recipe puts at a path: a file, or a link to weights."""
    links = (part for part in plan.layer("migrated").parts if isinstance(part.of, WeightLinks))
    return "link" if any(path in _put_by(part) for part in links) else "file"


def _hidden(plan: Plan, part: Part, put: str, path: str, kind: str, where: str) -> RecipeError:
    """put: the path of what is hidden, or hides."""
    key = {"file": "files", "link": "weights: to"}[_word(plan, put)]
    return RecipeError.about(
        plan.recipe.path,
        f"{key}: {part.layer}/{part.name} has {KINDS[kind]} at /{path}, {where}",
        "Files and links of the recipe replace files, nothing else. Give it another path: where a link is in the way, "
        "the one that it leads to.",
    )


def _error(plan: Plan, part: Part, clash: Clash) -> PortsideError:
    weights = f"{plan.recipe.workspace}/weights"
    problem = f"{part.layer}/{part.name} {clash}"
    match part.of:
        case Packages() | VendorInstall() | BuiltPackages() | Converted() | Install():
            return BuildError(
                f"{plan.recipe.name}: {problem}",
                f"Weights are not there while steps run, and nothing may be in their place afterwards. Let the step "
                f"leave {weights} alone, or give the weights another name or path in the recipe.",
            )
        case Source():
            remedy = f"Give the source, or the weights, another name: both are in {weights}."
        case Files() | Trees() | InstallFiles() | RecipeFiles() | WeightLinks():
            remedy = "Give it another path in the recipe."
        case BaseLayer() | SmallWeights() | LargeWeight():
            raise AssertionError(f"{part.name} is not looked at")
        case other:
            never(other)
    return RecipeError.about(plan.recipe.path, problem, remedy)
