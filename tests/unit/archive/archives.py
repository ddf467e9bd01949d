"""Archives made by hand, as tools make them and as attackers would."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from random import Random

from portside.common.tree import Tree, file_entry
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.store import Store
from portside.store.layout import Blob, Image


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def layer_tar(name: str, size: int) -> bytes:
    out = io.BytesIO()
    write_layer(data_layer(Tree([file_entry(name, Random(name).randbytes(size))]), 0), out)
    return out.getvalue()


LAYERS = [layer_tar("one", 300_000), layer_tar("two", 10)]


def config_of(layers: list[bytes], **more: object) -> bytes:
    diff_ids = [f"sha256:{sha(layer)}" for layer in layers]
    return json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}, **more}).encode()


CONFIG = config_of(LAYERS)


def put_image(store: Store) -> Image:
    """The image of LAYERS in a store."""
    for layer in LAYERS:
        store.layout.put_blob(layer)
    return Image(CONFIG, tuple(Blob(sha(layer), len(layer)) for layer in LAYERS))


def docker_files(layers: list[bytes] = LAYERS, config: bytes = CONFIG, names: object = ("a/b:c",)) -> dict[str, bytes]:
    """What `docker save` of 20.10 writes, the manifest last."""
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": f"{sha(config)}.json", "RepoTags": names, "Layers": paths}]
    files = {f"{sha(config)}.json": config, **dict(zip(paths, layers, strict=True))}
    return {**files, "manifest.json": json.dumps(manifest).encode(), "repositories": b"{}"}


def oci_files(layers: list[tuple[bytes, str]], config: bytes = CONFIG, name: str | None = "v1") -> dict[str, bytes]:
    """An OCI layout. layers: the blob and the ending of its media type."""
    kind = "application/vnd.oci.image.{}"

    def row(media_type: str, data: bytes) -> dict[str, object]:
        return {"mediaType": media_type, "digest": f"sha256:{sha(data)}", "size": len(data)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": row(kind.format("config.v1+json"), config),
            "layers": [row(kind.format(f"layer.v1.tar{ending}"), data) for data, ending in layers],
        }
    ).encode()
    entry = row(kind.format("manifest.v1+json"), manifest)
    if name:
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    blobs = [manifest, config, *(data for data, _ in layers)]
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": index,
        **{f"blobs/sha256/{sha(data)}": data for data in blobs},
    }


def write_tar(
    path: Path, files: dict[str, bytes], links: dict[str, str] | None = None, form: int = tarfile.GNU_FORMAT
) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)
