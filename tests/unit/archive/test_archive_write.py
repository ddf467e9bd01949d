"""Archives out: the same bytes every time, for Docker and OCI tools alike."""

import gzip
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from archives import CONFIG, LAYERS, put_image, sha

from portside.archive.read import read_archive
from portside.archive.write import check_output, compression_of, write_archive
from portside.common.compression import Compression
from portside.errors import InputError, RecipeError, StoreError
from portside.store import Store

NAMES = ["portside/x:latest", "portside/x:weights"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.mark.parametrize("kind", ["none", "gzip", "zstd"])
def test_what_is_saved_can_be_loaded(store: Store, tmp_path: Path, kind: Compression) -> None:
    path = tmp_path / "a.tar"
    size = write_archive(put_image(store), NAMES, store, path, kind)
    assert path.stat().st_size == size
    [image] = read_archive(path, Store(tmp_path / "other")).images
    assert image.image == put_image(store)
    assert image.names == tuple(NAMES)


@pytest.mark.parametrize("kind", ["none", "gzip", "zstd"])
def test_the_same_bytes_every_time(store: Store, tmp_path: Path, kind: Compression) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_archive(put_image(store), NAMES, store, one, kind)
    other = Store(tmp_path / "other")
    write_archive(put_image(other), NAMES, other, two, kind)
    assert one.read_bytes() == two.read_bytes()


def test_the_bytes_are_those_of_the_format(store: Store, tmp_path: Path) -> None:
    """Held still: a change here is one that people see in their checksums."""
    path = tmp_path / "a.tar"
    write_archive(put_image(store), NAMES, store, path)
    assert sha(path.read_bytes()) == "1cc9fb666628979463c1bbb3320e8e15e48b7dc52d17a3b95656921a006df51a"


def test_both_manifests_name_the_same_image(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_archive(put_image(store), NAMES, store, path)
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        assert {(m.mtime, m.uid, m.gid, m.mode, m.uname) for m in archive} == {(0, 0, 0, 0o644, "")}
    [docker] = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == NAMES
    assert files[docker["Config"]] == CONFIG
    assert [files[name] for name in docker["Layers"]] == LAYERS
    rows = json.loads(files["index.json"])["manifests"]
    assert [row["annotations"]["org.opencontainers.image.ref.name"] for row in rows] == NAMES
    manifest = json.loads(files["blobs/sha256/" + rows[0]["digest"].removeprefix("sha256:")])
    assert [row["digest"] for row in manifest["layers"]] == [f"sha256:{sha(layer)}" for layer in LAYERS]


@pytest.mark.parametrize("transport", ["docker-archive:{}/a.tar", "oci:{}/unpacked:portside/x:weights"])
def test_another_tool_reads_it(store: Store, tmp_path: Path, transport: str) -> None:
    """Unpacked by us: skopeo would give the files of an oci-archive to root, as they are in it, which only root may."""
    path = tmp_path / "a.tar"
    write_archive(put_image(store), NAMES, store, path)
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-x", "-f", path, "-C", tmp_path / "unpacked"], check=True)
    command = ["skopeo", "inspect", "--config", "--raw", transport.format(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == CONFIG


def test_gzip_is_gzip(store: Store, tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.tar", tmp_path / "a.tar.gz"
    write_archive(put_image(store), NAMES, store, plain)
    write_archive(put_image(store), NAMES, store, packed, "gzip")
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes()[4:8] == bytes(4)


def test_a_damaged_blob_of_the_store_is_no_archive(store: Store, tmp_path: Path) -> None:
    image = put_image(store)
    path = store.layout.blob(image.layers[0].digest)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    target = tmp_path / "a.tar"
    target.write_bytes(b"the one before")
    with pytest.raises(StoreError, match=image.layers[0].digest):
        write_archive(image, NAMES, store, target)
    assert target.read_bytes() == b"the one before"
    assert not path.exists(), "a damaged blob is put aside"
    with pytest.raises(StoreError, match="has no blob"):
        write_archive(image, NAMES, store, target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar", "home"]


def test_a_place_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_archive(put_image(store), NAMES, store, tmp_path / "missing" / "a.tar", "gzip")


def test_names_say_the_compression() -> None:
    assert [compression_of(name) for name in ("a.tar", "a.tar.gz", "a.tgz", "a.tar.zst")] == [
        "none",
        "gzip",
        "gzip",
        "zstd",
    ]
    with pytest.raises(RecipeError, match="is no name of an archive"):
        compression_of("a.zip")


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    check_output(path, force=False)
    path.write_bytes(b"precious")
    with pytest.raises(RecipeError, match=r"exists already(.|\n)*--force"):
        check_output(path, force=False)
    check_output(path, force=True)
    with pytest.raises(RecipeError, match="is a folder"):
        check_output(tmp_path, force=True)
    with pytest.raises(RecipeError, match=r"no folder .*/nowhere(.|\n)*mkdir -p "):
        check_output(tmp_path / "nowhere" / "image.tar", force=False)
