"""What the bytes of a layer prove, kind by kind: an honest one is proven or named, a changed one is refused."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import whole_project as liars
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_project import Whole, run_git

import portside.lock.models
from portside.common.tree import Entry, Tree, file_entry
from portside.errors import InputError
from portside.inputs.git_names import tree_name
from portside.layers.layer import Layer
from portside.store import Store

LARGE = 1 << 20
ONLY_A_BUILD = "only a build can show what its commands give"
NO_SDIST = "lib-1.0.tar.gz, which it is unpacked from, is not here"
UNPROVEN = {
    "sources/lib": NO_SDIST,
    "migrated/trees": "it is made of sources/lib",
    "migrated/install": ONLY_A_BUILD,
}
CHANGES = [
    liars.other_byte,
    liars.other_mode,
    liars.other_time,
    liars.other_owner,
    liars.one_less,
    liars.one_more,
    liars.outside,
    liars.a_folder_more,
    liars.a_removal,
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portside.lock.models, "LARGE", LARGE)
        return Whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def whole(made: Whole, monkeypatch: pytest.MonkeyPatch) -> Whole:
    """The project, with blobs that a test may exchange."""
    monkeypatch.setattr(portside.lock.models, "LARGE", LARGE)
    monkeypatch.setattr(made, "blobs", dict(made.blobs))
    return made


def test_what_an_empty_store_proves(whole: Whole) -> None:
    assert whole.prove() == UNPROVEN


def test_what_a_store_with_the_inputs_proves(whole: Whole) -> None:
    assert whole.prove(whole.here) == {"migrated/install": ONLY_A_BUILD}


def test_an_sdist_is_enough_for_the_trees(whole: Whole, tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.inputs.receive("lib-1.0.tar.gz", None, None) as receiver:
        receiver.write(whole.sdist)
    assert whole.prove(store) == {"migrated/install": ONLY_A_BUILD}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "name", ["env/files", "sources/code", "sources/lib", "migrated/trees", "migrated/files", "weights/model/big.bin"]
)
def test_a_changed_part_is_refused(whole: Whole, name: str, change: Callable[[Layer], Layer]) -> None:
    """Of the sdist, which is not here, other content shows because the trees are made of it."""
    whole.change(name, change)
    with pytest.raises(InputError, match=r"^(sources|env|migrated|weights)/.* there "):
        whole.prove()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["sources/code", "sources/lib", "migrated/trees"])
def test_with_the_inputs_here_a_changed_part_is_refused_too(
    whole: Whole, name: str, change: Callable[[Layer], Layer]
) -> None:
    whole.change(name, change)
    with pytest.raises(InputError, match=rf"^{name} there is not what it is made of gives, it differs: "):
        whole.prove(whole.here)


@pytest.mark.parametrize(
    "name", ["env/files", "sources/code", "sources/lib", "migrated/trees", "weights/model/big.bin"]
)
@pytest.mark.parametrize("blob", [b"", b"no tar", bytes(512), b"\xff" * 2048])
def test_what_is_no_layer_is_refused(whole: Whole, name: str, blob: bytes) -> None:
    whole.put_bytes(whole.part(name), blob)
    with pytest.raises(InputError, match=rf"^{name} there "):
        whole.prove()


@pytest.mark.parametrize("name", ["env/files", "sources/code", "sources/lib", "migrated/trees", "weights/model"])
def test_bytes_that_no_reader_sees_count_too(whole: Whole, name: str) -> None:
    """A device number in a header that has none, and another checksum: any tar tool takes them for the same files."""
    blob = bytearray(whole.read(whole.blobs[whole.part(name).key]))
    last = max(at for at in range(0, len(blob), 512) if blob[at + 257 : at + 262] == b"ustar")
    blob[last + 335] ^= 1
    header = blob[last : last + 148] + b" " * 8 + blob[last + 156 : last + 512]
    blob[last + 148 : last + 156] = b"%06o\0 " % sum(header)
    whole.put_bytes(whole.part(name), bytes(blob))
    with pytest.raises(InputError, match=rf"^{name} there .* in the form of its tar"):
        whole.prove()


def test_another_source_is_refused_although_its_trees_fit(whole: Whole) -> None:
    """Who exchanges a commit's file can migrate it as well; the name of the tree is the lock's nevertheless."""
    for name in ("sources/code", "migrated/trees"):
        whole.change(name, lambda layer: replaced(layer, b"Linear(2, 2)", b"Linear(2, 3)"))
    with pytest.raises(InputError, match=r"sources/code there holds the git tree [0-9a-f]{40}, the lock says"):
        whole.prove()


def test_a_commits_time_is_the_locks(whole: Whole) -> None:
    for name in ("sources/code", "migrated/trees"):
        whole.change(name, an_hour_before)
    with pytest.raises(InputError, match=r"^sources/code there is not what it is made of gives"):
        whole.prove()


def an_hour_before(layer: Layer) -> Layer:
    entries = (replace(e, mtime=e.mtime - 3600) if e.kind != "dir" and "/code" in e.path else e for e in layer.entries)
    return replace(layer, entries=tuple(entries))


def replaced(layer: Layer, old: bytes, new: bytes) -> Layer:
    entries = []
    for entry in layer.entries:
        if entry.kind == "file" and old in entry.read():
            other = file_entry("x", entry.read().replace(old, new))
            entry = replace(entry, size=other.size, sha256=other.sha256, content=other.content)
        entries.append(entry)
    return replace(layer, entries=tuple(entries))


def test_another_base_is_refused(whole: Whole) -> None:
    whole.change("env/base", liars.other_byte)
    with pytest.raises(InputError, match="its base is sha256:"):
        whole.prove()


def test_of_a_run_part_nothing_is_known(whole: Whole) -> None:
    whole.change("migrated/install", liars.other_byte)
    assert whole.prove() == UNPROVEN


def test_a_blob_of_a_key_that_the_store_knows_is_not_replaced(whole: Whole, tmp_path: Path) -> None:
    """Not even where the store's own blob is gone, or a build alone could tell which of the two is right."""
    store, part = Store(tmp_path), whole.part("migrated/install")
    store.keep("keys", part.key, part.record(whole.blobs[part.key].digest, whole.blobs[part.key].size))
    assert "migrated/install" not in whole.prove(store)
    whole.change("migrated/install", liars.other_byte)
    with pytest.raises(InputError, match=r"migrated/install is sha256:.* there and sha256:.* here, of one key"):
        whole.prove(store)


