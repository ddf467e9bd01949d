"""The layer tars of an image in Docker: read in place where that is possible, else out of `docker save`."""

import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO

from portside.common import foreign_tar
from portside.common.canonical import CHUNK, copy_and_hash
from portside.common.compression import as_file, detect, inflated
from portside.common.oci import chain_ids
from portside.common.values import DiffID, ImageID, told
from portside.errors import EngineError
from portside.layers.raw import OverlayLayer, TarLayer


def overlay_folders(info: Mapping[str, Any], image: Mapping[str, Any], first: int) -> list[OverlayLayer] | None:
    """The overlay2 folders of an image's layers from number `first` on, or None where they cannot be trusted.

    info and image: what the API's /info and /images/NAME/json give. Docker names the folders of an image, top first,
    in GraphDriver.Data; its own layer database (moby layer/filestore.go: layerdb/sha256/CHAIN/{diff,cache-id}) must
    say the same, which also proves that the daemon is on this machine. Overlays with redirections, with user
    extended attributes (rootless) or with shifted owners (userns-remap) are not what a layer tar would hold.
    """
    status = {str(key): str(value) for key, value in info.get("DriverStatus") or []}
    if info.get("Driver") != "overlay2" or os.geteuid() != 0:
        return None
    if status.get("Native Overlay Diff") != "true" or status.get("userxattr", "false") != "false":
        return None
    if any("name=userns" in option or "name=rootless" in option for option in info.get("SecurityOptions") or []):
        return None
    data = (image.get("GraphDriver") or {}).get("Data") or {}
    folders = [data.get("UpperDir", ""), *data.get("LowerDir", "").split(":")]
    folders = [folder for folder in folders if folder][::-1]
    diff_ids = layer_ids(image)
    if len(folders) != len(diff_ids):
        return None
    root = Path(info.get("DockerRootDir", "/nowhere"))
    found = []
    for folder, diff_id, chain in list(zip(folders, diff_ids, chain_ids(diff_ids), strict=True))[first:]:
        record = root / "image" / "overlay2" / "layerdb" / "sha256" / chain
        try:
            said = (record / "diff").read_text(), root / "overlay2" / (record / "cache-id").read_text() / "diff"
        except OSError:
            return None
        if said != (f"sha256:{diff_id}", Path(folder)) or not Path(folder).is_dir():
            return None
        found.append(OverlayLayer(Path(folder)))
    return found


def spool_saved(stream: Iterator[bytes], diff_ids: Sequence[DiffID], first: int, spool: Path) -> list[TarLayer]:
    """Take the layers from number `first` on out of a `docker save` stream into files of the folder `spool`.

    A blob is a layer if its uncompressed bytes hash to a wanted diff ID: so the archive's style (docker-archive of
    20.10, OCI layout since 25, gzip'd blobs of the containerd image store) does not matter, and the bytes are proven.
    """
    wanted = set(diff_ids[first:])
    known = set(diff_ids[:first]) - wanted
    found: dict[str, TarLayer] = {}
    for member, content in saved_members(stream):
        if member.name.rpartition("/")[2] in known:
            continue
        part = spool / "part"
        with part.open("wb") as target:
            diff_id, _ = copy_and_hash(_uncompressed(content, member.name), target.write)
        if diff_id in wanted:
            found[diff_id] = TarLayer(part.rename(spool / f"{diff_id}.tar"))
            if wanted == set(found):
                break
    if missing := sorted(wanted - set(found)):
        raise EngineError(f"the engine did not give back layer {missing[0]} of the image it built")
    return [found[diff_id] for diff_id in diff_ids[first:]]


def saved_members(stream: Iterator[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The regular files of a tar that comes in pieces."""
    with foreign_tar.open_stream(as_file(stream), bufsize=CHUNK) as archive:
        for member in foreign_tar.members(archive):
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                yield member, content


def saved_config_digest(stream: Iterator[bytes], name: str) -> ImageID | None:
    """The config digest (hex) of an image whose name (`sha256:…`) is that of its manifest or index, from `docker save`.

    Reads only as far as needed. None if the stream does not hold the image.
    """
    blobs: dict[str, Any] = {}
    for member, content in saved_members(stream):
        if member.size > CHUNK:
            continue
        try:
            blobs[f"sha256:{member.name.rpartition('/')[2]}"] = json.loads(content.read())
        except ValueError:
            continue
        if found := _config_digest(blobs, name):
            return found
    return None


def _config_digest(blobs: Mapping[str, Any], digest: str) -> ImageID | None:
    blob = blobs.get(digest)
    if not isinstance(blob, dict):
        return None
    if "config" in blob and "layers" in blob:
        return image_id(blob["config"]["digest"])
    platforms = [part for part in blob.get("manifests", ()) if part.get("platform", {}).get("os") != "unknown"]
    return _config_digest(blobs, platforms[0]["digest"]) if platforms else None


def image_id(said: object) -> ImageID:
    """An image ID in an engine's words: HEX or `sha256:HEX`. Raises EngineError for something else."""
    return told(ImageID, str(said).removeprefix("sha256:"), "the engine's image ID", EngineError)


def layer_ids(image: Mapping[str, Any]) -> list[DiffID]:
    """The diff IDs (hex) of an inspected image, bottom first. Raises EngineError for other names of layers."""
    try:
        return [DiffID.of_digest(layer) for layer in (image.get("RootFS") or {}).get("Layers") or []]
    except ValueError:
        raise EngineError("the engine names layers by something other than sha256") from None


def _uncompressed(content: IO[bytes], name: str) -> BinaryIO:
    head = content.read(4)
    kind, source = detect(head), as_file(_chunks(head, content))
    return source if kind == "none" else as_file(inflated(source, kind, name))


def _chunks(head: bytes, rest: IO[bytes]) -> Iterator[bytes]:
    yield head
    while chunk := rest.read(CHUNK):
        yield chunk
