"""Git sources by tag, branch and short commit: what the lock says counts until somebody updates it."""

from pathlib import Path

import pytest
from source_project import SourceProject, commit, git, repository

from portside.errors import InputError, LockError
from portside.inputs.bringer import Moved
from portside.lock.file import check_lock, read_lock
from portside.resolve.outdated import outdated


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceProject:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    return SourceProject(tmp_path / "project")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    return repository(tmp_path / "upstream", f="one")


@pytest.mark.parametrize("key", ["tag", "branch", "commit"])
def test_what_moves_after_the_lock_changes_nothing_until_it_is_updated(
    made: SourceProject, upstream: Path, key: str
) -> None:
    git(upstream, "tag", "-a", "-m", "x", "it")
    git(upstream, "branch", "it-too")
    first = git(upstream, "rev-parse", "HEAD")
    said = {"tag": "it", "branch": "it-too", "commit": first[:8]}[key]
    made.asks(f'git: "file://{upstream}", {key}: "{said}"')
    lock = made.lock()
    assert lock.sources["s"].identity == {"commit": first, "tree": git(upstream, "rev-parse", "HEAD^{tree}")}
    assert lock.requests["sources.s"] == {"git": f"file://{upstream}", "commit": None, key: said}
    before, second = made.text, commit(upstream, f="two")
    git(upstream, "tag", "-f", "it")
    git(upstream, "branch", "-f", "it-too")
    check_lock(made.project.recipe("r"), made.lock())
    assert made.text == before and made.files() == {"f": "one"}
    after = made.lock("s").sources["s"].identity["commit"]
    assert after == (first if key == "commit" else second)
    assert made.files() == {"f": "one" if key == "commit" else "two"}


def test_another_tag_in_the_recipe_is_noticed(made: SourceProject, upstream: Path) -> None:
    git(upstream, "tag", "v1")
    made.asks(f'git: "file://{upstream}", tag: v1')
    made.lock()
    second = commit(upstream, f="two")
    git(upstream, "tag", "v2")
    made.asks(f'git: "file://{upstream}", tag: v2')
    recipe, lock = made.project.recipe("r"), read_lock(made.root / "recipes/r.lock")
    assert lock is not None
    with pytest.raises(LockError, match=r"sources\.s\.tag: 'v1' -> 'v2'"):
        check_lock(recipe, lock)
    assert made.lock().sources["s"].identity["commit"] == second


def test_a_lock_with_a_commit_of_other_digits_is_refused(made: SourceProject, upstream: Path) -> None:
    first = git(upstream, "rev-parse", "HEAD")
    made.asks(f'git: "file://{upstream}", commit: "{first[:7]}"')
    made.lock()
    path = made.root / "recipes/r.lock"
    path.write_text(path.read_text().replace(first, "0" * 40))
    lock = read_lock(path)
    assert lock is not None
    with pytest.raises(LockError, match=r"sources\.s\.commit: the recipe says"):
        check_lock(made.project.recipe("r"), lock)
    assert made.lock().sources["s"].identity["commit"] == first


def test_a_recipe_of_a_full_commit_asks_in_the_words_of_before(made: SourceProject, upstream: Path) -> None:
    """Locks of before there were tags and branches still belong to their recipes."""
    whole = git(upstream, "rev-parse", "HEAD")
    made.asks(f'git: "file://{upstream}", commit: "{whole}"')
    assert made.project.recipe("r").requests()["sources.s"] == {"git": f"file://{upstream}", "commit": whole}


def test_a_wrong_url_is_told_before_a_base_is_made(tmp_path: Path, made: SourceProject) -> None:
    """The base asks a mirror that does not answer either: what is told is the source."""
    made.asks(f'git: "file://{tmp_path}/nothing", branch: main')
    path = made.root / "recipes/r.yaml"
    path.write_text(path.read_text().replace("{archive: {file: base.tar, origin: x}}", "{debian: {suite: bookworm}}"))
    (made.root / "portside.toml").write_text('[mirrors]\ndebian = ["http://127.0.0.1:9/debian"]\n')
    with pytest.raises(InputError, match="git ls-remote failed"):
        made.lock()


def test_what_has_moved_is_said_without_fetching_it(made: SourceProject, upstream: Path) -> None:
    first = git(upstream, "rev-parse", "HEAD")
    git(upstream, "tag", "-a", "-m", "x", "v1")
    for asked, moves in (("branch: main", True), ("tag: v1", False), (f'commit: "{first}"', False)):
        made.asks(f'git: "file://{upstream}", {asked}')
        lock = made.lock()
        assert outdated(made.project, made.project.recipe("r"), lock).moved == {}
        second = commit(upstream, f=asked)
        found = outdated(made.project, made.project.recipe("r"), lock)
        assert found.unknown == {}
        assert found.moved == ({"sources.s": Moved("main", first, second)} if moves else {})
        git(upstream, "reset", "-q", "--hard", first)
    made.asks(f'git: "file://{upstream}", branch: main')
    lock = made.lock()
    upstream.rename(upstream.with_name("gone"))
    assert "sources.s" in outdated(made.project, made.project.recipe("r"), lock).unknown
