"""Archives in: of every tool, compressed or not; hostile ones leave the store as it was."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from archives import CONFIG, LAYERS, config_of, docker_files, gzipped, layer_tar, oci_files, sha, write_tar
from hypothesis import given, settings
from hypothesis import strategies as st

from portside.archive.read import read_archive
from portside.archive.tar import LARGEST_HEADER, MOST_MEMBERS, members
from portside.errors import InputError
from portside.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def blobs(store: Store) -> set[str]:
    folder = store.layout.path / "blobs" / "sha256"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def check(store: Store, path: Path, names: tuple[str, ...] = ("a/b:c",)) -> None:
    """The archive gives the image of LAYERS."""
    [image] = read_archive(path, store).images
    assert (image.config, image.names) == (CONFIG, names)
    assert [layer.digest for layer in image.layers] == [sha(layer) for layer in LAYERS]
    for layer, data in zip(image.layers, LAYERS, strict=True):
        assert store.layout.blob(layer.digest).read_bytes() == data
        assert layer.size == len(data)
    assert list((store.home / "work").iterdir()) == []


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_docker_archive(store: Store, tmp_path: Path, form: int) -> None:
    check(store, write_tar(tmp_path / "a.tar", docker_files(), form=form))


@pytest.mark.parametrize("pack", [gzipped, zstandard.ZstdCompressor().compress])
def test_a_compressed_archive(store: Store, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    plain = write_tar(tmp_path / "a.tar", docker_files())
    packed = tmp_path / "a.tar.packed"
    packed.write_bytes(pack(plain.read_bytes()))
    check(store, packed)


def test_compressed_layers_in_a_docker_archive(store: Store, tmp_path: Path) -> None:
    files = docker_files() | {"0/layer.tar": gzipped(LAYERS[0])}
    check(store, write_tar(tmp_path / "a.tar", files))


def test_an_oci_archive_with_layers_of_all_kinds(store: Store, tmp_path: Path) -> None:
    layers = [(gzipped(LAYERS[0]), "+gzip"), (zstandard.ZstdCompressor().compress(LAYERS[1]), "+zstd")]
    check(store, write_tar(tmp_path / "a.tar", oci_files(layers)), ("v1",))
    other = Store(tmp_path / "other")
    check(other, write_tar(tmp_path / "b.tar", oci_files([(data, "") for data in LAYERS], name=None)), ())


def test_equal_layers_are_links_in_old_archives(store: Store, tmp_path: Path) -> None:
    layers = [LAYERS[0], LAYERS[0]]
    files = docker_files(layers, config_of(layers))
    del files["1/layer.tar"]
    [image] = read_archive(write_tar(tmp_path / "a.tar", files, {"1/layer.tar": "../0/layer.tar"}), store).images
    assert [layer.digest for layer in image.layers] == [sha(LAYERS[0])] * 2


def test_repacked_by_hand(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    for name, data in docker_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    subprocess.run(["tar", "-C", folder, "-cf", tmp_path / "a.tar", "."], check=True)
    check(store, tmp_path / "a.tar")


def test_a_blob_that_was_cut_off_is_made_whole(store: Store, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", docker_files())
    read_archive(path, store)
    blob = store.layout.blob(sha(LAYERS[0]))
    blob.chmod(0o644)
    blob.write_bytes(LAYERS[0][:-512])
    check(store, path)


def test_several_images(store: Store, tmp_path: Path) -> None:
    other = config_of(LAYERS[:1])
    files = docker_files()
    manifest = json.loads(files["manifest.json"])
    manifest.append({"Config": f"{sha(other)}.json", "RepoTags": None, "Layers": ["0/layer.tar"]})
    files |= {"manifest.json": json.dumps(manifest).encode(), f"{sha(other)}.json": other}
    found = read_archive(write_tar(tmp_path / "a.tar", files), store).images
    assert [(image.config, image.names) for image in found] == [(CONFIG, ("a/b:c",)), (other, ())]


def test_the_file_itself_can_be_checked_before_anything_is_kept(store: Store, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", docker_files())
    seen: list[str] = []
    assert read_archive(path, store, seen.append).sha256 == sha(path.read_bytes()) == seen[0]

    def refuse(sha256: str) -> None:
        raise InputError(f"not {sha256}")

    other = Store(tmp_path / "other")
    with pytest.raises(InputError, match="not "):
        read_archive(path, other, refuse)
    assert blobs(other) == set()


def without(*names: str) -> dict[str, bytes]:
    return {name: data for name, data in docker_files().items() if name not in names}


def manifest(value: object) -> dict[str, bytes]:
    return docker_files() | {"manifest.json": json.dumps(value).encode()}


CONFIG_NAME = f"{sha(CONFIG)}.json"
GOOD = {"Config": CONFIG_NAME, "RepoTags": [], "Layers": ["0/layer.tar", "1/layer.tar"]}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a": b"b"}, "is no image archive"),
        (without("0/layer.tar"), "has no 0/layer.tar"),
        (without(CONFIG_NAME), "which its manifest names"),
        (docker_files() | {"0/layer.tar": layer_tar("other", 5)}, "in the config"),
        (docker_files() | {CONFIG_NAME: CONFIG + b" "}, "is not what its name says"),
        (docker_files(names=["../x"]), "is no name of an image"),
        (docker_files(names=[5]), "is no name of an image"),
        (docker_files(config=b"[]"), "no image config"),
        (docker_files(config=config_of(LAYERS[:1])), "2 layers, and 1 in the config"),
        (docker_files() | {"manifest.json": b"{"}, "manifest.json is damaged"),
        (docker_files() | {"manifest.json": b"[" * 100_000}, "manifest.json is damaged"),
        (manifest({}), "its manifest is damaged"),
        (manifest([]), "is no image archive"),
        (manifest([{}]), "names no config and layers"),
        (manifest([GOOD | {"Layers": ["../../etc/passwd", "1/layer.tar"]}]), "has no ../../etc/passwd"),
        (manifest([GOOD | {"Config": "/etc/passwd"}]), "has no /etc/passwd"),
        (docker_files() | {"manifest.json": b" " * (9 << 20)}, "too many for what it is"),
        (docker_files() | {"0/layer.tar": gzipped(LAYERS[0])[:-20]}, "0/layer.tar is damaged"),
        (oci_files([(layer_tar("x", 4), ""), (LAYERS[1], "")]), "in the config"),
        (oci_files([(LAYERS[0], ""), (LAYERS[1], "")]) | {f"blobs/sha256/{sha(LAYERS[1])}": LAYERS[0]}, "not what its"),
    ],
)
def test_archives_that_do_not_keep_to_what_they_say(
    store: Store, tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        read_archive(write_tar(tmp_path / "a.tar", files), store)
    assert blobs(store) == set()
    assert list((store.home / "work").iterdir()) == []


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
def test_names_that_point_out_of_the_archive(store: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no path below its root"):
        read_archive(write_tar(tmp_path / "a.tar", {name: b"x", **docker_files()}), store)
    assert blobs(store) == set()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "../../0/layer.tar"])
def test_links_that_point_out_of_the_archive(store: Store, tmp_path: Path, target: str) -> None:
    path = write_tar(tmp_path / "a.tar", without("1/layer.tar"), {"1/layer.tar": target})
    with pytest.raises(InputError, match="outside of it"):
        read_archive(path, store)


def test_links_in_a_circle(store: Store, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", without("1/layer.tar"), {"1/layer.tar": "x", "1/x": "layer.tar"})
    with pytest.raises(InputError, match="which its manifest names"):
        read_archive(path, store)


def test_a_name_that_comes_twice(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, docker_files())
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("./manifest.json"))
    with pytest.raises(InputError, match=r"manifest\.json comes twice"):
        read_archive(path, store)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, b"Z"])
def test_members_that_no_image_archive_has(kind: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type = kind
    with pytest.raises(InputError, match="no image archive has"):
        list(members(io.BytesIO(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))))


def pax_tar(records: dict[bytes, bytes], data: bytes, told: int | None = None) -> bytes:
    """A tar with one file behind a PAX header. told: the header's size, if it shall lie."""
    body = b""
    for key, value in records.items():
        rest = len(key) + len(value) + 3
        length = next(n for n in range(rest, rest + 20) if n == rest + len(str(n)))
        body += b"%d %b=%b\n" % (length, key, value)
    head = tarfile.TarInfo("pax")
    head.type, head.size = tarfile.XHDTYPE, len(body) if told is None else told
    info = tarfile.TarInfo("file")
    info.size = len(data)
    heads = [item.tobuf(tarfile.USTAR_FORMAT) for item in (head, info)]
    return heads[0] + body + bytes(-len(body) % 512) + heads[1] + data + bytes(-len(data) % 512) + bytes(1024)