def test_a_submodule_is_proven_by_its_commit_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portside.lock.models, "LARGE", LARGE)
    whole = Whole(tmp_path, submodule=True)
    reason = "the commit is not here, and the files do not say which submodule vendor/sub stands for"
    assert whole.prove() == UNPROVEN | {
        "sources/code": reason,
        "migrated/trees": "it is made of sources/code, sources/lib",
    }
    assert whole.prove(whole.here) == {"migrated/install": ONLY_A_BUILD}
    whole.change("sources/code", liars.other_byte)
    with pytest.raises(InputError, match=r"^sources/code there is not what it is made of gives"):
        whole.prove(whole.here)


def test_trees_over_a_converters_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portside.lock.models, "LARGE", LARGE)
    whole = Whole(tmp_path, mode="image")
    made_of = "it is made of sources/lib, migrated/converted"
    assert whole.prove() == UNPROVEN | {"migrated/converted": ONLY_A_BUILD, "migrated/trees": made_of}
    for change in CHANGES:
        honest = dict(whole.blobs)
        whole.change("migrated/trees", change)
        with pytest.raises(InputError, match=r"^migrated/trees there is not what it is made of gives"):
            whole.prove()
        whole.blobs = honest


NAMES = st.sampled_from(["a", "a.b", "a-b", "a0", "b", "B", "\xe4", "\udcff", "x" * 120, "a b", ".hidden"])
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=4).map("/".join),
    st.tuples(st.sampled_from(["file", "program", "link"]), st.binary(min_size=1, max_size=20)),
    max_size=8,
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    run_git(folder, "init", "-q")
    return folder


@settings(max_examples=20)
@given(files=FILES)
def test_a_trees_name_is_gits(repository: Path, files: dict[str, tuple[str, bytes]]) -> None:
    tree = Tree()
    for path, (kind, content) in files.items():
        if any(other.startswith(f"{path}/") for other in files):
            continue
        if kind == "link":
            tree.put(Entry(path, "symlink", 0o777, link=content.hex()))
        else:
            tree.put(file_entry(path, content, 0o755 if kind == "program" else 0o644))
    folder = repository / "files"
    tree.write_to(folder)
    run_git(repository, "--work-tree=files", "add", "-A", "-f")
    assert tree_name(tree) == tree_name(tree.with_folders()) == run_git(repository, "write-tree")
    shutil.rmtree(folder)


def test_a_deep_tree(tmp_path: Path) -> None:
    """Deeper than Python calls functions."""
    tree = Tree([file_entry("/".join(["d"] * 1500 + ["f"]), b"x")])
    assert len(tree_name(tree)) == 40
    assert tree_name(Tree()) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_an_empty_folder_has_no_name() -> None:
    with pytest.raises(InputError, match="sub is an empty folder"):
        tree_name(Tree([file_entry("a", b"x"), Entry("sub", "dir", 0o755)]))
