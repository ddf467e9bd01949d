"""Layers that somebody has built already, found by their keys in the registries that this machine knows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from portside.adopt.adopt import adopt, examine
from portside.adopt.prove import by_word, check_base, made_from
from portside.common.parallel import Job, run_all
from portside.common.progress import say
from portside.common.values import Key
from portside.errors import InputError, RegistryError
from portside.plan.model import LayerPlan, Part, Plan
from portside.plan.states import blob_of
from portside.registry.blob import RegistryBlob
from portside.registry.client import Client, UnreadableError
from portside.registry.reference import parse_repository
from portside.share.manifests import layer_tag, read_layer_manifest
from portside.share.pull import JOBS, bring
from portside.store import Store
from portside.store.layout import Blob

CONNECT_SECONDS = 4.0
"""A registry is only asked on the way to building; one that is away must not hold that up."""


@dataclass(frozen=True)
class LayerOffer:
    """Whether a layer can be pulled. source: the repository that has it, or None. blobs: by part key.

    refused: why the other registries that were asked cannot give it, one line each.
    """

    layer: LayerPlan
    source: str | None
    blobs: Mapping[Key, RegistryBlob]
    refused: tuple[str, ...]


class Registries:
    """The registries to ask, in this order. One that does not answer is not asked again."""

    def __init__(self, repositories: Sequence[str]) -> None:
        """repositories: `[http://]HOST[:PORT]/REPOSITORY`. Raises RecipeError."""
        self._repositories = [parse_repository(text) for text in dict.fromkeys(repositories)]
        self._clients: dict[str, Client] = {}
        self._away: dict[str, str] = {}
        self._offers: dict[Key, LayerOffer] = {}
        self._told: set[str] = set()

    def __enter__(self) -> "Registries":
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._clients.values():
            client.__exit__()

    def best(self, layer: LayerPlan, wanted: Collection[Key], *, again: bool = False) -> LayerOffer:
        """Ask for a layer and, where nobody has it, for what it begins with: of the recipe that its own extends, say.

        wanted: the keys of the parts that are missing. again: also where it was asked for before.
        """
        refused: dict[str, None] = {}
        for beginning in layer.beginnings:
            if not any(part.key in wanted for part in beginning.parts):
                break
            offer = None if again else self._offers.get(beginning.key)
            if offer is None:
                offer = self._offers[beginning.key] = self.offer(beginning)
            refused |= dict.fromkeys(offer.refused)
            if offer.source is not None:
                return replace(offer, refused=tuple(refused))
        return LayerOffer(layer, None, {}, tuple(refused))

    def offer(self, layer: LayerPlan) -> LayerOffer:
        """Ask for a layer; nothing but manifests travels."""
        refused: list[str] = []
        for repository in self._repositories:
            name = str(repository)
            if name in self._away:
                refused.append(f"{name}: {self._away[name]}")
                continue
            try:
                client = self._clients.get(name)
                if client is None:
                    client = self._clients[name] = Client(repository, pauses=(), connect_seconds=CONNECT_SECONDS)
                data = client.manifest(layer_tag(layer))
            except UnreadableError as error:
                refused.append(f"{name}: {error.problem}")
                continue
            except RegistryError as error:
                self._away[name] = error.problem
                refused.append(f"{name}: {error.problem}")
                continue
            if data is None:
                continue
            try:
                blobs = read_layer_manifest(data, layer)
                for part in layer.parts:
                    check_base(part, blobs[part.key].diff_id)
            except (RegistryError, InputError) as error:
                refused.append(f"{name}:{layer_tag(layer)}: {error.problem}")
                continue
            return LayerOffer(layer, name, blobs, tuple(refused))
        return LayerOffer(layer, None, {}, tuple(refused))

    def pull(
        self, plan: Plan, layers: Sequence[LayerPlan], missing: Sequence[Part], store: Store, *, again: bool = False
    ) -> dict[Key, str]:
        """Pull what is offered of the missing parts; gives for each part key where it came from.

        What cannot be pulled is told and left to be built. again: ask also for what nobody had before.
        """
        pulled: dict[Key, str] = {}
        unproven: dict[Key, str] = {}
        jobs: list[Job] = []
        later: list[Job] = []
        for layer in layers:
            wanted = [part for part in layer.parts if part in missing]
            if not wanted:
                continue
            offer = self.best(layer, {part.key for part in wanted}, again=again)
            for reason in offer.refused:
                if (text := f"{layer.name} is not pulled: {reason}") not in self._told:
                    self._told.add(text)
                    say(text)
            for part in wanted:
                if part.key not in offer.blobs:
                    continue
                work = partial(self._bring, part, offer, plan, store, pulled, unproven)
                (later if made_from(part, plan) else jobs).append(work)
        run_all(jobs, JOBS)
        for job in later:
            job()
        for place in dict.fromkeys(pulled.values()):
            parts = [part for layer in layers for part in layer.parts if pulled.get(part.key) == place]
            if lines := by_word(parts, unproven, place):
                say("\n".join(lines))
        return pulled

    def _bring(
        self,
        part: Part,
        offer: LayerOffer,
        plan: Plan,
        store: Store,
        pulled: dict[Key, str],
        unproven: dict[Key, str],
    ) -> None:
        assert offer.source is not None
        name = f"{part.layer}/{part.name}"
        if lacking := [below for below in made_from(part, plan) if blob_of(below, store) is None]:
            say(f"{name} is built here, as {lacking[0].layer}/{lacking[0].name} is, which it is made from")
            return
        try:
            blob = offer.blobs[part.key]
            bring(part, blob, plan, store, self._clients[offer.source], [])
            stored = {part.key: Blob(blob.diff_id, blob.size)}
            found = examine([part], plan, store, stored)
            adopt([part], plan, store, stored, found, offer.source)
        except (RegistryError, InputError) as error:
            say(f"{name} is refused and will be built here: {error.problem}")
        else:
            pulled[part.key] = offer.source
            unproven.update(found)
