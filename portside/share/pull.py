"""From a registry into the store: a whole image by its tag, proven against the lock before it counts as built."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from portside.adopt.adopt import adopt, check_config, check_known, examine
from portside.adopt.prove import by_word
from portside.common.parallel import run_all
from portside.common.progress import say, transfer
from portside.common.values import Key
from portside.errors import InputError, RegistryError
from portside.image.built import Built, keep_images
from portside.plan.model import Part, Plan
from portside.registry.blob import RegistryBlob
from portside.registry.client import Client
from portside.registry.download import download
from portside.registry.reference import Reference
from portside.share.manifests import read_image_manifest
from portside.store import Store
from portside.store.layout import Blob, Image

JOBS = 4
"""Blobs at the same time."""


@dataclass(frozen=True)
class Pulled:
    """What a pull did. built: all layers, as after a build. received: names of the parts that had to travel.

    unproven: by part key, why nothing here proves a part.
    """

    reference: str
    built: list[Built]
    received: tuple[str, ...]
    received_bytes: int
    unproven: Mapping[Key, str]

    @property
    def image(self) -> Image:
        return self.built[-1].image


def pull(plan: Plan, store: Store, reference: Reference) -> Pulled:
    """Bring an image's layers into the store. It must be the one that the plan gives.

    Nothing counts as built before all of it is proven, as far as this machine can; the rest is named. An interrupted
    pull is continued. Raises RegistryError, InputError where the image or a blob is another than the lock says, and
    StoreError.
    """
    parts = plan.stack()
    received: list[str] = []
    with Client(reference.repository) as client:
        data = client.manifest(reference.tag)
        if data is None:
            raise RegistryError(
                f"{reference.repository} has no tag {reference.tag}",
                f"Build it, or push it from where it is built: invoke push --recipe {plan.recipe.name}",
            )
        with _refusing(reference):
            digest, size, blobs = read_image_manifest(data)
        config = client.small_blob(digest, size)
        with _refusing(reference):
            diff_ids = check_config(plan, "weights", config)
            if [blob.diff_id for blob in blobs] != diff_ids:
                raise RegistryError("its manifest lists other layers than its config")
            for part, blob in zip(parts, blobs, strict=True):
                check_known(part, blob.diff_id, plan, store)
        run_all([partial(_receive, *pair, store, client, received) for pair in zip(parts, blobs, strict=True)], JOBS)
        with _refusing(reference):
            stored = {part.key: Blob(blob.diff_id, blob.size) for part, blob in zip(parts, blobs, strict=True)}
            unproven = examine(parts, plan, store, stored)
    adopt(parts, plan, store, stored, unproven, str(reference))
    if lines := by_word(parts, unproven, str(reference)):
        say("\n".join(lines))
    new = [part for part in parts if f"{part.layer}/{part.name}" in received]
    built = keep_images(plan, store, plan.layers, new, stored, {part.key: str(reference) for part in new})
    return Pulled(str(reference), built, tuple(sorted(received)), client.received, unproven)


def bring(part: Part, blob: RegistryBlob, plan: Plan, store: Store, client: Client, received: list[str]) -> None:
    """One part's blob, if the store lacks it; nothing travels that the store knows better."""
    check_known(part, blob.diff_id, plan, store)
    _receive(part, blob, store, client, received)


def _receive(part: Part, blob: RegistryBlob, store: Store, client: Client, received: list[str]) -> None:
    if not store.layout.has(blob.diff_id, blob.size):
        with transfer(f"{part.layer}/{part.name}", blob.travels) as advance:
            download(client, store, blob, advance)
        received.append(f"{part.layer}/{part.name}")


@contextmanager
def _refusing(reference: Reference) -> Iterator[None]:
    """Say in an error which image it is that is not what it should be; what a registry fails with names it already."""
    try:
        yield
    except (RegistryError, InputError) as error:
        raise type(error)(f"{reference} is refused: {error.problem}", error.remedy) from None
