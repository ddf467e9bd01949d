"""However an engine says it: the same change gives the same layer, the layer gives the same file system."""

import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from layer_tools import EPOCH, change, tar_of, trees

from portside.common.tree import Tree
from portside.diff.files import FileChange, FileSystem, compare
from portside.layers.canonical import base_index, canonicalise, data_layer
from portside.layers.index import Index
from portside.layers.raw import RawLayer
from portside.layers.writer import read_layer, write_layer

NAMES = ("a", "b", "a-", "é", "L" * 120, "\udcff")
OFTEN_LEFT_OUT = ("var", "log", "tmp", "cache", "apt", "x-old")


def index(tree: Tree) -> Index:
    return Index.of([data_layer(tree, EPOCH)])


def differences(left: Index, right: Index) -> list[FileChange]:
    return compare(FileSystem(left.entries), FileSystem(right.entries))


def unlinked(found: Index) -> Index:
    """Hard links as files: what a file is linked to is only kept within a layer."""
    return Index(replace(e, kind="file", link="") if e.kind == "hardlink" else e for e in found)


def encodings(data: st.DataObject, parent: Tree, child: Tree, middle: Tree, folder: Path) -> list[list[RawLayer]]:
    opaque = data.draw(st.lists(st.sampled_from(["", *(entry.path for entry in child)]), unique=True))
    changes = [
        [change(parent, child)],
        [change(parent, child, everything=True)],
        [change(parent, child, opaque)],
        [change(parent, child, [""])],
        [change(parent, middle), change(middle, child)],
        [change(parent, middle, [""]), change(middle, child, opaque)],
    ]
    return [
        [one.tar(folder / f"{i}.{j}.tar", data) for j, one in enumerate(several)] for i, several in enumerate(changes)
    ]


@settings(max_examples=150)
@given(st.data(), trees(NAMES), trees(NAMES), trees(NAMES))
def test_every_encoding_gives_one_layer_and_the_layer_gives_the_child(
    data: st.DataObject, parent: Tree, child: Tree, middle: Tree
) -> None:
    with TemporaryDirectory() as name:
        below = index(parent)
        tars = set()
        for layers in encodings(data, parent, child, middle, Path(name)):
            layer = canonicalise(layers, below, EPOCH)
            tars.add(tar_of(layer))
            assert differences(unlinked(below.apply(layer)), unlinked(index(child))) == []
        assert len(tars) == 1


@settings(max_examples=50)
@given(st.data(), trees(OFTEN_LEFT_OUT), trees(OFTEN_LEFT_OUT), trees(OFTEN_LEFT_OUT))
def test_what_is_left_out_does_not_depend_on_the_encoding(
    data: st.DataObject, parent: Tree, child: Tree, middle: Tree
) -> None:
    with TemporaryDirectory() as name:
        below = index(parent)
        lowest = len(below) == 0
        several = encodings(data, parent, child, middle, Path(name))
        layers = [canonicalise(layers, below, EPOCH, mounts=["/apt"]) for layers in several]
        assert len({tar_of(layer) for layer in layers}) == 1
        paths = [entry.path for entry in layers[0].entries] + list(layers[0].whiteouts)
        kept = {"tmp"} if lowest else set()
        assert {path for path in paths if path.split("/")[0] in ("tmp", "apt")} <= kept


@settings(max_examples=100)
@given(st.data(), trees(NAMES), trees(NAMES))
def test_a_change_that_changes_nothing_is_an_empty_layer(data: st.DataObject, parent: Tree, child: Tree) -> None:
    with TemporaryDirectory() as name:
        below = index(parent)
        after = below.apply(canonicalise([change(parent, child).tar(Path(name, "a"), data)], below, EPOCH))
        again = canonicalise([change(Tree(), child).tar(Path(name, "b"), data)], after, EPOCH)
        assert (again.entries, again.whiteouts) == ((), ())


@settings(max_examples=100)
@given(st.data(), trees(NAMES), trees(NAMES))
def test_the_index_of_a_base_is_what_its_layers_make_together(data: st.DataObject, low: Tree, high: Tree) -> None:
    with TemporaryDirectory() as name:
        layers = [change(Tree(), low).tar(Path(name, "a"), data), change(low, high, [""]).tar(Path(name, "b"), data)]
        assert differences(base_index(layers), index(high)) == []


@settings(max_examples=100)
@given(trees(NAMES), st.randoms())
def test_one_tar_in_any_order_and_back(tree: Tree, order: random.Random) -> None:
    layer = data_layer(tree, EPOCH)
    shuffled = list(tree)
    order.shuffle(shuffled)
    assert tar_of(data_layer(Tree(shuffled), EPOCH)) == tar_of(layer)
    with TemporaryDirectory() as name:
        path = Path(name, "layer.tar")
        with path.open("wb") as out:
            written = write_layer(layer, out)
        assert written == write_layer(layer, None)
        again = read_layer(path)
        assert again == layer
        assert [e.read() for e in again.entries if e.kind == "file"] == [
            e.read() for e in layer.entries if e.kind == "file"
        ]


@settings(max_examples=100)
@given(trees(NAMES), trees(NAMES))
def test_an_index_survives_its_file(low: Tree, high: Tree) -> None:
    found = index(low).apply(data_layer(high, EPOCH))
    assert Index.load(found.dump()) == found
    assert list(Index.load(found.dump())) == list(found)