def test_a_name_with_a_null_byte() -> None:
    with pytest.raises(InputError, match="is no path below its root"):
        list(members(io.BytesIO(pax_tar({b"path": b"a\0b"}, b"x"))))


def test_pax_headers() -> None:
    source = io.BytesIO(pax_tar({b"path": "lager/\u00e9".encode(), b"mtime": b"1.5", b"size": b"3"}, b"abc"))
    assert [(member.name, content.read()) for member, content in members(source)] == [("lager/\u00e9", b"abc")]


@pytest.mark.parametrize(
    "data",
    [
        pax_tar({b"path": b"x"}, b"x", told=LARGEST_HEADER + 1),
        pax_tar({b"size": b"99999999999999999999"}, b"x"),
        pax_tar({b"size": b"-1"}, b"x"),
        pax_tar({b"GNU.sparse.major": b"1"}, b"x"),
        pax_tar({b"path": b"x"}, b"x").replace(b"9 path=x\n", b"8 path=x\n"),
        pax_tar({b"path": b"x"}, b"x").replace(b"9 path=x\n", b"0 path=x\n"),
    ],
)
def test_damaged_and_hostile_headers(data: bytes) -> None:
    with pytest.raises(InputError):
        for _, content in members(io.BytesIO(data)):
            content.read()


