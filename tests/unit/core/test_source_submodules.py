"""Sources with submodules, from the recipe to the layer, the bundle and the proof; all repositories are local."""

import json
from pathlib import Path

import pytest
from source_project import SourceProject, git, locked, repository

from portside.bundle.contents import pack_paths
from portside.bundle.pack import read_pack, write_pack
from portside.clean import find_garbage
from portside.common.tree import FileRange
from portside.config import Config
from portside.doctor.lacking import examine_inputs, take_inventory
from portside.errors import InputError, LockError, PortsideError
from portside.fetch.fetcher import Fetcher
from portside.inputs import git_source
from portside.inputs.git_mirror import mirror_name
from portside.inputs.spool import Spool
from portside.lock.file import check_lock
from portside.lock.inputs import git_sources
from portside.plan.parts import plan
from portside.store import Store
from portside.verify.scratch import scratch_store


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceProject:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return SourceProject(tmp_path / "project")


def link(folder: Path, url: str, path: str, target: Path, name: str | None = None) -> str:
    """Add a submodule by hand, so that its URL is exactly this one."""
    modules = folder / ".gitmodules"
    before = modules.read_text() if modules.exists() else ""
    modules.write_text(f'{before}[submodule "{name or path}"]\n\tpath = {path}\n\turl = {url}\n\tupdate = !touch /x\n')
    head = git(target, "rev-parse", "HEAD")
    git(folder, "add", ".gitmodules")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{head},{path}")
    git(folder, "commit", "-q", "-m", "x")
    return head


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """`top` has `libs/mid`, by a relative URL, which has `deep`, by a whole one; and itself at an older commit."""
    deep = repository(tmp_path / "up/deep", d="deep")
    mid = repository(tmp_path / "up/mid", m="mid")
    link(mid, f"file://{deep}", "deep", deep)
    top = repository(tmp_path / "up/top", t="top")
    link(top, "../mid", "libs/mid", mid)
    link(top, "./../top/", "old", top)
    return top


FILES = {"t": "top", "libs/mid/m": "mid", "libs/mid/deep/d": "deep", "old/t": "top", "old/libs/mid": "/"}


def test_all_of_them_come_along(made: SourceProject, upstream: Path) -> None:
    made.asks(f'git: "file://{upstream}", branch: main, submodules: true')
    made.lock()
    source = locked(made)
    assert [(m.path, m.url) for m in source.submodules] == [
        ("libs/mid", f"file://{upstream.parent}/mid"),
        ("libs/mid/deep", f"file://{upstream.parent}/deep"),
        ("old", f"file://{upstream.parent}/top"),
        ("old/libs/mid", f"file://{upstream.parent}/mid"),
        ("old/libs/mid/deep", f"file://{upstream.parent}/deep"),
    ]
    files = {path: text for path, text in made.files().items() if text != "/" and ".gitmodules" not in path}
    assert files == {
        **{path: text for path, text in FILES.items() if text != "/"},
        "old/libs/mid/m": "mid",
        "old/libs/mid/deep/d": "deep",
    }


