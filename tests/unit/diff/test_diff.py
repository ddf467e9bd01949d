"""Two images or layers: what each name finds, and every kind of difference, for people and as JSON."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from portside.common.canonical import canonical_json
from portside.common.tree import Entry, Tree, file_entry
from portside.diff import ImageDiff, diff, open_side
from portside.diff.report import as_json, as_lines
from portside.diff.text import printable, text_diff
from portside.errors import InputError, RecipeError
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import write_layer
from portside.store import Store
from portside.store.layout import Blob, Image

STATUS = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def keep(store: Store, entries: Iterable[Entry], whiteouts: tuple[str, ...] = ()) -> Blob:
    layer = data_layer(Tree(entries), 100)
    with store.layout.new_blob() as blob:
        written = write_layer(Layer(layer.entries, whiteouts), blob.stream)
        blob.commit(written.diff_id)
    return Blob(written.diff_id, written.size)


def put(store: Store, ref: str, blobs: Sequence[Blob], config: Mapping[str, Any] | None = None) -> Image:
    value = {
        "architecture": "amd64",
        "config": config or {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{blob.digest}" for blob in blobs]},
    }
    image = Image(canonical_json(value), tuple(blobs))
    store.layout.put_image(ref, image)
    return image


def compared(store: Store, stack: ExitStack, left: str, right: str, **more: bool) -> ImageDiff:
    return diff(open_side(left, store, stack), open_side(right, store, stack), **more)


def changes(made: ImageDiff) -> dict[str, tuple[str, list[str]]]:
    return {change.path: (change.change, sorted(change.attributes)) for change in made.files}


def test_every_attribute_of_a_file_is_compared(store: Store, stack: ExitStack) -> None:
    shared = keep(store, [file_entry("base", b"x"), Entry("gone", "dir", 0o755), file_entry("gone/a", b"a")])
    owned = replace(file_entry("owner", b"x"), uid=1, gid=2)
    same = [file_entry("same", b"x"), file_entry("base", b"x")]
    one = [file_entry("mode", b"x", 0o644), owned, file_entry("data", b"one\n"), file_entry("kind", b"")]
    one += [Entry("link", "symlink", 0o777, link="a"), file_entry("time", b"", mtime=1)]
    other = [file_entry("mode", b"x", 0o755), file_entry("owner", b"x"), file_entry("data", b"three\n")]
    other += [Entry("kind", "fifo", 0o644), Entry("link", "symlink", 0o777, link="b"), file_entry("new", b"n")]
    other += [file_entry("time", b"", mtime=2)]
    left = keep(store, [*same, *one])
    right = keep(store, [*same, *other], whiteouts=("gone",))
    put(store, "a:env", [shared, left])
    put(store, "b:env", [shared, right])
    made = compared(store, stack, "a:env", "b:env")
    assert changes(made) == {
        "data": ("changed", ["sha256", "size"]),
        "gone": ("removed", []),
        "gone/a": ("removed", []),
        "kind": ("changed", ["kind"]),
        "link": ("changed", ["link"]),
        "mode": ("changed", ["mode"]),
        "new": ("added", []),
        "owner": ("changed", ["gid", "uid"]),
    }
    assert made.common_layers == 1 and not made.same
    assert changes(compared(store, stack, "a:env", "b:env", times=True))["time"] == ("changed", ["mtime"])


def test_the_same_files_in_other_layers_are_no_difference(store: Store, stack: ExitStack) -> None:
    files = [file_entry(f"f{number}", bytes([number]) * 100) for number in range(4)]
    put(store, "a:env", [keep(store, files)])
    put(store, "b:env", [keep(store, files[:2]), keep(store, files[2:])])
    assert compared(store, stack, "a", "b").same


def test_hard_links_count(store: Store, stack: ExitStack) -> None:
    file = file_entry("a", b"x")
    link = Entry("b", "hardlink", 0o644, size=1, sha256=file.sha256, link="a")
    left, right = keep(store, [file, link]), keep(store, [file, file_entry("b", b"x")])
    assert changes(compared(store, stack, left.digest, right.digest)) == {"b": ("changed", ["link"])}


def test_a_layer_shows_what_it_removes(store: Store, stack: ExitStack) -> None:
    left, right = keep(store, [file_entry("a", b"")]), keep(store, [file_entry("a", b"")], whiteouts=("old",))
    made = compared(store, stack, left.digest, right.digest)
    assert [(c.path, c.change, c.kinds) for c in made.files] == [("old", "added", (None, "whiteout"))]
    assert "    old  removed by the layer" in as_lines(made, 40)


def test_packages(store: Store, stack: ExitStack) -> None:
    def files(tool: str, numpy: str, *more: Entry) -> list[Entry]:
        metadata = f"Metadata-Version: 2.1\nName: Num_Py\nVersion: {numpy}\n\nVersion: 9\n"
        status = STATUS.format("tool", tool) + "\n" + STATUS.format("half", "1").replace("installed", "half-configured")
        return [
            file_entry("var/lib/dpkg/status", status.encode()),
            file_entry("usr/lib/python3/dist-packages/num_py.dist-info/METADATA", metadata.encode()),
            *more,
        ]

    egg = file_entry("srv/x.egg-info/PKG-INFO", b"Name: x\r\nVersion: 3\r\n\r\n")
    put(store, "a:env", [keep(store, files("1.0-1", "1.24"))])
    put(store, "b:env", [keep(store, files("1.0-2", "1.26", egg))])
    made = compared(store, stack, "a", "b")
    assert made.packages == {
        "debian": {"tool": ("1.0-1", "1.0-2")},
        "python": {"num-py": ("1.24", "1.26"), "x": (None, "3")},
    }
    assert as_json(made)["packages"]["python"]["x"] == [None, "3"]


def test_config(store: Store, stack: ExitStack) -> None:
    blob = keep(store, [file_entry("a", b"")])
    put(store, "a:env", [blob], {"Env": ["PATH=/bin", "A=1=2"], "Labels": {"x": "1"}, "Cmd": ["sh"], "User": ""})
    put(store, "b:env", [blob], {"Env": ["PATH=/bin", "A=3"], "Labels": {"y": "1"}, "Cmd": ["sh", "-c"]})
    made = compared(store, stack, "a", "b")
    assert made.config == {
        "Cmd": ('["sh"]', '["sh", "-c"]'),
        "env A": ("1=2", "3"),
        "label x": ("1", None),
        "label y": (None, "1"),
    }
    assert not made.same and not made.files


def test_names_find_images_layers_and_archives(store: Store, stack: ExitStack, tmp_path: Path) -> None:
    lower, upper = keep(store, [file_entry("a", b"1")]), keep(store, [file_entry("b", b"2")])
    env = put(store, "r:env", [lower])
    old = put(store, "r:weights", [lower], {"User": "old"})
    whole = put(store, "r:weights", [lower, upper])
    for operand, kind, found in (
        ("r", "image", whole.image_id),
        ("r:env", "image", env.image_id),
        (upper.digest[:10], "layer", upper.digest),
        (f"sha256:{upper.digest}", "layer", upper.digest),
        (old.image_id[:10], "image", old.image_id),
        (str(store.layout.blob(lower.digest)), "layer", lower.digest),
    ):
        side = open_side(operand, store, stack)
        assert (side.kind, side.id) == (kind, found), operand
    with pytest.raises(RecipeError, match="no image or layer 'nothing'"):
        open_side("nothing", store, stack)
    with pytest.raises(RecipeError, match="no layer and no image whose digest begins with"):
        open_side("f" * 64, store, stack)
    store.layout.blob(upper.digest).unlink()
    with pytest.raises(RecipeError, match="no longer has its layer"):
        open_side("r", store, stack)


def test_digits_that_fit_several_things_are_refused(store: Store, stack: ExitStack) -> None:
    for first in ("0", "1"):
        with store.layout.new_blob() as blob:
            blob.stream.write(b"\0" * 1024)
            blob.commit("abcdef" + first * 58)
    with pytest.raises(RecipeError, match="2 things begin with abcdef"):
        open_side("abcdef", store, stack)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def docker_archive(path: Path, image: Image, store: Store) -> Path:
    with tarfile.open(path, "w") as archive:
        names = [f"{blob.digest}/layer.tar" for blob in image.layers]
        for name, blob in zip(names, image.layers, strict=True):
            _add(archive, name, store.layout.blob(blob.digest).read_bytes())
        _add(archive, "config.json", image.config)
        _add(archive, "manifest.json", json.dumps([{"Config": "config.json", "Layers": names}]).encode())
    return path


def oci_archive(path: Path, image: Image, store: Store) -> Path:
    """With gzip'd layers, as most tools write them."""
    with tarfile.open(path, "w") as archive:

        def blob(data: bytes) -> dict[str, Any]:
            digest = hashlib.sha256(data).hexdigest()
            _add(archive, f"blobs/sha256/{digest}", data)
            return {"digest": f"sha256:{digest}", "size": len(data)}

        layers = [blob(gzip.compress(store.layout.blob(layer.digest).read_bytes())) for layer in image.layers]
        manifest = blob(json.dumps({"config": blob(image.config), "layers": layers}).encode())
        _add(archive, "index.json", json.dumps({"manifests": [manifest]}).encode())
        _add(archive, "oci-layout", b"{}")
    return path


