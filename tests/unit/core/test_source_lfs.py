"""Files of Git LFS in sources, from a made-up LFS server on the loopback, and from a repository of this machine."""

import base64
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lfs_server import FILE, OID, LfsServer, pointer, running
from source_project import SourceProject, commit, git, locked, repository

from portside.config import Config
from portside.errors import InputError, LockError, PortsideError
from portside.fetch.fetcher import Fetcher
from portside.image.pointers import given_way, left_pointers
from portside.inputs import git_lfs, git_source
from portside.inputs.spool import Spool
from portside.lock.file import check_lock
from portside.lock.inputs import locked_files
from portside.net.suspect import read_pointer
from portside.plan.parts import plan
from portside.runtime import bring_weights, weight_mounts
from portside.store import Store


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LfsServer]:
    yield from running(tmp_path / "www")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[LfsServer]:
    yield from running(tmp_path / "other")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: LfsServer) -> SourceProject:
    """A project whose source is a repository at the server, with one pointer and its file."""
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    work = repository(tmp_path / "work", code="print()", **{"big.bin": pointer()})
    git(tmp_path, "clone", "-q", "--bare", str(work), str(server.root / "a.git"))
    git(server.root / "a.git", "update-server-info")
    (server.root / "store").mkdir()
    (server.root / "store" / OID).write_bytes(FILE)
    project = SourceProject(tmp_path / "project")
    (project.root / "portside.toml").write_text(f'[mirrors.git]\n"https://code.invalid/" = "{server.url}/"\n')
    project.asks('git: "https://code.invalid/a.git", branch: main, lfs: fetch')
    return project


def fetched(made: SourceProject) -> None:
    lock = made.project.lock(made.project.recipe("r"))
    git_source.bring(lock.sources["s"], Fetcher(made.project.store, made.project.config))


def test_fetch_brings_the_file_by_the_pointers_hash(made: SourceProject, server: LfsServer) -> None:
    """`lock` reads the pointers alone; the file is an input like others, and stands in the pointer's place."""
    lock = made.lock()
    assert not [request for request in server.requests if "/store/" in request[1] or request[0] == "POST"]
    assert [(f.path, f.sha256, f.size) for f in locked(made).lfs] == [("big.bin", OID, len(FILE))]
    assert locked(made).identity["lfs big.bin"] == OID
    assert [(file.name, file.sha256) for file in locked_files(lock)] == [("s/big.bin", OID)]
    assert not git_source.is_here(lock.sources["s"], made.project.store)
    fetched(made)
    assert git_source.is_here(lock.sources["s"], made.project.store)
    assert made.files() == {"code": "print()", "big.bin": FILE.decode()}
    [(_, path, _, question)] = [request for request in server.requests if request[0] == "POST"]
    assert path == "/a.git/info/lfs/objects/batch"
    assert question["objects"] == [{"oid": OID, "size": len(FILE)}] and question["operation"] == "download"
    # Nothing is asked for twice.
    fetched(made)
    assert len([request for request in server.requests if request[0] == "POST"]) == 1
    assert left_pointers(plan(made.project.recipe("r"), lock), made.project.store).files == ()


def test_pointers_may_stay_or_are_told(made: SourceProject) -> None:
    made.asks('git: "https://code.invalid/a.git", branch: main')
    before = made.lock()
    left = left_pointers(plan(made.project.recipe("r"), before), made.project.store)
    assert [file.path for file in left.files] == ["/workspace/r/s/big.bin"]
    assert "lfs" not in made.text and "pointers" not in made.text
    made.asks('git: "https://code.invalid/a.git", branch: main, lfs: pointers')
    after = made.lock()
    assert left_pointers(plan(made.project.recipe("r"), after), made.project.store).files == ()
    assert after.sources["s"].identity == before.sources["s"].identity
    assert made.files()["big.bin"] == pointer()


