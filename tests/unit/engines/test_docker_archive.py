"""The archive that is sent to Docker, and the archives that Docker gives back."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portside.common.oci import chain_ids
from portside.engines import ImageLayer, ImageToLoad, docker_layers
from portside.engines.archive import CONFIG_ANNOTATION, layers_to_send, stream
from portside.errors import EngineError
from portside.layers.raw import OverlayLayer


def _layer(data: bytes, size: int | None = None) -> ImageLayer:
    digest = hashlib.sha256(data).hexdigest()
    return ImageLayer(digest, len(data) if size is None else size, lambda: io.BytesIO(data))


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive if m.isreg()}  # type: ignore[union-attr]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def test_a_layer_that_is_in_an_image_twice_is_sent_once() -> None:
    a, b = _layer(b"a"), _layer(b"b")
    image = ImageToLoad(b"{}", (a, b, a), ())
    assert layers_to_send(image) == [a, b]
    assert layers_to_send(image, [False, True, True]) == [b, a]
    assert layers_to_send(image, [False, False, False]) == []


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4, unique=True), st.integers(0, 3))
def test_the_archive_says_the_same_in_both_forms(contents: list[bytes], left_out: int) -> None:
    layers = tuple(_layer(data) for data in contents)
    image = ImageToLoad(b'{"a": "config"}', layers, ("portside/x:y",))
    sent = layers[left_out:]
    advanced: list[int] = []
    members = _members(b"".join(stream(image, sent, advanced.append)))
    assert sum(advanced) == sum(layer.size for layer in sent)

    index = json.loads(members["index.json"])["manifests"][0]
    manifest = members["blobs/sha256/" + index["digest"].removeprefix("sha256:")]
    assert manifest == image.manifest() and index["size"] == len(manifest)
    assert index["annotations"] == {CONFIG_ANNOTATION: image.image_id}
    (archive,) = json.loads(members["manifest.json"])
    assert members[archive["Config"]] == image.config
    listed = [item["digest"].removeprefix("sha256:") for item in json.loads(manifest)["layers"]]
    assert archive["Layers"] == [f"blobs/sha256/{digest}" for digest in listed]
    assert listed == [layer.diff_id for layer in layers]
    for layer, data in zip(layers, contents, strict=True):
        assert members.get(f"blobs/sha256/{layer.diff_id}") == (data if layer in sent else None)


@pytest.mark.parametrize("claimed", [99, 101])
def test_a_layer_of_another_size_never_ends_the_archive(claimed: int) -> None:
    layer = _layer(b"x" * 100, claimed)
    with pytest.raises(EngineError, match=layer.diff_id):
        list(stream(ImageToLoad(b"{}", (layer,), ()), [layer], lambda count: None))


def _archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.integers(0, 4), st.integers(50, 9000))
@example([b"a layer", b"x" * 600], 1, 1)
def test_layers_come_out_of_every_style(data: list[bytes], first: int, size: int) -> None:
    data = [b"\0" + item for item in data]
    digests = [hashlib.sha256(item).hexdigest() for item in data]
    two_members = [gzip.compress(item[:9]) + gzip.compress(item[9:]) for item in data]
    styles = {
        "docker-archive": {f"id{number}/layer.tar": item for number, item in enumerate(data)},
        "layout": {f"blobs/sha256/{digest}": item for digest, item in zip(digests, data, strict=True)},
        "compressed": {f"blobs/sha256/{hashlib.sha256(item).hexdigest()}": item for item in two_members},
    }
    for style, files in styles.items():
        archive = _archive({"manifest.json": b"[]", **files, "index.json": b"{}"})
        with TemporaryDirectory() as spool:
            found = docker_layers.spool_saved(_pieces(archive, size), digests, first, Path(spool))
            assert [layer.path.read_bytes() for layer in found] == data[first:], style


def test_a_small_blob_may_hold_much(tmp_path: Path) -> None:
    data = bytes(5 << 20)
    archive = _archive({"blobs/sha256/any": gzip.compress(data, mtime=0)})
    (found,) = docker_layers.spool_saved(_pieces(archive, 1000), [hashlib.sha256(data).hexdigest()], 0, tmp_path)
    assert found.path.read_bytes() == data


def test_a_layer_that_is_not_there_or_is_another(tmp_path: Path) -> None:
    archive = _archive({"blobs/sha256/" + "a" * 64: b"other bytes"})
    with pytest.raises(EngineError, match="a" * 64):
        docker_layers.spool_saved(_pieces(archive, 1000), ["a" * 64], 0, tmp_path)


C0 = "c0" * 32


def test_the_config_digest_of_a_manifest_and_of_an_index() -> None:
    manifest = json.dumps({"config": {"digest": f"sha256:{C0}"}, "layers": []}).encode()
    entries = [
        {"digest": "sha256:attested", "platform": {"os": "unknown"}},
        {"digest": "sha256:11", "platform": {"os": "linux"}},
    ]
    index = json.dumps({"manifests": entries}).encode()
    for names in (["22", "11"], ["11", "22"]):
        blobs = {"11": manifest, "22": index}
        archive = _archive({f"blobs/sha256/{name}": blobs[name] for name in names})
        assert docker_layers.saved_config_digest(_pieces(archive, 700), "sha256:11") == C0
        assert docker_layers.saved_config_digest(_pieces(archive, 700), "sha256:22") == C0
        assert docker_layers.saved_config_digest(_pieces(archive, 700), "sha256:33") is None


def test_an_image_id_that_is_none() -> None:
    assert docker_layers.image_id(f"sha256:{C0}") == docker_layers.image_id(C0) == C0
    with pytest.raises(EngineError, match=r"the engine's image ID: expected a sha256.*'sha512:c0'"):
        docker_layers.image_id("sha512:c0")


class _Overlay:
    """The parts of a daemon's data root that prove which folder is which layer."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 0)
        self.diffs = [hashlib.sha256(bytes([number])).hexdigest() for number in range(3)]
        self.folders = [root / "overlay2" / f"cache{number}" / "diff" for number in range(3)]
        self.records = [root / "image/overlay2/layerdb/sha256" / chain for chain in chain_ids(self.diffs)]
        for diff, folder, record in zip(self.diffs, self.folders, self.records, strict=True):
            folder.mkdir(parents=True)
            record.mkdir(parents=True)
            (record / "diff").write_text(f"sha256:{diff}")
            (record / "cache-id").write_text(folder.parent.name)
        self.info: dict[str, object] = {
            "Driver": "overlay2",
            "DriverStatus": [["Native Overlay Diff", "true"], ["userxattr", "false"]],
            "SecurityOptions": ["name=seccomp,profile=default"],
            "DockerRootDir": str(root),
        }
        lower = ":".join(map(str, self.folders[1::-1]))
        self.image = {
            "RootFS": {"Layers": [f"sha256:{diff}" for diff in self.diffs]},
            "GraphDriver": {"Data": {"UpperDir": str(self.folders[2]), "LowerDir": lower}},
        }

    def find(self, first: int) -> list[OverlayLayer] | None:
        return docker_layers.overlay_folders(self.info, self.image, first)


def test_overlay_folders_are_proven_by_the_layer_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = _Overlay(tmp_path, monkeypatch)
    assert overlay.find(0) == [OverlayLayer(folder) for folder in overlay.folders]
    assert overlay.find(2) == [OverlayLayer(overlay.folders[2])]
    (overlay.records[2] / "cache-id").write_text("cache1")
    assert overlay.find(2) is None and overlay.find(3) == []
    assert overlay.find(0) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Driver", "vfs"),
        ("DriverStatus", [["Native Overlay Diff", "false"], ["userxattr", "false"]]),
        ("DriverStatus", [["Native Overlay Diff", "true"], ["userxattr", "true"]]),
        ("SecurityOptions", ["name=userns"]),
        ("DockerRootDir", "/nowhere/else"),
    ],
)
def test_overlay_folders_of_another_kind_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object
) -> None:
    overlay = _Overlay(tmp_path, monkeypatch)
    overlay.info[key] = value
    assert overlay.find(0) is None


def test_overlay_folders_need_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = _Overlay(tmp_path, monkeypatch)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert overlay.find(0) is None
