"""Layers and images that go to a registry as soon as they are built, so that machines share while they build."""

import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack

from portside.common.compression import Compression
from portside.common.progress import say
from portside.common.values import Key
from portside.errors import RegistryError
from portside.plan.model import LayerPlan, Plan
from portside.plan.states import blob_of
from portside.registry.client import Client
from portside.registry.reference import Reference, Repository
from portside.share.push import Pushed, push
from portside.share.sending import Sending
from portside.store import Store


class Publishing:
    """Several recipes on their way to their registries; any thread may call. pushed: by recipe, its image.

    Use it in a `with` block, which holds the connections.
    """

    def __init__(
        self,
        store: Store,
        references: Mapping[str, Reference],
        *,
        compression: Compression = "none",
        others: Sequence[Repository] = (),
    ) -> None:
        """references: by recipe, where its image goes; its layers go to the same repository. The rest: as in `push`."""
        self.pushed: dict[str, Pushed] = {}
        self._store = store
        self._references = references
        self._compression = compression
        self._others = others
        self._stack = ExitStack()
        self._clients: dict[Repository, Client] = {}
        self._lock = threading.Lock()
        self._locks: dict[Key, threading.Lock] = {}
        self._first: set[Key] = set()

    def __enter__(self) -> "Publishing":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def layer(self, plan: Plan, layer: LayerPlan, made: Collection[Key]) -> set[Key]:
        """Have a layer, or what one begins with, in its recipe's repository.

        made: the keys of the parts that were made here; gives those of them that somebody else made and pushed before,
        with the same result. Raises RegistryError for one with another result.
        """
        client = self._client(self._references[plan.recipe.name].repository)
        local = {part.key: blob for part in layer.parts if (blob := blob_of(part, self._store)) is not None}
        with self._lock_of(layer):
            sending = Sending(self._store, client, local, self._compression, self._others)
            if sending.known([layer]):
                return set(made) - self._first
            blobs = sending.upload([layer])
            if not sending.tag(layer, blobs):
                raise RegistryError(f"{client.repository} loses blobs that it said it has")
            self._first |= local.keys()
            return set()

    def image(self, plan: Plan) -> None:
        """Have a finished image there. Raises as `push` does."""
        reference = self._references[plan.recipe.name]
        with ExitStack() as stack:
            # All take them in this order, and no two layers of other names begin alike, so none waits for ever.
            for layer in plan.layers:
                if layer.parts:
                    stack.enter_context(self._lock_of(layer))
            done = push(plan, self._store, reference, compression=self._compression, others=self._others)
            # An image may be pushed before its layers by themselves, which are ours then, and nobody else's.
            self._first |= {part.key for name in done.new for part in plan.layer(name).parts}
        self.pushed[plan.recipe.name] = done
        say(f"{done.image_id} is {done.reference}")

    def _client(self, repository: Repository) -> Client:
        with self._lock:
            if repository not in self._clients:
                self._clients[repository] = self._stack.enter_context(Client(repository))
            return self._clients[repository]

    def _lock_of(self, layer: LayerPlan) -> threading.Lock:
        """Held while the layer travels: what begins alike has blobs in common, which need not travel twice at once."""
        with self._lock:
            return self._locks.setdefault(layer.parts[0].key, threading.Lock())