def test_a_lock_that_has_it_otherwise_is_refused(made: SourceProject) -> None:
    lock = made.lock()
    source = locked(made)
    made.asks('git: "https://code.invalid/a.git", branch: main')
    edited = lock.model_copy(update={"requests": made.project.recipe("r").requests()})
    with pytest.raises(LockError, match=r"the recipe does not fetch them, the lock has 'big\.bin'"):
        check_lock(made.project.recipe("r"), edited)
    fetched_one = source.lfs[0]
    for change in ({"sha256": "1" * 64}, {"size": 1}, {"path": "code"}, {"path": "gone"}):
        wrong = source.model_copy(update={"lfs": (fetched_one.model_copy(update=change),)})
        with pytest.raises(PortsideError), Spool(made.root) as spool:
            git_source.tree(wrong, made.project.store, spool)


def test_what_the_server_wants_goes_to_it_alone(
    made: SourceProject, server: LfsServer, other: LfsServer, tmp_path: Path
) -> None:
    """A login to the LFS server; what that says for the file's own place to that one; nothing on to a third."""
    made.lock()
    login = "Basic " + base64.b64encode(b"anna:geheim").decode()
    server.login, server.header, server.place = login, {"Authorization": "RemoteAuth T0KEN"}, other.url
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password geheim\n")
    shutil.move(server.root / "store", other.root / "store")
    other.leads[f"/store/{OID}?sig=x"] = f"{server.url}/moved/{OID}"
    (server.root / "moved").mkdir()
    (server.root / "moved" / OID).write_bytes(FILE)
    before = len(server.requests)
    fetched(made)
    asked = [(method, auth) for method, _, auth, _ in server.requests[before:]]
    assert asked == [("POST", login), ("GET", None)]
    assert [(method, auth) for method, _, auth, _ in other.requests] == [("GET", "RemoteAuth T0KEN")]
    assert "T0KEN" not in made.text and "geheim" not in made.text


def test_a_redirect_of_the_question_takes_no_login_along(
    made: SourceProject, server: LfsServer, other: LfsServer, tmp_path: Path
) -> None:
    made.lock()
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password geheim\n")
    server.leads["/a.git/info/lfs/objects/batch"] = f"{other.url}/elsewhere"
    other.place = server.url
    fetched(made)
    assert [auth for method, _, auth, _ in other.requests if method == "POST"] == [None]
    assert made.files()["big.bin"] == FILE.decode()


HERE: dict[str, Any] = {"oid": OID, "size": len(FILE)}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"objects": [{**HERE, "error": {"code": 404, "message": "gone\nfor ever"}}]}, "does not give big.bin: 404"),
        ({"objects": []}, "does not say where big.bin is"),
        ({"objects": [HERE]}, "does not say where big.bin is"),
        ({"objects": [{**HERE, "actions": {"download": {"href": "file:///etc/passwd"}}}]}, "which is refused"),
        ({"objects": [{**HERE, "actions": {"download": {"href": "/etc/passwd"}}}]}, "which is refused"),
        ({"objects": [{**HERE, "actions": {"download": {"href": 5}}}]}, "no answer of git-lfs: objects.0"),
        ({"objects": [{**HERE, "actions": {"download": {"href": "http://x/y", "header": {"A": "b\n"}}}}]}, "no answer"),
        ({"objects": "x"}, "no answer of git-lfs: objects"),
        ({"transfer": "lfs-standalone-file", "objects": []}, "and not `basic`"),
        (b"<html>", "does not answer in JSON"),
        (b"[" * 100_000, "does not answer in JSON"),
        (b"null", "no answer of git-lfs"),
    ],
)
def test_answers_that_are_of_no_use(made: SourceProject, server: LfsServer, said: Any, problem: str) -> None:
    made.lock()
    server.said = said
    with pytest.raises(InputError, match=problem) as caught:
        fetched(made)
    assert "for ever\n" not in str(caught.value)


def test_wrong_bytes_and_no_login(made: SourceProject, server: LfsServer) -> None:
    made.lock()
    server.login = "Basic eDp5"
    with pytest.raises(InputError, match="wants a login: it says 401") as caught:
        fetched(made)
    assert "netrc" in str(caught.value.solution)
    server.login = ""
    (server.root / "store" / OID).write_bytes(FILE[:-1] + b"!")
    with pytest.raises(InputError, match=r"big\.bin could not be brought"):
        fetched(made)
    assert not git_lfs.is_here(locked(made), made.project.store)


