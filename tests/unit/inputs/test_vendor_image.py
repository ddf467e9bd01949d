"""A vendor's image as base: what is read out of the file, and files that are not what they should be."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from portside.config import Config
from portside.errors import InputError, MissingInputError
from portside.fetch.fetcher import Fetcher
from portside.fetch.folders import ManualInput
from portside.inputs.vendor_image import read_vendor_image
from portside.lock.bases import ArchiveBase
from portside.store import Store
from portside.store.indexes import image_index
from portside.store.layout import Blob

BASE = ArchiveBase(file="vendor.tar.gz", architecture="amd64")


def tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


LAYERS = (tar({"opt/a": b"a", "opt/b": b"b"}), tar({"opt/.wh.a": b"", "opt/c": b"c"}))


def archive(images: int = 1, **changes: Any) -> bytes:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-03-01T08:09:10.123456789+01:00",
        "config": {"Env": ["PATH=/opt/venv/bin:/bin", "A=b=c", "no name=x", "LINES=a\nb"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in LAYERS]},
        **changes,
    }
    raw = json.dumps(config).encode()
    name = hashlib.sha256(raw).hexdigest()
    entry = {"Config": f"{name}.json", "RepoTags": ["vendor.example/x:1"], "Layers": ["0/layer.tar", "1/layer.tar"]}
    members = {"0/layer.tar": LAYERS[0], "1/layer.tar": LAYERS[1], f"{name}.json": raw}
    return tar({**members, "manifest.json": json.dumps([entry] * images).encode()})


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "vendor.tar.gz"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_what_the_lock_gets_to_know(tmp_path: Path, packed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    data = gzip.compress(archive()) if packed else archive()
    store = Store(tmp_path / "home")
    found = read_vendor_image(write(tmp_path, data), BASE, store)
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert found.epoch == 1677654550
    assert found.reference == "vendor.example/x:1"
    assert found.env == {"PATH": "/opt/venv/bin:/bin", "A": "b=c"}
    assert "left out: variables with odd names, or with line breaks in their values: 'LINES', 'no name'" in (
        capsys.readouterr().err
    )
    assert [layer.diff_id for layer in found.layers] == [hashlib.sha256(layer).hexdigest() for layer in LAYERS]
    assert all(store.layout.blob(layer.diff_id).read_bytes() in LAYERS for layer in found.layers)
    assert read_vendor_image(tmp_path / "vendor.tar.gz", found, store) == found


def test_the_index_of_its_file_system(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    base = read_vendor_image(write(tmp_path, archive()), BASE, store)
    blobs = [Blob(layer.diff_id, layer.size) for layer in base.layers]
    for _ in range(2):  # computed, then read from the store
        entries = image_index(blobs, store, foreign=2).entries
        assert sorted(path for path, entry in entries.items() if entry.kind == "file") == ["opt/b", "opt/c"]


@pytest.mark.parametrize(
    ("data", "base", "expected"),
    [
        (archive(), BASE.model_copy(update={"sha256": "0" * 64}), "the lock says 000"),
        (archive(), BASE.model_copy(update={"size": 5}), "the lock says 5"),
        (archive(images=2), BASE, "holds 2 images"),
        (archive(architecture="arm64"), BASE, "is for linux/arm64"),
        (archive(created="yesterday"), BASE, "no proper date"),
        (archive(rootfs={"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}), BASE, "vendor.tar.gz"),
        (b"no tar", BASE, "vendor.tar.gz"),
        (gzip.compress(archive())[:-200], BASE, "vendor.tar.gz"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, data: bytes, base: ArchiveBase, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_vendor_image(write(tmp_path, data), base, Store(tmp_path / "home"))
    assert expected in caught.value.problem


@pytest.mark.parametrize("config", ["x", [], 5, {"Env": 5}, {"Env": "PATH=/x"}, {"Env": {"a": 1}}, {"Env": [None, 5]}])
def test_settings_of_the_image_that_are_none(tmp_path: Path, config: Any) -> None:
    found = read_vendor_image(write(tmp_path, archive(config=config)), BASE, Store(tmp_path / "home"))
    assert found.env == {}


def layout(folder: Path, packed: bool = False, **changes: Any) -> Path:
    """An OCI layout (image-spec 1.0) with the image of `archive`; None as a value takes a key out of its config."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    with tarfile.open(fileobj=io.BytesIO(archive(**changes))) as tarball:
        raw = next(tarball.extractfile(m).read() for m in tarball if m.name[:64].isalnum() and len(m.name) == 69)  # type: ignore[union-attr]
    config = json.dumps({key: value for key, value in json.loads(raw).items() if value is not None}).encode()
    layers = [put(gzip.compress(data) if packed else data) for data in LAYERS]
    manifest = put(json.dumps({"schemaVersion": 2, "config": put(config), "layers": layers}).encode())
    row = {**manifest, "annotations": {"org.opencontainers.image.ref.name": "vendor.example/x:1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [row]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


def oci_archive(tmp_path: Path, **changes: Any) -> Path:
    folder = layout(tmp_path / "packing", **changes)
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return write(tmp_path, tar(files))


def form(name: str, tmp_path: Path, **changes: Any) -> Path:
    """The same image as the file or the folder of one form."""
    tmp_path.mkdir(exist_ok=True)
    if name == "layout":
        return layout(tmp_path / "vendor.tar.gz", packed=True, **changes)
    return oci_archive(tmp_path, **changes) if name == "oci" else write(tmp_path, archive(**changes))


FORMS = ("docker", "oci", "layout")


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_same_base(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "home")
    path = form(name, tmp_path / "a")
    found = read_vendor_image(path, BASE, store)
    size = None if name == "layout" else path.stat().st_size
    sha256 = None if name == "layout" else hashlib.sha256(path.read_bytes()).hexdigest()
    docker = read_vendor_image(form("docker", tmp_path / "b"), BASE, Store(tmp_path / "other"))
    assert found == docker.model_copy(update={"size": size, "sha256": sha256})
    assert all(store.layout.blob(layer.diff_id).read_bytes() in LAYERS for layer in found.layers)


@pytest.mark.parametrize("locked", FORMS)
@pytest.mark.parametrize("brought", FORMS)
def test_locked_layers_say_which_image_it_is(tmp_path: Path, locked: str, brought: str) -> None:
    base = read_vendor_image(form(locked, tmp_path / "a"), BASE, Store(tmp_path / "first"))
    store = Store(tmp_path / "home")
    again = form(brought, tmp_path / "b", history=[{"created_by": "another tool"}])
    assert read_vendor_image(again, base, store) == base
    assert all(store.layout.has(layer.diff_id, layer.size) for layer in base.layers)


@pytest.mark.parametrize("name", FORMS)
def test_a_file_that_the_recipe_pins_is_that_file(tmp_path: Path, name: str) -> None:
    base = read_vendor_image(form("docker", tmp_path / "a"), BASE, Store(tmp_path / "first"))
    other = form(name, tmp_path / "b", history=[{"created_by": "another tool"}])
    with pytest.raises(InputError, match=r"the lock says|pins the sha256"):
        read_vendor_image(other, base, Store(tmp_path / "home"), pinned=True)


@pytest.mark.parametrize("name", FORMS)
def test_other_layers_are_another_image(tmp_path: Path, name: str) -> None:
    base = read_vendor_image(form("docker", tmp_path / "a"), BASE, Store(tmp_path / "first"))
    other = base.model_copy(update={"sha256": "0" * 64, "layers": base.layers[::-1]})
    store = Store(tmp_path / "home")
    with pytest.raises(InputError, match="its layers are not those of the lock"):
        read_vendor_image(form(name, tmp_path / "b"), other, store)
    assert not any(store.layout.has(layer.diff_id, layer.size) for layer in base.layers)


@pytest.mark.parametrize("name", FORMS)
def test_an_image_without_a_date(tmp_path: Path, name: str) -> None:
    path = form(name, tmp_path / "a", created=None)
    assert read_vendor_image(path, BASE, Store(tmp_path / "home")).epoch == 0


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("change", [bytes, lambda data: data + b"x", None])
def test_a_layout_that_is_damaged(tmp_path: Path, number: int, change: Any) -> None:
    folder = layout(tmp_path / "vendor.tar.gz")
    blob = sorted((folder / "blobs/sha256").iterdir())[number]
    if change is None:
        blob.unlink()
    else:
        blob.write_bytes(b"" if change is bytes else change(blob.read_bytes()))
    store = Store(tmp_path / "home")
    with pytest.raises(InputError, match=r"vendor\.tar\.gz"):
        read_vendor_image(folder, BASE, store)
    assert not any(store.layout.has(hashlib.sha256(data).hexdigest(), len(data)) for data in LAYERS)  # type: ignore[arg-type]


def test_a_layout_among_the_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout(tmp_path / "downloads" / "vendor.tar.gz")
    (tmp_path / "downloads" / "other").mkdir()
    store = Store(tmp_path / "home")
    fetcher = Fetcher(store, Config(home=store.home, folders=(tmp_path / "downloads",)), offline=True)
    found = fetcher.archive(BASE, ManualInput(*BASE.inputs("base")))
    assert len(found.layers) == 2
    assert "locked by its 2 layers" in capsys.readouterr().err
    with pytest.raises(MissingInputError):
        other = BASE.model_copy(update={"file": "other"})
        fetcher.archive(other, ManualInput(*other.inputs("base")))


def test_an_archive_that_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.inputs.vendor_image.SEEN_FROM", 0)
    store = Store(tmp_path / "home")
    path = write(tmp_path, archive())
    found = read_vendor_image(path, BASE, store)
    with monkeypatch.context() as patch:
        patch.setattr("portside.inputs.vendor_image.read_archive", lambda *args: pytest.fail("it is known"))
        assert read_vendor_image(path, BASE, Store(tmp_path / "home")) == found
        assert read_vendor_image(path, found, store) == found
        with pytest.raises(InputError, match="the lock says"):
            read_vendor_image(path, BASE.model_copy(update={"sha256": "1" * 64}), store)
    store.layout.blob(found.layers[0].diff_id).unlink()
    assert read_vendor_image(path, BASE, store) == found
    assert store.layout.has(found.layers[0].diff_id, None), "what the store lacks is taken out of it"


def test_an_archive_that_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.inputs.vendor_image.SEEN_FROM", 0)
    store = Store(tmp_path / "home")
    path = write(tmp_path, archive())
    before, first = path.stat(), read_vendor_image(path, BASE, store)
    other = archive(created="2023-03-01T08:09:11.123456789+01:00")
    with path.open("r+b") as stream:
        stream.write(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == first.size
    found = read_vendor_image(path, BASE, store)
    assert (found.sha256, found.epoch) == (hashlib.sha256(other).hexdigest(), first.epoch + 1)