def test_archives_are_images(store: Store, stack: ExitStack, tmp_path: Path) -> None:
    image = put(store, "r:env", [keep(store, [file_entry("a", b"1")]), keep(store, [file_entry("b", b"2")])])
    plain = docker_archive(tmp_path / "d.tar", image, store)
    packed = tmp_path / "d.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    packed_otherwise = tmp_path / "d.tar.zst"
    packed_otherwise.write_bytes(zstandard.compress(plain.read_bytes()))
    for path in (plain, packed, packed_otherwise, oci_archive(tmp_path / "o.tar", image, store)):
        side = open_side(str(path), store, stack)
        assert (side.kind, side.id) == ("image", image.image_id)
        made = diff(open_side("r:env", store, stack), side)
        assert made.same and made.common_layers == 2


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8b\x08broken", b"\x28\xb5\x2f\xfdzstd"])
def test_files_that_are_neither_are_refused(store: Store, stack: ExitStack, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    put(store, "r:env", [keep(store, [])])
    with pytest.raises(InputError):
        diff(open_side("r:env", store, stack), open_side(str(path), store, stack))


def test_a_tar_with_a_negative_size_is_refused(store: Store, stack: ExitStack, tmp_path: Path) -> None:
    info = tarfile.TarInfo("b")
    info.size = -512
    (tmp_path / "x.tar").write_bytes(tarfile.TarInfo("a").tobuf() + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(InputError, match="is no readable tar"):
        open_side(str(tmp_path / "x.tar"), store, stack)


def test_an_archive_with_a_lying_manifest_is_refused(store: Store, stack: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    for manifest in (b"[]", b"[1]", b'[{"Config": "c", "Layers": ["../x"]}]', b"not json"):
        with tarfile.open(path, "w") as archive:
            _add(archive, "manifest.json", manifest)
        with pytest.raises(InputError, match=r"x\.tar"):
            open_side(str(path), store, stack)


def test_people_see_groups_limits_and_texts(store: Store, stack: ExitStack) -> None:
    left = [file_entry("etc/conf", b"a\nb\nc\n"), *(file_entry(f"old{n:03}", b"") for n in range(50))]
    right = [
        file_entry("etc/conf", b"a\nB\nc\n"),
        *(file_entry(f"opt/new/{number}", b"12345") for number in range(100)),
        file_entry("srv/line\nbreak\x1b[31m", b""),
    ]
    put(store, "a:env", [keep(store, left)])
    put(store, "b:env", [keep(store, right)])
    lines = as_lines(compared(store, stack, "a", "b"), 10)
    text = "\n".join(lines)
    assert lines[0].startswith("--- a:env  image sha256:") and "" in lines
    assert "    opt/  101 paths below, 500 B" in lines
    assert "        -b\n        +B" in text and "etc/conf  sha256 " in text
    assert "50 paths removed" in lines and "    … and 40 more; --limit 0 shows all" in lines
    assert "\x1b" not in text and "old049" not in text
    assert "old049" in "\n".join(as_lines(compared(store, stack, "a", "b"), 0))
    assert as_lines(compared(store, stack, "a", "a"), 10)[-1] == "no difference in files, packages and config"


def test_json_holds_everything(store: Store, stack: ExitStack) -> None:
    a, b = keep(store, [file_entry("x", b"1\n")]), keep(store, [file_entry("x", b"2\n")])
    report = as_json(compared(store, stack, a.digest, b.digest))
    assert json.loads(json.dumps(report)) == report
    assert report["left"] == {"name": a.digest, "kind": "layer", "id": f"sha256:{a.digest}"}
    (row,) = report["files"]
    assert row["attributes"] == {"sha256": [hashlib.sha256(d).hexdigest() for d in (b"1\n", b"2\n")]}
    assert row["text"] == ["@@ -1 +1 @@", "-1", "+2"]


def test_what_differs_far_inside_a_long_line_is_shown() -> None:
    one = "a" * 1000
    old, new = (file_entry("f", f"{one}{middle}{one}\nend\n".encode(), 0o644) for middle in ("1", "2"))
    shown = text_diff(old, new, 40)
    assert [line for line in shown if line[0] in "-+"] == [
        f"-{'a' * 100}1{'a' * 199}…",
        f"+{'a' * 100}2{'a' * 199}…",
    ]


def test_printable_text_holds_no_control_characters() -> None:
    assert printable("a\tb\x00\x1b\udcff\u200b") == "a\tb\\x00\\x1b\\xff\\u200b"
