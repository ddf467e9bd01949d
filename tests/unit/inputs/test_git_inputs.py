"""Git sources from repositories that the tests make; no configuration of the machine counts."""

import hashlib
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from upstream import COMMITTED, Upstream

from portside.config import Config, Mirrors
from portside.errors import InputError, RecipeError
from portside.inputs import git
from portside.inputs.spool import Spool
from portside.lock.sources import LockedGitSource
from portside.store import Store

pytestmark = pytest.mark.usefixtures("git_settings")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path) as open_spool:
        yield open_spool


def test_the_tree_is_what_the_objects_say(upstream: Upstream, store: Store, config: Config, spool: Spool) -> None:
    """No line ends converted, nothing left out by export-ignore, nothing replaced by export-subst or a filter."""
    attributes = b"* text eol=crlf\nhidden export-ignore\nversion export-subst\nbig filter=lfs\n"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (upstream.path / "deep").mkdir()
    (upstream.path / "link").symlink_to("deep/../crlf")
    (upstream.path / "outside").symlink_to("/etc/passwd")
    (upstream.path / "run").write_bytes(b"#!/bin/sh\n")
    (upstream.path / "run").chmod(0o700)
    upstream("add", ".")
    plain = {
        "crlf": b"a\r\nb\n",
        "hidden": b"h",
        "version": b"$Format:%H$",
        "big": pointer,
        "empty": b"",
        "tab\tü\n": b"t",
    }
    for name, data in {**plain, "deep/x": b"\0" * 200_000, ".gitattributes": attributes}.items():
        blob = upstream("hash-object", "-w", "--stdin", "--no-filters", stdin=data)
        upstream("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    commit = upstream.commit()
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    assert source == LockedGitSource(
        url=upstream.url, commit=commit, tree=upstream("rev-parse", "HEAD^{tree}"), epoch=COMMITTED
    )
    tree = git.tree(source, store, spool)
    assert {e.path: e.read() for e in tree.files()} == {
        **plain,
        "deep/x": b"\0" * 200_000,
        ".gitattributes": attributes,
        "run": b"#!/bin/sh\n",
    }
    assert {e.path: e.mode for e in tree.files() if e.mode != 0o644} == {"run": 0o755}
    assert {e.path: e.link for e in tree if e.kind == "symlink"} == {"link": "deep/../crlf", "outside": "/etc/passwd"}
    assert {e.mtime for e in tree} == {COMMITTED} == {git.date(source, store)}
    assert {e.path: e.sha256 for e in tree.files()} == {
        e.path: hashlib.sha256(e.read()).hexdigest() for e in tree.files()
    }


def test_revisions_are_tags_branches_and_commits(upstream: Upstream, store: Store, config: Config) -> None:
    first = upstream.commit(a=b"1")
    upstream("tag", "-a", "v1", "-m", "annotated")
    upstream("tag", "-a", "v1-again", "-m", "of a tag", "v1")
    upstream("tag", "both")
    second = upstream.commit(a=b"2")
    upstream("branch", "both")
    upstream("branch", "with/slash", first)
    found = {
        revision: git.resolve(upstream.url, revision, config, store).commit
        for revision in ("refs/tags/v1", "refs/tags/v1-again", "refs/tags/both", "refs/heads/with/slash", first)
    }
    assert set(found.values()) == {first}
    assert git.resolve(upstream.url, "refs/heads/main", config, store).commit == second
    assert git.resolve(upstream.url, "refs/heads/both", config, store).commit == second
    for digits in (7, 9, 39):
        assert git.resolve(upstream.url, first[:digits], config, store).commit == first


@pytest.mark.parametrize(
    ("revision", "problem", "remedy"),
    [
        ("refs/tags/v1.1", "has no tag v1.1", "Did you mean 'v1.0'? Correct the source's tag"),
        ("refs/heads/mian", "has no branch mian", "Did you mean 'main'?"),
        ("refs/tags/main", "has no tag main", "It is a branch there: say `branch: main`."),
        ("refs/heads/v1.0", "has no branch v1.0", "It is a tag there: say `tag: v1.0`."),
        ("refs/tags/file", "the tag file of", "Name another"),
        ("refs/tags/folder", "is a tree, no commit", "Name another"),
        ("0" * 40, "has no commit 0000", "mirror"),
        ("abcdef0", "has no commit that begins with abcdef0", "Correct the source's commit"),
        ("decade0", "has a branch decade0", "Say `branch: decade0`, or the full name"),
        ("main~1", "has no commit that begins", ""),
    ],
)
def test_a_revision_that_is_not_there(
    upstream: Upstream, store: Store, config: Config, revision: str, problem: str, remedy: str
) -> None:
    upstream.commit(a=b"1")
    upstream("tag", "-a", "v1.0", "-m", "x")
    upstream("tag", "file", "HEAD:a")
    upstream("tag", "folder", "HEAD^{tree}")
    upstream("branch", "decade0")
    with pytest.raises(InputError, match="upstream") as caught:
        git.resolve(upstream.url, revision, config, store)
    assert problem in caught.value.problem and remedy in str(caught.value.solution)


def test_digits_that_several_commits_begin_with(upstream: Upstream, store: Store, config: Config) -> None:
    """As few digits as a recipe may have are seldom those of two commits: git itself takes four."""
    head = f"commit refs/heads/main\ncommitter x <x@example.invalid> {COMMITTED} +0000\ndata <<E\n"
    upstream("fast-import", "--quiet", stdin="".join(f"{head}{number}\nE\n" for number in range(900)).encode())
    begun: dict[str, list[str]] = {}
    for name in upstream("rev-list", "main").split():
        begun.setdefault(name[:4], []).append(name)
    digits, two = next((digits, found) for digits, found in sorted(begun.items()) if len(found) == 2)
    with pytest.raises(InputError, match=f"has 2 commits that begin with {digits}") as caught:
        git.resolve(upstream.url, digits, config, store)
    assert all(name in caught.value.problem for name in two) and "Say more" in str(caught.value.solution)


def test_a_short_commit_behind_one_that_came_without_its_history(
    upstream: Upstream, store: Store, config: Config
) -> None:
    first = upstream.commit(a=b"1")
    upstream.commit(a=b"2")
    git.resolve(upstream.url, "refs/heads/main", config, store)
    assert git.resolve(upstream.url, first[:8], config, store).commit == first


@pytest.mark.parametrize(
    "url",
    [
        "-u",
        "ext::sh -c x",
        "relative/path",
        "https://a b/c",
        "https://h/x\ny",
        "ftp://h/x",
        "-oProxyCommand=x:y",
        "",
        "/a ",
        "/a\tb",
    ],
)
def test_a_url_that_is_none(store: Store, config: Config, url: str) -> None:
    with pytest.raises(RecipeError, match="not a URL"):
        git.resolve(url, "refs/heads/main", config, store)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_with_spaces_in_its_name(scheme: str, tmp_path: Path, store: Store, config: Config) -> None:
    upstream = Upstream(tmp_path / "my  own upstream")
    commit = upstream.commit(a=b"1")
    assert git.resolve(f"{scheme}{upstream.path}", "refs/heads/main", config, store).commit == commit


def test_a_password_does_not_get_into_a_lock(store: Store, config: Config) -> None:
    with pytest.raises(RecipeError) as caught:
        git.resolve("https://anna:geheim@host.invalid/x", "refs/heads/main", config, store)
    assert "geheim" not in str(caught.value)


def test_what_the_store_has_needs_no_upstream(upstream: Upstream, store: Store, config: Config, spool: Spool) -> None:
    upstream.commit(a=b"1")
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    upstream.path.rename(upstream.path.with_name("gone"))
    git.fetch(source, store, config, offline=False)
    git.fetch(source, store, config, offline=True)
    assert git.tree(source, store, spool)["a"].read() == b"1"


def test_offline_without_the_commit(upstream: Upstream, store: Store, config: Config) -> None:
    commit = upstream.commit(a=b"1")
    source = LockedGitSource(url=upstream.url, commit=commit, tree="0" * 40, epoch=0)
    with pytest.raises(InputError, match="not in the store") as caught:
        git.fetch(source, store, config, offline=True)
    assert "invoke fetch" in str(caught.value.solution)


def test_one_commit_comes_without_its_history(upstream: Upstream, store: Store, config: Config) -> None:
    old = upstream.commit(a=b"1")
    upstream.commit(a=b"2")
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    (mirror,) = store.git.iterdir()
    listing = subprocess.run(["git", "cat-file", "-e", old], cwd=mirror, capture_output=True)
    assert listing.returncode != 0
    git.fetch(
        source.model_copy(update={"commit": old, "tree": upstream("rev-parse", f"{old}^{{tree}}")}),
        store,
        config,
        False,
    )


def test_a_commit_that_no_branch_has_any_more(upstream: Upstream, store: Store, config: Config) -> None:
    upstream.commit(a=b"1")
    lost = upstream.commit(a=b"2")
    tree = upstream("rev-parse", "HEAD^{tree}")
    upstream("reset", "-q", "--hard", "HEAD~1")
    upstream("reflog", "expire", "--expire=now", "--all")
    upstream("gc", "-q", "--prune=now")
    with pytest.raises(InputError, match=f"has no commit {lost}") as caught:
        git.fetch(LockedGitSource(url=upstream.url, commit=lost, tree=tree, epoch=0), store, config, offline=False)
    assert "mirror" in str(caught.value.solution)


def test_a_tree_other_than_the_locked_one(upstream: Upstream, store: Store, config: Config, spool: Spool) -> None:
    upstream.commit(a=b"1")
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    wrong = source.model_copy(update={"tree": "1" * 40})
    with pytest.raises(InputError, match="the lock says 1111"):
        git.fetch(wrong, store, config, offline=True)
    with pytest.raises(InputError, match="the lock says 1111"):
        git.tree(wrong, store, spool)


def test_mirrors_replace_the_start_of_a_url(upstream: Upstream, store: Store) -> None:
    commit = upstream.commit(a=b"1")
    mirrors = Mirrors(git={"https://nowhere.invalid/": f"{upstream.path.parent}/"})
    given = Config(home=store.home, mirrors=mirrors)
    source = git.resolve("https://nowhere.invalid/upstream", "refs/heads/main", given, store)
    assert (source.url, source.commit) == ("https://nowhere.invalid/upstream", commit)


def test_the_machines_own_replacement_counts(upstream: Upstream, store: Store, config: Config, tmp_path: Path) -> None:
    commit = upstream.commit(a=b"1")
    (tmp_path / "gitconfig").write_text(f'[url "{tmp_path}/"]\n\tinsteadOf = https://nowhere.invalid/\n')
    assert git.resolve("https://nowhere.invalid/upstream", "refs/heads/main", config, store).commit == commit


def test_nobody_there(store: Store, config: Config, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="git ls-remote failed") as caught:
        git.resolve(str(tmp_path / "nothing"), "refs/heads/main", config, store)
    assert "portside.toml" in str(caught.value.solution)


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY"])
def test_git_variables_of_the_caller_do_not_matter(
    upstream: Upstream, store: Store, config: Config, spool: Spool, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As in a git hook, which runs with GIT_DIR set."""
    upstream.commit(a=b"1")
    other = Upstream(upstream.path.with_name("other"))
    before = sorted(other.path.rglob("*"))
    monkeypatch.setenv(name, str(other.path / ".git"))
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    assert [entry.path for entry in git.tree(source, store, spool)] == ["a"]
    assert sorted(other.path.rglob("*")) == before


def test_lock_files_of_a_killed_git_do_not_stay_in_the_way(upstream: Upstream, store: Store, config: Config) -> None:
    upstream.commit(a=b"1")
    git.resolve(upstream.url, "refs/heads/main", config, store)
    (mirror,) = store.git.iterdir()
    for name in ("shallow.lock", "packed-refs.lock", "HEAD.lock"):
        (mirror / name).touch()
    commit = upstream.commit(a=b"2")
    assert git.resolve(upstream.url, "refs/heads/main", config, store).commit == commit


def with_submodule(upstream: Upstream, declared: bool) -> None:
    upstream.commit(a=b"1")
    upstream("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},libs/sub")
    upstream.commit(**({".gitmodules": b'[submodule "s"]\n\tpath = libs/sub\n\turl = ../sub\n'} if declared else {}))


def test_a_submodule_that_nobody_asks_for_is_an_empty_folder(
    upstream: Upstream, store: Store, config: Config, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    with_submodule(upstream, declared=True)
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    assert "without `submodules: true`: libs/sub" in capsys.readouterr().err
    tree = git.tree(source, store, spool)
    assert (tree["libs/sub"].kind, tree["libs/sub"].mode) == ("dir", 0o755)


def test_a_submodule_that_nobody_can_fetch_is_the_empty_folder_of_a_clone(
    upstream: Upstream, store: Store, config: Config, spool: Spool
) -> None:
    with_submodule(upstream, declared=False)
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    assert git.tree(source, store, spool)["libs/sub"].kind == "dir"


@pytest.mark.parametrize("name", [".git", "..", ".GIT"])
def test_a_tree_with_a_path_that_leads_elsewhere(
    upstream: Upstream, store: Store, config: Config, spool: Spool, name: str
) -> None:
    blob = upstream("hash-object", "-w", "--stdin", stdin=b"evil")
    inner = upstream("mktree", stdin=f"100644 blob {blob}\thook\n".encode())
    data = f"40000 {name}\0".encode() + bytes.fromhex(inner)
    tree = upstream("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=data)
    upstream("update-ref", "refs/heads/main", upstream("commit-tree", "-m", "x", tree))
    with pytest.raises(InputError):
        git.tree(git.resolve(upstream.url, "refs/heads/main", config, store), store, spool)


def test_damaged_objects_are_noticed(upstream: Upstream, store: Store, config: Config, spool: Spool) -> None:
    upstream.commit(a=b"right")
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    (mirror,) = store.git.iterdir()
    name = upstream("rev-parse", "HEAD:a")
    loose = mirror / "objects" / name[:2] / name[2:]
    assert loose.is_file()
    loose.chmod(0o600)
    loose.write_bytes(zlib.compress(b"blob 5\0wrong"))
    with pytest.raises(InputError, match="is damaged") as caught:
        git.tree(source, store, spool)
    assert str(caught.value.solution).startswith("Remove it and fetch again")


def test_git_is_missing(upstream: Upstream, store: Store, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.commit(a=b"1")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="git is not installed"):
        git.resolve(upstream.url, "refs/heads/main", config, store)


def test_a_commit_is_here_wherever_git_keeps_its_ref(upstream: Upstream, store: Store, config: Config) -> None:
    upstream.commit(a=b"1")
    source = git.resolve(upstream.url, "refs/heads/main", config, store)
    [mirror] = store.git.glob("*.git")
    [ref] = (mirror / "refs" / "portside").iterdir()
    subprocess.run(["git", "pack-refs", "--all"], cwd=mirror, check=True)
    assert not ref.exists() and git.is_here(source, store)
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text("0" * 40 + "\n")
    assert not git.is_here(source, store)
