"""Tasks that carry images about: registries, archives, and cleaning up behind them. tasks.py lists them."""

from pathlib import Path

from invoke.context import Context

from portside.cli import ENGINE, JSON, LAYER, RECIPE, check_layer, portside_task, project, show

TAG = "a tag in the recipe's registry, or HOST:PORT/REPOSITORY:TAG; default: the recipe's name"


@portside_task(
    help={
        "recipe": RECIPE,
        "tag": TAG,
        "compression": "none, gzip or zstd, for layers that the registry lacks; weights always travel as they are",
        "json": JSON,
    }
)
def push(c: Context, recipe: str, tag: str | None = None, compression: str = "none", json: bool = False) -> None:
    """Push a built image to a registry, and its layers so that others need not build them.

    Example: invoke push --recipe minilm --tag registry.example:5000/models:minilm
    """
    from dataclasses import asdict

    from portside.compression import check_compression
    from portside.progress import human_bytes, live, say
    from portside.registry.push import push as push_image
    from portside.registry.reference import parse_reference, parse_repository

    kind = check_compression(compression)
    p = project()
    loaded = p.recipe(recipe)
    reference = parse_reference(tag or recipe, p.home_registry(loaded))
    others = [parse_repository(text) for text in p.registries(loaded)]
    with live():
        done = push_image(p.plan(loaded), p.store, reference, compression=kind, others=others)
    for name, layer_tag in done.layers:
        say(f"{name:9} {reference.repository}:{layer_tag}")
    say(f"{done.image_id} is {done.reference}; {len(done.sent)} blobs sent, {human_bytes(done.sent_bytes)}")
    if json:
        show(asdict(done))


@portside_task(help={"recipe": RECIPE, "tag": TAG, "engine": ENGINE, "json": JSON})
def pull(c: Context, recipe: str, tag: str | None = None, engine: str | None = None, json: bool = False) -> None:
    """Pull a recipe's image; refused unless it is, bit for bit, what the lock gives.

    Example: invoke pull --recipe minilm --tag registry.example:5000/models:minilm
    """
    from portside.build import load_images
    from portside.progress import human_bytes, live, say
    from portside.project import image_report
    from portside.registry.pull import pull as pull_image
    from portside.registry.reference import parse_reference

    p = project()
    loaded = p.recipe(recipe)
    reference = parse_reference(tag or recipe, p.home_registry(loaded))
    plan = p.plan(loaded)
    running = p.engine(engine)
    with live():
        done = pull_image(plan, p.store, reference)
        load_images(plan, done.built, p.store, running)
    say(f"{recipe} is sha256:{done.image.image_id}; {human_bytes(done.received_bytes)} pulled from {done.reference}")
    if json:
        show(image_report(plan, p.store))


@portside_task(help={"archive": "a file of docker save, podman save, skopeo or invoke save", "engine": ENGINE})
def load(c: Context, archive: str, engine: str | None = None) -> None:
    """Load an image archive (docker-archive or OCI, plain or compressed) into the store and the engine."""
    from portside.archive.load import load_archive
    from portside.build import to_load
    from portside.progress import live, say, transfer

    p = project()
    running = p.engine(engine)
    with live():
        for loaded in load_archive(Path(archive), p.store, lambda name: p.plan(p.recipe(name))):
            if any(running.image_id(name) != loaded.image.image_id for name in loaded.names):
                running.load(to_load(loaded.image, p.store, loaded.names), transfer)
            say(f"{', '.join(loaded.names)} is sha256:{loaded.image.image_id}")


@portside_task(
    help={
        "recipe": RECIPE,
        "output": "the file to write; .tar.gz, .tgz or .tar.zst compress it",
        "layer": f"the image to save: {LAYER}",
    }
)
def save(c: Context, recipe: str, output: str, layer: str = "weights") -> None:
    """Save a built image as an archive that docker load, podman load and OCI tools take; the same bytes every time.

    Example: invoke save --recipe minilm --output minilm.tar.gz
    """
    from portside.archive.write import compression_of, write_archive
    from portside.build import stored_image
    from portside.image import image_name
    from portside.progress import human_bytes, live, say

    check_layer(layer)
    kind = compression_of(output)
    p = project()
    plan = p.plan(p.recipe(recipe))
    image = stored_image(plan, p.store, layer)
    names = [image_name(recipe, layer), *([image_name(recipe, "latest")] if layer == "weights" else [])]
    with live():
        size = write_archive(image, names, p.store, Path(output), kind)
    say(f"{output}: {human_bytes(size)}, sha256:{image.image_id} as {', '.join(names)}")


@portside_task(
    help={
        "yes": "remove it; without this, only say what would be removed",
        "days": "how long partial transfers, refused inputs and logs are kept",
        "json": JSON,
    }
)
def clean(c: Context, yes: bool = False, days: int = 7, json: bool = False) -> None:
    """What of the store no lock of this project needs: first listed, with --yes removed."""
    from portside.clean import find_garbage, remove
    from portside.progress import human_bytes, say

    p = project()
    garbage, names = find_garbage(p, days)
    for name in names:
        say(f"image            {name}")
    for item in garbage:
        say(f"{item.kind:16} {human_bytes(item.size):>10}  {item.path.relative_to(p.config.home)}")
    if yes:
        remove(p.store, garbage, names)
    total = human_bytes(sum(item.size for item in garbage))
    say(f"{total} removed" if yes else f"{total} would be removed by: invoke clean --yes")
    if json:
        rows = [{"kind": item.kind, "path": str(item.path), "bytes": item.size} for item in garbage]
        show({"removed": yes, "images": names, "files": rows})
