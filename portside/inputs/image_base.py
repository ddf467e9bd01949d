"""An image in a registry as base: recipe to lock, lock to store.

`lock` reads the documents that name the layers, and no layer: a lock is the same whether its layers are here or not.
"""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from portside.common.oci import diff_ids_of
from portside.common.parallel import run_all
from portside.common.progress import human_bytes, say, transfer
from portside.common.values import FileName, ImageAddress, Sha256
from portside.config import Config
from portside.errors import InputError, MissingInputError, RegistryError
from portside.inputs import entry_points
from portside.inputs.bringer import Bringer, PlainBase
from portside.inputs.image_documents import Documents, kept_elsewhere
from portside.inputs.vendor_config import check_platform, created, environment
from portside.lock.bases import ImageBase
from portside.lock.packages import Deb
from portside.lock.registry_image import RegistryLayer
from portside.recipe.bases import RegistryImage
from portside.registry.blob import TravellingBlob
from portside.registry.client import Client, NotThereError
from portside.registry.download import download
from portside.registry.image_manifest import check_layers, read_config, read_manifest
from portside.registry.images import mirrored, parse_image
from portside.registry.reference import Repository
from portside.store import Store

JOBS = 4
"""Layers that are brought at the same time, as engines do it."""

_in_vain: set[tuple[Path, Sha256]] = set()
"""Stores and manifests whose documents this process has asked for in vain: every layer's part would ask again."""

read = None
"""No person brings it: `bring` does."""


def resolve(
    asked: RegistryImage, keep: Sequence[Deb], update: Collection[str] | Literal["all"], bringer: Bringer
) -> ImageBase:
    """Ask the registry what the tag stands for now; a recipe that has a digest never asks for its tag.

    Raises InputError for what cannot be a base, RegistryError, MissingInputError offline.
    """
    with Documents(asked.image, _repository(asked.image, bringer.config), bringer.store, bringer.offline) as documents:
        try:
            indexes, manifest, config = documents.find(asked.architecture)
            said, about = read_manifest(documents.read(manifest)), documents.read(config)
            value, diff_ids = read_config(about), diff_ids_of(about)
            check_layers(said.layers, diff_ids)
        except InputError as error:
            raise error.told_of(asked.image, "Name another image, or another tag of it.") from None
    check_platform(asked.image, value, asked.architecture, asked.kind)
    layers = tuple(
        RegistryLayer(diff_id=diff_id, packed=layer.digest, packed_size=layer.size, media_type=layer.media_type)
        for layer, diff_id in zip(said.layers, diff_ids, strict=True)
    )
    base = ImageBase(
        image=asked.image,
        architecture=asked.architecture,
        indexes=indexes,
        manifest=manifest,
        config=config,
        epoch=created(asked.image, value),
        env=environment(asked.image, value),
        layers=layers,
    )
    entry_points.note(value, diff_ids)
    _say_found(base, bringer.store)
    return base


def _say_found(base: ImageBase, store: Store) -> None:
    """What the tag stands for, and how much has to be brought before anything can be built on it."""
    first = (*base.indexes, base.manifest)[0].sha256
    missing = _missing(base, store)
    size = human_bytes(sum(layer.packed_size for layer in missing))
    rest = f"{len(missing)} of them, {size}, are brought when they are needed" if missing else "all of them are here"
    say(f"{base.image} is sha256:{first}, {len(base.layers)} layer(s) for {base.architecture}: {rest}")


def _missing(base: ImageBase, store: Store) -> list[RegistryLayer]:
    """The layers that the store does not have, each once."""
    found = {layer.diff_id: layer for layer in base.layers if not store.layout.has(layer.diff_id, layer.size)}
    return list(found.values())


def bring(base: ImageBase, bringer: Bringer) -> None:
    """The layers, verified by what travels and by what comes out of it, and the documents that prove where they belong.

    Who has all layers can build: of documents that nobody gives any more it is only said that they are missing.
    """
    repository = _repository(base.image, bringer.config)
    with bringer.store.lock(FileName(f"image-{base.manifest.sha256}")):
        missing = _missing(base, bringer.store)
        if not missing and (bringer.store.home, base.manifest.sha256) in _in_vain:
            return
        if missing and bringer.offline:
            raise MissingInputError(
                f"{len(missing)} layer(s) of {base.image} are not in the store, and --offline forbids to fetch them",
                _bring_it,
            )
        with Documents(base.image, repository, bringer.store, bringer.offline) as documents:
            try:
                for document in base.documents.values():
                    documents.read(document)
            except (RegistryError, InputError) as error:
                if missing:
                    raise
                _in_vain.add((bringer.store.home, base.manifest.sha256))
                say(f"{base.image}: its layers are here, and what proves that they are its own is not: {error.problem}")
            if missing:
                run_all([partial(_layer, documents.client, layer, base, bringer.store) for layer in missing], JOBS)


def _bring_it(recipe: str) -> str:
    return (
        f"Fetch them with a network: invoke fetch --recipe {recipe}; or bring a bundle from a machine that has them: "
        f"invoke bundle --recipe {recipe}"
    )


def _layer(client: Client, layer: RegistryLayer, base: ImageBase, store: Store) -> None:
    number = next(number for number, other in enumerate(base.layers, 1) if other == layer)
    blob = TravellingBlob(layer.packed, layer.packed_size, layer.compression, layer.diff_id, layer.size)
    try:
        with transfer(f"{base.image} layer {number} of {len(base.layers)}", blob.travels) as advance:
            download(client, store, blob, advance)
    except NotThereError:
        raise RegistryError(
            f"{client.repository} does not have layer {number} of {base.image} any more (sha256:{layer.packed})",
            kept_elsewhere,
        ) from None


def plain(base: ImageBase, recipe: str) -> PlainBase:
    """How an engine gets it: by its digest, whatever the tag is by then."""
    name = parse_image(base.image).by_digest(base.manifest.sha256)
    return PlainBase((f"nothing is to be loaded: the engine pulls {base.image} by its digest.",), name)


def _repository(image: ImageAddress, config: Config) -> Repository:
    """Where this machine asks for it."""
    return mirrored(parse_image(image).repository, config.mirrors.registries)