def test_without_the_key_nothing_changes(
    made: SourceProject, upstream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what a recipe asks for, nor the lock, nor the key; and `lock` says which folders are empty."""
    made.asks(f'git: "file://{upstream}", branch: main')
    made.lock()
    assert "without `submodules: true`: libs/mid, old" in capsys.readouterr().err
    assert "submodule" not in made.text
    assert locked(made).identity.keys() == {"commit", "tree"}
    assert {path for path, text in made.files().items() if text == "/"} == {"libs/mid", "old"}


def test_the_key_is_of_what_they_hold(made: SourceProject, upstream: Path) -> None:
    made.asks(f'git: "file://{upstream}", branch: main')
    before = made.lock()
    made.asks(f'git: "file://{upstream}", branch: main, submodules: true')
    with pytest.raises(LockError, match=r"sources\.s\.submodules: new"):
        check_lock(made.project.recipe("r"), before)
    after = made.lock()
    keys = [plan(made.project.recipe("r"), lock).layer("sources").key for lock in (before, after)]
    assert keys[0] != keys[1]
    assert "submodule libs/mid/deep" in after.sources["s"].identity
    made.asks(f'git: "file://{upstream}", branch: main')
    edited = after.model_copy(update={"requests": before.requests})
    with pytest.raises(LockError, match="the recipe does not ask for them, the lock has 'libs/mid'"):
        check_lock(made.project.recipe("r"), edited)


def test_a_mirror_counts_for_them(made: SourceProject, tmp_path: Path) -> None:
    sub = repository(tmp_path / "up/sub", s="sub")
    top = repository(tmp_path / "up/top", t="top")
    link(top, "git@code.invalid:team/sub", "sub", sub)
    made.asks('git: "https://code.invalid/team/top", branch: main, submodules: true')
    (made.root / "portside.toml").write_text(
        f'[mirrors.git]\n"https://code.invalid/team/" = "{top.parent}/"\n"git@code.invalid:team/" = "{top.parent}/"\n'
    )
    made.lock()
    assert [module.url for module in locked(made).submodules] == ["git@code.invalid:team/sub"]
    assert made.files()["sub/s"] == "sub"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("../gone", "the submodule 'sub' cannot be had: git fetch failed"),
        ("../sub", "the submodule 'sub' cannot be had: .* has no commit"),
        ("ext::sh -c 'touch %s'", "the submodule 'sub' cannot be had: the URL of a submodule: expected the URL"),
        ("-u./x", "the submodule 'sub' cannot be had: the URL of a submodule: expected the URL"),
        ("ssh://-oProxyCommand=x/y", "has no host"),
        ("https://a:secret123@host.invalid/x", "holds a password"),
    ],
)
def test_one_that_cannot_be_had_is_told_by_lock(made: SourceProject, tmp_path: Path, url: str, problem: str) -> None:
    sub = repository(tmp_path / "up/sub", s="sub")
    other = repository(tmp_path / "up/other", o="other")
    top = repository(tmp_path / "up/top", t="top")
    link(top, url, "sub", other)
    made.asks(f'git: "file://{top}", branch: main, submodules: true')
    with pytest.raises(InputError, match=problem) as caught:
        made.lock()
    assert "secret123" not in str(caught.value) and caught.value.solution
    assert sub.exists() and not (made.root / "recipes/r.lock").exists()


def test_a_link_that_no_gitmodules_names_is_an_empty_folder(
    made: SourceProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = repository(tmp_path / "up/top", t="top")
    git(top, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    git(top, "commit", "-q", "-m", "x")
    made.asks(f'git: "file://{top}", branch: main, submodules: true')
    made.lock()
    assert "sub: an empty folder, since .gitmodules does not say" in capsys.readouterr().err
    assert made.files() == {"t": "top", "sub": "/"}


def test_repositories_that_have_each_other_twice_end(
    made: SourceProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portside.inputs.git.MOST_SUBMODULES", 20)
    below = repository(tmp_path / "up/r0", f="x")
    for number in range(1, 6):
        above = repository(tmp_path / f"up/r{number}", f="x")
        for side in "ab":
            link(above, f"../r{number - 1}", side, below)
        below = above
    made.asks(f'git: "file://{below}", branch: main, submodules: true')
    with pytest.raises(InputError, match="more than 20 submodules"):
        made.lock()


@pytest.mark.parametrize("field", ["commit", "tree", "path", "none"])
def test_an_edited_record_is_refused(made: SourceProject, upstream: Path, field: str) -> None:
    made.asks(f'git: "file://{upstream}", branch: main, submodules: true')
    made.lock()
    path = made.root / "recipes/r.lock"
    lock = json.loads(path.read_text())
    first, second = lock["sources"]["s"]["submodules"][:2]
    if field == "none":
        lock["sources"]["s"]["submodules"].remove(first)
    else:
        first[field] = second[field] if field != "path" else "libs/mud"
        if field == "commit":
            first["url"], first["tree"] = second["url"], second["tree"]
    path.write_text(json.dumps(lock))
    with pytest.raises(PortsideError, match=r"the lock (says|has)"):
        made.files()


def test_they_are_bundled_kept_missed_and_verified_like_the_source(
    made: SourceProject, upstream: Path, tmp_path: Path
) -> None:
    made.asks(f'git: "file://{upstream}", branch: main, submodules: true')
    lock = made.lock()
    project, recipe = made.project, made.project.recipe("r")
    part = plan(recipe, lock)
    assert len(pack_paths(part)) == 4  # top, its older commit, mid, deep
    with (tmp_path / "packs").open("w+b") as packs:
        carried = Store(tmp_path / "carried")
        for commit in git_sources(lock):
            start = packs.tell()
            sha256, size = write_pack(commit, project.store, packs)
            packs.flush()
            range_ = FileRange(tmp_path / "packs", start, size)
            read_pack(commit, range_, sha256, carried, Config(home=carried.home))
        assert git_source.is_here(lock.sources["s"], carried)
    # Kept by `clean`.
    names = {f"{mirror_name(f'file://{upstream.parent}/{name}')}.git" for name in ("top", "mid", "deep")}
    assert {path.name for path in project.store.git.iterdir()} == names
    assert not [item for item in find_garbage(project)[0] if item.path.name in names]
    # A scratch store has all.
    scratch, _ = scratch_store(lock, project.store, tmp_path / "scratch", ())
    assert git_source.is_here(lock.sources["s"], scratch)
    # Missed one by one.
    empty = Store(tmp_path / "empty")
    config = Config(home=empty.home)
    assert not git_source.is_here(lock.sources["s"], empty)
    with pytest.raises(InputError, match="is not in the store"):
        git_source.bring(lock.sources["s"], Fetcher(empty, config, offline=True))
    git_source.bring(lock.sources["s"], Fetcher(empty, config))
    found = [finding.text for finding in examine_inputs(take_inventory(recipe, lock, config), recipe, lock, config)]
    assert not any("the source s" in text for text in found)
    mirror = empty.git / f"{mirror_name(f'file://{upstream.parent}/deep')}.git"
    mirror.rename(tmp_path / "elsewhere")
    assert not git_source.is_here(lock.sources["s"], empty)
    found = [finding.text for finding in examine_inputs(take_inventory(recipe, lock, config), recipe, lock, config)]
    assert any("the source s" in text for text in found)


def test_a_layer_from_elsewhere_is_proven_with_them(made: SourceProject, upstream: Path) -> None:
    made.asks(f'git: "file://{upstream}", branch: main, submodules: true')
    source = made.lock().sources["s"]
    store = made.project.store
    with store.workspace() as folder, Spool(folder) as spool:
        tree = git_source.tree(source, store, spool)
        layer = git_source.in_layer(source, git_source.out_of_layer(tree.with_folders()))
        assert git_source.proof(source, layer) is None
        for gone in ("t", "libs/mid/m", "libs/mid/deep/d"):
            other = layer.copy()
            other.remove(gone)
            with pytest.raises(InputError, match="holds the git tree"):
                git_source.proof(source, other)
