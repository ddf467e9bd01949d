"""The weights' places in an image, and that no other part has anything there.

In an image the weights lie below the code, which is built without them. What the code had at the path of a weight file,
below it, or on the way to it without being a folder, would hide the file, and no engine would say so.
"""

from collections.abc import Iterable, Mapping, Sequence

from portside.common.never import never
from portside.common.tree import Entry
from portside.common.values import FileName, Key
from portside.common.weight_places import Clash
from portside.errors import BuildError, PortsideError, RecipeError
from portside.layers.engine_layer import read
from portside.layers.layer import Layer
from portside.layers.raw import TarLayer
from portside.plan.model import (
    BaseLayer,
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
    a part's layer has anything in the way of weights."""
    _check(plan, part, layer.entries, layer.whiteouts)


def note_clear(plan: Plan, part: Part, blob: Blob, store: Store) -> None:
    """Remember that `check_layer` found nothing in the layer that this blob is."""
    if plan.weight_places and _may_clash(plan, part):
        store.keep("clear", _name(plan, part), {"diff_id": blob.digest})


def check_parts(plan: Plan, parts: Sequence[Part], blobs: Mapping[Key, Blob], store: Store) -> None:
    """`check_layer` for blobs that the store has: a part may be older than the weights, or come from elsewhere.

    blobs: by part key. What was looked at once is not read again. Raises as `check_layer` does.
    """
    for part in parts if plan.weight_places else ():
        if not _may_clash(plan, part):
            continue
        blob = blobs[part.key]
        known = store.record("clear", _name(plan, part))
        if known is None or known["diff_id"] != blob.digest:
            layer = read(TarLayer(store.layout.blob(blob.digest)))
            _check(plan, part, layer.entries.values(), sorted(layer.whiteouts))
            note_clear(plan, part, blob, store)


def _check(plan: Plan, part: Part, entries: Iterable[Entry], whiteouts: Iterable[str]) -> None:
    clash = plan.weight_places.clash(((entry.path, entry.kind) for entry in entries), whiteouts)
    if clash is not None:
        raise _error(plan, part, clash)


def _name(plan: Plan, part: Part) -> FileName:
    return FileName(f"{part.key}-{plan.weight_places.digest[:16]}")


def _may_clash(plan: Plan, part: Part) -> bool:
    match part.of:
        case BaseLayer() | SmallWeights() | LargeWeight():
            return False  # the base lies below the weights, and is what it is
        case Source():
            return plan.weight_places.within(part.manifest["at"])
        case Files() | Packages() | Converted() | Trees() | InstallFiles() | Install() | RecipeFiles():
            return True
        case other:
            never(other)


def _error(plan: Plan, part: Part, clash: Clash) -> PortsideError:
    weights = f"{plan.recipe.workspace}/weights"
    problem = f"{part.layer}/{part.name} {clash}"
    match part.of:
        case Packages() | Converted() | Install():
            return BuildError(
                f"{plan.recipe.name}: {problem}",
                f"Weights are not there while steps run, and nothing may be in their place afterwards. Let the step "
                f"leave {weights} alone, or give the weights another name or path in the recipe.",
            )
        case Source():
            remedy = f"Give the source, or the weights, another name: both are in {weights}."
        case Files() | Trees() | InstallFiles() | RecipeFiles():
            remedy = "Give it another path in the recipe."
        case BaseLayer() | SmallWeights() | LargeWeight():
            raise AssertionError(f"{part.name} is not looked at")
        case other:
            never(other)
    return RecipeError.about(plan.recipe.path, problem, remedy)
