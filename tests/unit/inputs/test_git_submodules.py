"""What `.gitmodules` says, which anybody may have written: URLs a recipe could name, of the same kind, or an error."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portside.common.values import GitUrl, TreeName
from portside.errors import InputError
from portside.inputs.git_mirror import Mirror
from portside.inputs.git_submodules import declared, url_of
from portside.store import Store


@pytest.mark.parametrize(
    ("parent", "said", "url"),
    [
        ("https://h/a/b", "../c.git", "https://h/a/c.git"),
        ("https://h/a/b/", "../c.git/", "https://h/a/c.git"),
        ("https://h/a/b.git", "../../c/d", "https://h/c/d"),
        ("https://h/a/b", "./c", "https://h/a/b/c"),
        ("https://h/a/b", "./../c", "https://h/a/c"),
        ("https://h:8443/a/b", "../c", "https://h:8443/a/c"),
        ("git@h:a/b.git", "../c.git", "git@h:a/c.git"),
        ("git@h:b.git", "../c.git", "git@h:c.git"),
        ("git@h:/srv/b.git", "../c.git", "git@h:/srv/c.git"),
        ("ssh://git@h/a/b", "../c", "ssh://git@h/a/c"),
        ("file:///srv/a/b", "../c", "file:///srv/a/c"),
        ("/srv/a", "../c", "/srv/c"),
        ("https://h/a/b", "https://other/c", "https://other/c"),
        ("https://h/a/b", "git@other:c/d.git", "git@other:c/d.git"),
        ("/srv/a", "/srv/b", "/srv/b"),
        ("/srv/a", "https://h/c", "https://h/c"),
    ],
)
def test_urls_are_what_git_makes_of_them(parent: str, said: str, url: str) -> None:
    found = url_of(said, GitUrl(parent))
    assert found == url and type(found) is GitUrl


@pytest.mark.parametrize(
    ("parent", "said", "problem"),
    [
        ("https://h/a", "../../evil.example/x", "leads out of"),
        ("git@h:a", "../../x", "leads out of"),
        ("/a", "../../x", "leads out of"),
        ("https://h/a/b", "../c/../../d", "not a clean one"),
        ("https://h/a/b", "../", "not a clean one"),
        ("https://h/a/b", "./", "not a clean one"),
        ("https://h/a/b", "/etc", "to a file of this machine"),
        ("https://h/a/b", "file:///etc", "to a file of this machine"),
        ("git@h:a/b", "file:///etc", "to a file of this machine"),
        ("https://h/a/b", "ext::sh -c x", "expected the URL"),
        ("/a/b", "ext::sh -c x", "expected the URL"),
        ("https://h/a/b", "--upload-pack=x", "expected the URL"),
        ("https://h/a/b", "-oProxyCommand=x:y", "expected the URL"),
        ("https://h/a/b", "ssh://-oProxyCommand=x/y", "has no host"),
        ("https://h/a/b", "ssh://git@-oProxyCommand=x/y", "has no host"),
        ("https://h/a/b", "git@-oProxyCommand=x:y", "expected the URL"),
        ("https://h/a/b", "sub/folder", "expected the URL"),
        ("https://h/a/b", "", "expected the URL"),
        ("https://h/a/b", "../c\nd", "expected the URL"),
        ("https://h/a/b", "https://u:pass@h/c", "holds a password"),
        ("https://h/a/b", "../c\udcff", "not UTF-8"),
    ],
)
def test_urls_that_no_recipe_could_name(parent: str, said: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        url_of(said, GitUrl(parent))
    assert "pass@" not in str(caught.value) and caught.value.solution


PIECES = st.sampled_from(
    ["..", ".", "", "a", "b.git", "-x", "~", "@", ":", "ext::sh", "file:", "https:", "h", " ", "\n"]
)


@given(st.lists(PIECES, max_size=8).map("/".join) | st.text(max_size=20))
def test_no_url_changes_the_kind_or_leaves_the_host(said: str) -> None:
    for parent in ("https://h.example/team/a", "git@h.example:team/a"):
        try:
            url = url_of(said, GitUrl(parent))
        except InputError as error:
            assert error.solution
            continue
        assert type(url) is GitUrl and not url.startswith(("/", "file://", "ext:", "-"))
        if said.startswith(("./", "../")):
            assert url.startswith(parent.removesuffix("team/a")) and "/../" not in url


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    made = Mirror("https://h.example/a", None, Store(tmp_path_factory.mktemp("home")))
    with made.locked():
        return made


def tree_with(mirror: Mirror, data: bytes) -> TreeName:
    def run(*arguments: str, stdin: bytes) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=mirror.path, input=stdin, capture_output=True, check=True
        ).stdout.decode()

    blob = run("hash-object", "-w", "--stdin", stdin=data).strip()
    return TreeName(run("mktree", stdin=f"100644 blob {blob}\t.gitmodules\n".encode()).strip())


def test_only_whole_entries_count(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "more").write_text('[submodule "z"]\n\tpath = z\n\turl = ../z\n')
    text = f"""
[submodule "a.path.b"]
\tpath = libs/a/
\turl = ../a
\tupdate = !touch {tmp_path}/x
[submodule "half"]
\tpath = half
[submodule "flag"]
\tpath
\turl = x
[SubModule "c"]
\tURL = "../c d"
\tPath = c
[include]
\tpath = {tmp_path}/more
[core]
\tsshCommand = touch {tmp_path}/y
"""
    found = declared(mirror, tree_with(mirror, text.encode()))
    assert {path: url for path, url in found.items() if path} == {"libs/a": "../a", "c": "../c d"}
    assert not (tmp_path / "x").exists() and not (tmp_path / "y").exists()


def test_a_path_with_two_urls_is_refused(mirror: Mirror) -> None:
    text = '[submodule "a"]\n\tpath = p\n\turl = ../a\n[submodule "b"]\n\tpath = p\n\turl = ../b\n'
    with pytest.raises(InputError, match=r"gives 'p' two URLs"):
        declared(mirror, tree_with(mirror, text.encode()))


@settings(max_examples=25)
@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from([b'[submodule "a"]\n', b"path = ../x\n", b"url = -u\n", b"[", b'"', b"\0", b"\xff", b"path\n"]),
        max_size=6,
    ).map(b"".join)
)
def test_any_bytes_are_read_or_refused(mirror: Mirror, data: bytes) -> None:
    try:
        found = declared(mirror, tree_with(mirror, data))
    except InputError:
        return
    assert all(isinstance(path, str) and isinstance(url, str) for path, url in found.items())