def field_tar(size: bytes, checksum: bytes = b"%06o\0 ", kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar whose one member's size stands in its header as these 12 bytes."""
    info = tarfile.TarInfo("file")
    info.type = kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = size.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = checksum % sum(block)
    return bytes(block) + b"x" * 512 + bytes(1024)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [b"-0000000001", b"-1", b"+1", b"0_1", b"0o1", b"8", b"1 1", b"\xff" * 12])
def test_a_size_consists_of_octal_digits(size: bytes, kind: bytes) -> None:
    with pytest.raises(InputError, match="is no tar, or it is damaged"):
        list(members(io.BytesIO(field_tar(size, kind=kind))))


@pytest.mark.parametrize("size", [b"00000000007\0", b"7", b" 7 ", b"\x80" + bytes(10) + b"\7"])
def test_sizes_as_tars_have_them(size: bytes) -> None:
    for checksum in (b"%06o\0 ", b"%07o\0", b"% 6o\0 "):
        assert [content.read() for _, content in members(io.BytesIO(field_tar(size, checksum)))] == [b"x" * 7]


def test_a_member_that_claims_a_terabyte_takes_no_memory(tmp_path: Path, store: Store) -> None:
    info = tarfile.TarInfo("0/layer.tar")
    info.size = 1 << 40
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 1000)
    with pytest.raises(InputError, match="ends in the middle"):
        read_archive(path, store)


def test_members_without_end() -> None:
    class Endless(io.RawIOBase):
        count = 0

        def read(self, size: int = -1) -> bytes:
            type(self).count += 1
            return tarfile.TarInfo(f"x{type(self).count}").tobuf(tarfile.USTAR_FORMAT)

    with pytest.raises(InputError, match=f"more than {MOST_MEMBERS} members"):
        for _ in members(Endless()):  # type: ignore[arg-type]
            pass


def test_a_bomb_is_refused_long_before_it_has_unpacked(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portside.common.compression.BOMB_FROM", 16 << 20)  # a GiB takes seconds, and shows no more
    zeros = zstandard.ZstdCompressor().compressobj()
    with (tmp_path / "bomb.zst").open("wb") as out:
        info = tarfile.TarInfo("0/layer.tar")
        info.size = 8 << 30
        out.write(zeros.compress(info.tobuf(tarfile.GNU_FORMAT)))
        for _ in range(40):
            out.write(zeros.compress(bytes(1 << 20)))
        out.write(zeros.flush())
    assert (tmp_path / "bomb.zst").stat().st_size < 1 << 20
    with pytest.raises(InputError, match="a bomb"):
        read_archive(tmp_path / "bomb.zst", store)
    assert list((store.home / "work").iterdir()) == []


def test_what_cannot_be_read(tmp_path: Path, store: Store) -> None:
    with pytest.raises(InputError, match=r"cannot be read(.|\n)*Name an image archive"):
        read_archive(tmp_path / "nothing.tar", store)
    with pytest.raises(InputError):
        read_archive(tmp_path, store)


@pytest.mark.parametrize("cut", [0, 1, 511, 512, 100_000, 300_500])
def test_a_shortened_archive(tmp_path: Path, store: Store, cut: int) -> None:
    data = write_tar(tmp_path / "a.tar", docker_files()).read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[:cut])
    with pytest.raises(InputError):
        read_archive(tmp_path / "cut.tar", store)
    assert blobs(store) == set()


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_archive_is_the_same_image_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(write_tar(folder / "a.tar", docker_files()).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "b.tar").write_bytes(content)
    store = Store(folder / "home")
    try:
        images = read_archive(folder / "b.tar", store).images
    except InputError:
        return
    for image in images:
        assert [f"sha256:{layer.digest}" for layer in image.layers] == json.loads(image.config)["rootfs"]["diff_ids"]
    for digest in blobs(store):
        assert sha(store.layout.blob(digest).read_bytes()) == digest


def test_a_file_that_is_no_archive_is_named_with_what_to_do(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "README.md"
    path.write_text("# No archive\n" * 100)
    with pytest.raises(InputError) as caught:
        read_archive(path, store)
    assert str(caught.value).startswith(f"{path}: it is no tar, or it is damaged\n  ")
    assert "`docker save`" in str(caught.value)
