"""Tasks on what is built: registries, archives, bundles, comparisons, and cleaning up. tasks.py lists them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit

from portside.cli.chosen import CHOICE, choose, each, end, report_each
from portside.cli.task import (
    ENGINE,
    JSON,
    LAYER,
    RECIPE,
    check_layer,
    machine,
    number,
    portside_task,
    project,
    show,
    tell,
)
from portside.common.version import __version__
from portside.errors import CheckError, RecipeError

if TYPE_CHECKING:
    from portside.common.values import Key
    from portside.recipe import Recipe
    from portside.verify.verdict import PartVerdict, Verdict

TAG = "a tag in the recipe's registry, or HOST:PORT/REPOSITORY:TAG; default: the recipe's name"


@portside_task(
    iterable=["recipe"],
    help=CHOICE
    | {
        "tag": TAG,
        "compression": "none, gzip or zstd, for layers that the registry lacks; weights always travel as they are",
        "json": JSON,
    },
)
def push(
    c: Context,
    recipe: list[str],
    all: bool = False,
    changed_since: str | None = None,
    tag: str | None = None,
    compression: str = "none",
    json: bool = False,
) -> None:
    """Push a built image to a registry, and its layers so that others need not build them.

    Example: invoke push --recipe minilm --tag registry.example:5000/models:minilm
    """
    from dataclasses import asdict

    from portside.common.compression import check_compression
    from portside.common.progress import human_bytes, live, say
    from portside.prepare import locked_plan
    from portside.registry.reference import parse_reference, parse_repository
    from portside.share.push import push as push_image

    kind = check_compression(compression)
    p = project()
    chosen = choose(p, recipe, all, changed_since)
    if tag is not None and not chosen.is_one:
        raise RecipeError("--tag is for one recipe", "Without it, each goes to the tag that is its name.")
    references = {item.name: parse_reference(tag or item.name, p.home_registry(item)) for item in chosen.recipes}

    def push_one(loaded: "Recipe") -> dict[str, Any]:
        reference = references[loaded.name]
        others = [parse_repository(text) for text in p.registries(loaded)]
        done = push_image(locked_plan(p, loaded), p.store, reference, compression=kind, others=others)
        for name, layer_tag in done.layers:
            say(f"{name:9} {reference.repository}:{layer_tag}")
        say(f"{done.image_id} is {done.reference}; {len(done.sent)} blobs sent, {human_bytes(done.sent_bytes)}")
        return asdict(done)

    with live():
        done, failed = each(chosen, push_one)
    if json:
        show(done[chosen.names[0]] if chosen.is_one else report_each(done, failed))
    end(failed, len(chosen.recipes))


@portside_task(help={"recipe": RECIPE, "tag": TAG, "engine": ENGINE, "json": JSON})
def pull(c: Context, recipe: str, tag: str | None = None, engine: str | None = None, json: bool = False) -> None:
    """Pull a recipe's image; refused unless it is, bit for bit, what the lock gives.

    Example: invoke pull --recipe minilm --tag registry.example:5000/models:minilm
    """
    from portside.cli.report.image import image_report
    from portside.common.progress import human_bytes, live, say
    from portside.image.built import load_images
    from portside.prepare import locked_plan
    from portside.registry.reference import parse_reference
    from portside.share.pull import pull as pull_image

    p = project()
    loaded = p.recipe(recipe)
    reference = parse_reference(tag or recipe, p.home_registry(loaded))
    plan = locked_plan(p, loaded)
    running = p.engine(engine)
    with live():
        done = pull_image(plan, p.store, reference)
        load_images(plan, done.built[-1:], p.store, running)
    say(f"{recipe} is sha256:{done.image.image_id}; {human_bytes(done.received_bytes)} pulled from {done.reference}")
    if json:
        show(image_report(plan, p.store))


@portside_task(help={"archive": "a file of docker save, podman save, skopeo or invoke save", "engine": ENGINE})
def load(c: Context, archive: str, engine: str | None = None) -> None:
    """Load an image archive (docker-archive or OCI, plain or compressed) into the store and the engine.

    Only what is, bit for bit, a recipe's image gets its names; what nothing here can prove of it is named.

    Example: invoke load --archive minilm.tar.gz
    """
    from portside.adopt.archive_images import load_archive
    from portside.common.progress import live, say, transfer
    from portside.image.built import to_load
    from portside.prepare import locked_plan
    from portside.recipe import find_recipes

    p = project()
    running = p.engine(engine)
    with live():
        recipes = find_recipes(p.root)
        for loaded in load_archive(Path(archive), p.store, lambda name: locked_plan(p, p.recipe(name)), recipes):
            if any(running.image_id(name) != loaded.image.image_id for name in loaded.names):
                running.load(to_load(loaded.image, p.store, loaded.names), transfer)
            say(f"{', '.join(loaded.names)} is sha256:{loaded.image.image_id}")


@portside_task(
    help={
        "recipe": RECIPE,
        "output": "the file to write; .tar.gz, .tgz or .tar.zst compress it; or a folder, which becomes an OCI layout",
        "layer": f"the image to save: {LAYER}; default: weights",
        "force": "replace the file, or the layout, if it exists",
    }
)
def save(c: Context, recipe: str, output: str, layer: str = "weights", force: bool = False) -> None:
    """Save a built image as an archive that docker load, podman load and OCI tools take; the same bytes every time.

    A folder (it is one, ends with / or has no ending) becomes an OCI layout with every blob as a plain file.

    Example: invoke save --recipe minilm --output minilm.tar.gz
    """
    from portside.archive.write import check_output, compression_of, write_archive
    from portside.archive.write_layout import check_folder, is_folder, write_layout
    from portside.common.progress import human_bytes, live, say
    from portside.image.built import stored_image
    from portside.image.config import image_name
    from portside.prepare import locked_plan

    check_layer(layer)
    as_layout = is_folder(output)
    kind = "none" if as_layout else compression_of(output)
    (check_folder if as_layout else check_output)(Path(output), force=force)
    p = project()
    plan = locked_plan(p, p.recipe(recipe))
    image = stored_image(plan, p.store, layer)
    names = [image_name(recipe, layer), *([image_name(recipe, "latest")] if layer == "weights" else [])]
    with live():
        if as_layout:
            size = write_layout(image, names, p.store, Path(output))
        else:
            size = write_archive(image, names, p.store, Path(output), kind)
    say(f"{output}: {human_bytes(size)}, sha256:{image.image_id} as {', '.join(names)}")


@portside_task(
    optional=["engine"],
    help={
        "yes": "remove it; without this, only say what would be removed",
        "days": "how long partial transfers, refused inputs and logs are kept; default: 7",
        "engine": "what nobody needs in the engine instead; may name it: docker or podman",
        "json": JSON,
    },
)
def clean(c: Context, yes: bool = False, days: str = "7", engine: str | bool | None = None, json: bool = False) -> None:
    """What of the store no lock of any checkout needs, or of an engine no build: first listed, with --yes removed.

    A checkout is a folder with recipes that has used this store; its needs count as long as it is there.
    --engine: images of recipes whose name another image has, what killed builds and checks left, and the build cache of
    this store's builds. What has a name stays, and what a container needs.

    Example: invoke clean --yes
    """
    if engine:
        _clean_engine(None if engine is True else str(engine), yes, json)
        return
    from portside.clean import find_garbage, remove
    from portside.common.progress import human_bytes, say
    from portside.recipe import find_recipes

    p = machine()
    garbage, names = find_garbage(p, number(days, "days"))
    kept = [str(root) for root in p.store.checkouts().values() if find_recipes(root)]
    for root in kept:
        say(f"kept: what the recipes in {root} need")
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
        show({"removed": yes, "checkouts": kept, "images": names, "files": rows})


def _clean_engine(name: str | None, yes: bool, json: bool) -> None:
    from portside.build.in_engine import look, remove
    from portside.cli.report.engine import left_lines, left_report
    from portside.common.progress import human_bytes, say

    p = machine()
    running = p.engine(name)
    left = look(running, p.config.home)
    for line in left_lines(left):
        say(line)
    stays = remove(running, p.config.home, left) if yes else []
    for line in stays:
        say(line)
    total = human_bytes(left.free_bytes)
    say(f"about {total} removed" if yes else f"about {total} would be removed by: invoke clean --engine --yes")
    if json:
        show(left_report(left, yes, stays))


@portside_task(
    iterable=["recipe"],
    help=CHOICE
    | {
        "offline": "use only what is on this machine",
        "keep": "a folder for both tars of every part that differs",
        "limit": "paths shown of each part; 0 shows all",
        "engine": ENGINE,
        "json": JSON,
    },
)
def verify(
    c: Context,
    recipe: list[str],
    all: bool = False,
    changed_since: str | None = None,
    offline: bool = False,
    keep: str | None = None,
    limit: str = "20",
    engine: str | None = None,
    json: bool = False,
) -> None:
    """Build every layer again from its inputs, under other conditions, and compare; name what differs, and why.

    Ends with 9 where a layer is not reproducible.

    Example: invoke verify --recipe minilm
    """
    from portside.verify import verify as build_again
    from portside.verify.report import as_json, as_lines

    count = number(limit, "limit")
    p = project()
    chosen = choose(p, recipe, all, changed_since)
    proven: dict[Key, PartVerdict] = {}

    def verify_one(loaded: "Recipe") -> "Verdict":
        folder = Path(keep) if keep else None
        if folder is not None and not chosen.is_one:
            folder /= loaded.name
        verdict = build_again(p, loaded.name, engine=engine, offline=offline, keep=folder, proven=proven)
        if not json:
            tell(as_lines(verdict, count))
        return verdict

    verdicts, failed = each(chosen, verify_one)
    found = {name: as_json(verdict) for name, verdict in verdicts.items()}
    if json:
        show(found[chosen.names[0]] if chosen.is_one else report_each(found, failed))
    end(failed, len(chosen.recipes))
    if any(not verdict.reproducible for verdict in verdicts.values()):
        raise Exit(code=CheckError.exit_code)


@portside_task(
    positional=["left", "right"],
    help={
        "left": "RECIPE, RECIPE:LAYER, the first digits of a diff ID or image ID, a layer tar or an image archive",
        "right": "the same",
        "times": "files that differ in nothing but their time count, too",
        "limit": "lines shown of each group; 0 shows all",
        "exit-code": "end with 1 where there is a difference",
        "json": JSON,
    },
)
def diff(
    c: Context,
    left: str,
    right: str,
    times: bool = False,
    limit: str = "40",
    exit_code: bool = False,
    json: bool = False,
) -> None:
    """Two images or layers compared in files, packages and config.

    Example: invoke diff minilm:env minilm:migrated
    """
    from contextlib import ExitStack

    from portside.diff import diff as compare
    from portside.diff import open_side
    from portside.diff.report import as_json, as_lines

    count = number(limit, "limit")
    store = machine().store
    with ExitStack() as stack:
        made = compare(open_side(left, store, stack), open_side(right, store, stack), times=times)
        if json:
            show(as_json(made))
        else:
            tell(as_lines(made, count))
    if exit_code and not made.same:
        raise Exit(code=1)


@portside_task(
    help={
        "recipe": RECIPE,
        "output": "a new file",
        "offline": "use only what is on this machine",
        "json": JSON,
    }
)
def bundle(c: Context, recipe: str, output: str, offline: bool = False, json: bool = False) -> None:
    """One file that carries a recipe, its lock and all its inputs to a machine without a network.

    Example: invoke bundle --recipe minilm --output minilm.bundle
    """
    from portside.bundle import bundle as write
    from portside.common.progress import human_bytes, say
    from portside.fetch.fetcher import Fetcher
    from portside.prepare import lock_pin_and_plan

    p = project()
    plan_ = lock_pin_and_plan(p, p.recipe(recipe), offline=offline)
    written = write(plan_, p.store, Fetcher(p.store, p.config, offline), Path(output))
    say(f"{output}: {human_bytes(written.size)}, sha256 {written.diff_id}")
    if json:
        show({"recipe": recipe, "file": output, "bytes": written.size, "sha256": written.diff_id})


@portside_task(
    help={
        "archive": "a file that `invoke bundle` wrote",
        "force": "replace a recipe of that name that is another",
        "json": JSON,
    }
)
def unbundle(c: Context, archive: str, force: bool = False, json: bool = False) -> None:
    """Take a bundle's inputs into the store and its recipe into recipes/; `build --offline` needs nothing else.

    Example: invoke unbundle --archive minilm.bundle && invoke build --recipe minilm --offline
    """
    from portside.bundle import unbundle as read
    from portside.common.progress import human_bytes, say

    p = project()
    done = read(Path(archive), p.root, p.store, p.config, force=force)
    say(f"{done.recipe}: {done.inputs} inputs, {human_bytes(done.size)}")
    say(f"Build it: invoke build --recipe {done.recipe} --offline")
    if not done.same_keys:
        wrote = f"the Portside {done.written_by} that wrote it" if done.written_by else "the one that wrote it"
        say(f"This Portside, {__version__}, computes other keys than {wrote}: the image ID may be another, too.")
    if json:
        show({"recipe": done.recipe, "inputs": done.inputs, "bytes": done.size, "same_keys": done.same_keys})