def test_a_credential_helper_of_git_knows_the_login(
    made: SourceProject, server: LfsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.lock()
    server.login = "Basic " + base64.b64encode(b"anna:geheim").decode()
    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\ncat > {tmp_path}/asked\necho username=anna; echo password=geheim\n")
    helper.chmod(0o755)
    (tmp_path / "gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    fetched(made)
    assert f"host=127.0.0.1:{server.server_port}\n" in (tmp_path / "asked").read_text()
    [(_, _, auth, _)] = [request for request in server.requests if request[1].startswith("/store/")]
    assert auth == server.login
    assert "geheim" not in made.text


@pytest.mark.parametrize("where", ["lfs", "remote.origin"])
def test_the_server_that_lfsconfig_names_is_asked(
    made: SourceProject, server: LfsServer, other: LfsServer, tmp_path: Path, where: str
) -> None:
    def names(url: str) -> None:
        section, key = ("[lfs]", "url") if where == "lfs" else ('[remote "origin"]', "lfsurl")
        commit(tmp_path / "work", **{".lfsconfig": f"{section}\n\t{key} = {url}\n"})
        git(tmp_path / "work", "push", "-q", str(server.root / "a.git"), "main")
        git(server.root / "a.git", "update-server-info")
        made.lock("s")

    names(f"{other.url}/any/lfs/")
    shutil.move(server.root / "store", other.root / "store")
    other.place = other.url
    fetched(made)
    assert [path for method, path, _, _ in other.requests if method == "POST"] == ["/any/lfs/objects/batch"]
    assert not [path for method, path, _, _ in server.requests if method == "POST"]
    assert other.url not in made.text
    shutil.rmtree(tmp_path / "home/inputs")
    for url in ("file:///etc", "ext::sh", "/etc", "-x"):
        names(url)
        with pytest.raises(InputError, match=r"names the LFS server .*, which is refused"):
            fetched(made)


def test_pointers_are_taken_as_weights(
    made: SourceProject, server: LfsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The set has what the pointers say, links stand in their place, and the source stays as it is in git."""
    source = 'git: "https://code.invalid/a.git", branch: main, lfs: {weights: big}'
    made.asks(source)
    lock = made.lock()
    assert [(f.path, f.sha256, f.size) for f in lock.weights["big"].files] == [("big.bin", OID, len(FILE))]
    assert locked(made).lfs == () and "127.0.0.1" not in made.text
    recipe = made.project.recipe("r")
    planned = plan(recipe, lock)
    assert given_way(planned, made.project.store) == [
        "  s/big.bin: a pointer of Git LFS gives way to a link to /workspace/r/weights/big/big.bin"
    ]
    assert left_pointers(planned, made.project.store).files == ()
    bring_weights(recipe, lock, made.project.store, made.project.config)
    [mount] = weight_mounts(recipe, lock, made.project.store)
    assert (Path(mount.source) / "big.bin").read_bytes() == FILE
    # Another commit of the source has other pointers.
    commit(tmp_path / "work", **{"big.bin": pointer(b"new"), "more.bin": pointer(b"more")})
    git(tmp_path / "work", "push", "-q", str(server.root / "a.git"), "main")
    git(server.root / "a.git", "update-server-info")
    assert made.lock() == lock
    newer = made.lock("s")
    assert [file.path for file in newer.weights["big"].files] == ["big.bin", "more.bin"]
    with pytest.raises(LockError, match=r"weights\.big: they are of another commit"):
        check_lock(recipe, newer.model_copy(update={"weights": lock.weights}))
    with (made.root / "recipes/r.yaml").open("a") as out:
        out.write("weights: {big: {lfs: s, include: [more.*], to: data}}\n")
    assert [file.path for file in made.lock().weights["big"].files] == ["more.bin"]
    [part] = plan(made.project.recipe("r"), made.lock()).layer("migrated").parts
    assert part.manifest["links"] == {"data/more.bin": "/workspace/r/weights/big/more.bin"}


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("weights: {big: {lfs: t}}", "weights.big: 't' is not among the sources"),
        ("weights: {big: {huggingface: a/b}}", "sources.s.lfs: the weights 'big' are not of this source"),
        ("weights: {big: {lfs: s, include: [x]}}", "include: 'x' matches no file"),
        ("weights: {big: {lfs: s, exclude: [big.*]}}", "has no such pointer of Git LFS"),
    ],
)
def test_weights_of_no_pointer_are_refused(made: SourceProject, weights: str, said: str) -> None:
    made.asks('git: "https://code.invalid/a.git", branch: main, lfs: {weights: big}')
    with (made.root / "recipes/r.yaml").open("a") as out:
        out.write(f"{weights}\n")
    with pytest.raises(PortsideError, match=said):
        made.lock()


def test_a_folder_may_have_it_and_offline_says_what_is_missing(made: SourceProject, tmp_path: Path) -> None:
    source = made.lock().sources["s"]
    config = made.project.config.model_copy(update={"folders": (tmp_path / "folder",)})
    offline = Fetcher(made.project.store, config, offline=True)
    with pytest.raises(InputError, match=r"big\.bin, a file of Git LFS, is not in the store"):
        git_source.bring(source, offline)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/big.bin").write_bytes(FILE)
    git_source.bring(source, offline)
    assert made.files()["big.bin"] == FILE.decode()


def test_those_of_a_submodule_come_from_its_own_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repositories of this machine have the files among their own."""
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    inner = repository(tmp_path / "inner", w=pointer(b"inner"))
    top = repository(tmp_path / "top", w=pointer(b"top"))
    git(top, "submodule", "add", "-q", "../inner", "sub")
    commit(top)
    for folder, data in ((inner, b"inner"), (top, b"top")):
        oid = hashlib.sha256(data).hexdigest()
        place = folder / ".git/lfs/objects" / oid[:2] / oid[2:4] / oid
        place.parent.mkdir(parents=True)
        place.write_bytes(data)
    made = SourceProject(tmp_path / "project")
    made.asks(f'git: "file://{top}", branch: main, submodules: true, lfs: fetch')
    made.lock()
    fetched(made)
    assert {path: text for path, text in made.files().items() if path.endswith("w")} == {"w": "top", "sub/w": "inner"}


def test_a_layer_from_elsewhere_is_proven_with_the_files(made: SourceProject) -> None:
    source = made.lock().sources["s"]
    fetched(made)
    with made.project.store.workspace() as folder, Spool(folder) as spool:
        tree = git_source.tree(source, made.project.store, spool)
        assert git_source.proof(source, tree) is None
        tree.remove("code")
        assert "may be written in another way" in str(git_source.proof(source, tree))


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://h/a/b", "https://h/a/b.git/info/lfs"),
        ("https://h/a/b.git/", "https://h/a/b.git/info/lfs"),
        ("git@h:a/b.git", "https://h/a/b.git/info/lfs"),
        ("ssh://git@h:22/a/b", "https://h/a/b.git/info/lfs"),
    ],
)
def test_where_a_repositorys_lfs_server_is(url: str, endpoint: str) -> None:
    assert git_lfs._endpoint(url) == endpoint


WORDS = [
    b"version https://git-lfs.github.com/spec/v1\n",
    b"oid sha256:" + b"0" * 64 + b"\n",
    b"size 1",
    b"\n",
    b"x",
    b"-",
]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(WORDS), max_size=8).map(b"".join) | st.binary(max_size=200))
def test_any_bytes_are_a_pointer_or_none(data: bytes) -> None:
    found = read_pointer(data)
    if found is not None:
        assert (
            found.sha256.encode() in data
            and found.size >= 0
            and data.lstrip(b"\xef\xbb\xbf \n\t").startswith(b"version ")
        )


def test_the_store_of_another_machine_gets_all(made: SourceProject, tmp_path: Path) -> None:
    lock = made.lock()
    config = Config(home=tmp_path / "second", mirrors=made.project.config.mirrors)
    part = plan(made.project.recipe("r"), lock)
    for job in Fetcher(Store(config.home), config).jobs(part.layer("sources").parts[0], part):
        job()
    assert git_source.is_here(lock.sources["s"], Store(config.home))
