"""Passwords of mirrors, indexes and repositories reach their servers, and no argument, file or message has them."""

import base64
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from password_server import PasswordServer, basic, serving
from tiny_wheels import asks

from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.inputs import git, python
from portside.inputs.debian import apt, mirrors
from portside.inputs.debian.resolve import resolve_base
from portside.lock.packages import Artefact
from portside.store import Store

ARCHIVE = Path(__file__).parent / "debian_archive"
PASSWORD = "p@ss:w/rd #1?"
"""With everything that a URL has another use for."""
PLAIN = "S3CR3T-77,x"
"""apt's file of logins knows no blanks, and uv's list of places separates them by commas."""


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "GIT_"))]:
        monkeypatch.delenv(name)
    values = {"PIP_CONFIG_FILE": os.devnull, "NETRC": str(tmp_path / "netrc"), "HOME": str(tmp_path / "nobody")}
    values |= {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        values |= {f"GIT_{who}_NAME": "Test", f"GIT_{who}_EMAIL": "test@example.invalid"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PasswordServer]:
    (tmp_path / "www").mkdir()
    with serving(tmp_path / "www", {}) as running:
        yield running


def config(tmp_path: Path, **mirrors: Any) -> Config:
    return Config.model_validate({"home": tmp_path / "home", "mirrors": mirrors})


def nowhere(server: PasswordServer, folder: Path, *secrets: str) -> None:
    """No secret in an argument of a process while the server answered, and in no file below the folder."""
    assert server.processes
    forms = {form for s in secrets for form in (s, quote(s, safe=""), base64.b64encode(s.encode()).decode())}
    for form in forms:
        assert form not in server.processes
        for path in folder.rglob("*"):
            assert not path.is_file() or form.encode() not in path.read_bytes(), path


# git


@pytest.fixture
def commit(server: PasswordServer, tmp_path: Path) -> str:
    """A commit of the repository www/git/x.git, which is read as files (gitprotocol-http(5), "dumb")."""
    work = tmp_path / "work"

    def run(*arguments: str, folder: Path = work) -> str:
        return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    work.mkdir()
    run("init", "-q", "-b", "main")
    run("commit", "-q", "--allow-empty", "-m", "x")
    (tmp_path / "www" / "git").mkdir()
    run("clone", "-q", "--bare", str(work), str(tmp_path / "www" / "git" / "x.git"))
    run("update-server-info", folder=tmp_path / "www" / "git" / "x.git")
    return run("rev-parse", "HEAD").strip()


@pytest.mark.parametrize("kind", ["mirror", "machine"])
@pytest.mark.parametrize(
    ("login", "sent"),
    [
        (f"an%40na:{quote(PASSWORD, safe='')}", f"an@na:{PASSWORD}"),
        ("T0KEN-4711", "T0KEN-4711:"),
        ("T0KEN-4711:", "T0KEN-4711:"),
    ],
)
def test_git_gets_the_password_and_shows_it_to_nobody(
    server: PasswordServer, commit: str, tmp_path: Path, kind: str, login: str, sent: str
) -> None:
    """The machine's own `insteadOf` may hold one as well: git would make it an argument of its helper."""
    server.passwords["git"] = sent
    given = config(tmp_path)
    if kind == "mirror":
        given = config(tmp_path, git={"https://code.invalid/": server.url("git/", login)})
    else:
        text = f'[url "{server.url("git/", login)}"]\n\tinsteadOf = https://code.invalid/\n'
        (tmp_path / "gitconfig").write_text(text)
    store = Store(given.home)
    source = git.resolve("https://code.invalid/x.git", "refs/heads/main", given, store)
    assert source.commit == commit
    assert (server.requests[-1][1]) == basic(sent)
    secret = sent.partition(":")[2] or "T0KEN-4711"
    nowhere(server, given.home, secret)
    assert source.url == "https://code.invalid/x.git"


def test_a_helper_of_the_machine_knows_the_password_of_a_user(
    server: PasswordServer, commit: str, tmp_path: Path
) -> None:
    server.passwords["git"] = f"anna:{PLAIN}"
    (tmp_path / "helper").write_text(f"#!/bin/sh\n[ $1 = get ] && cat > /dev/null && echo password={PLAIN}\n")
    (tmp_path / "helper").chmod(0o755)
    (tmp_path / "gitconfig").write_text(f"[credential]\n\thelper = {tmp_path}/helper\n")
    given = config(tmp_path, git={"https://code.invalid/": server.url("git/", "anna")})
    assert git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home)).commit == commit


def test_what_git_says_about_a_wrong_password_has_none(server: PasswordServer, commit: str, tmp_path: Path) -> None:
    server.passwords["git"] = "anna:another"
    given = config(tmp_path, git={"https://code.invalid/": server.url("git/", f"anna:{quote(PLAIN)}")})
    with pytest.raises(InputError, match="Authentication failed") as caught:
        git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home))
    assert PLAIN not in str(caught.value) and quote(PLAIN) not in str(caught.value)


def test_git_sends_no_password_to_where_a_server_leads(server: PasswordServer, commit: str, tmp_path: Path) -> None:
    with serving(tmp_path / "www", {"git": f"anna:{PLAIN}"}) as other:
        server.leads["/away/x.git/info/refs"] = other.url("git/x.git/info/refs")
        given = config(tmp_path, git={"https://code.invalid/": server.url("away/", f"anna:{quote(PLAIN)}")})
        with pytest.raises(InputError):
            git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home))
        assert other.requests and {told for _, told in other.requests} == {None}


@pytest.mark.parametrize("allowed", [None, "file:http:https:ext"])
@pytest.mark.parametrize("url", ["ext::sh -c 'touch {mark}'", "http::{server}git/x.git"])
def test_git_runs_no_program_that_a_url_names(
    server: PasswordServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, allowed: str | None
) -> None:
    if allowed is not None:
        monkeypatch.setenv("GIT_ALLOW_PROTOCOL", allowed)
    mark = tmp_path / "mark"
    given = config(tmp_path, git={"https://code.invalid/x.git": url.format(mark=mark, server=server.url(""))})
    with pytest.raises(InputError):
        git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home))
    assert not mark.exists()


def test_a_repository_cannot_lead_to_another_on_this_machine(
    server: PasswordServer, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a redirect nor by what a repository says about objects that stand elsewhere."""
    (tmp_path / "gitconfig").write_text("[http]\n\tfollowRedirects = true\n[protocol]\n\tallow = always\n")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:http:https:ext")
    bare = tmp_path / "www" / "git" / "x.git"
    hidden = tmp_path / "hidden.git"
    shutil.copytree(bare, hidden)
    server.leads["/away/x.git/info/refs"] = hidden.as_uri() + "/info/refs"
    given = config(tmp_path, git={"https://code.invalid/": server.url("away/")})
    with pytest.raises(InputError):
        git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home))
    # The repository's own objects are gone; those of another are named.
    shutil.rmtree(bare / "objects")
    (bare / "objects" / "info").mkdir(parents=True)
    (bare / "objects" / "info" / "http-alternates").write_text(f"{hidden.as_uri()}/objects\n")
    (bare / "objects" / "info" / "alternates").write_text(f"{hidden}/objects\n")
    given = config(tmp_path, git={"https://code.invalid/": server.url("git/")})
    with pytest.raises(InputError):
        git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home))


@pytest.mark.parametrize(
    ("said", "follows"),
    [("", True), ("\tfollowRedirects\n", True), ("\tfollowRedirects = True\n\tfollowRedirects = No\n", False)],
)
def test_redirects_are_followed_unless_the_persons_git_does_not(
    server: PasswordServer, commit: str, tmp_path: Path, said: str, follows: bool
) -> None:
    """What is said last counts, as git has it."""
    (tmp_path / "gitconfig").write_text(f"[http]\n{said}")
    server.leads["/away/x.git/info/refs"] = server.url("git/x.git/info/refs?service=git-upload-pack")
    given = config(tmp_path, git={"https://code.invalid/": server.url("away/")})

    def found() -> str:
        return git.resolve("https://code.invalid/x.git", "refs/heads/main", given, Store(given.home)).commit

    if follows:
        assert found() == commit
    else:
        with pytest.raises(InputError):
            found()


@pytest.mark.parametrize(
    "url",
    ["https://T0KEN@host.invalid/x", "https://a:T0KEN@host.invalid/x", "https://host.invalid/x?private_token=T0KEN"],
)
def test_a_url_with_a_password_gets_into_no_lock(tmp_path: Path, url: str) -> None:
    given = config(tmp_path)
    with pytest.raises(RecipeError, match="must not get into a lock") as caught:
        git.resolve(url, "refs/heads/main", given, Store(given.home))
    assert "T0KEN" not in str(caught.value)


# Python


def wheel(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        stem = f"{name}-1.0.dist-info"
        archive.writestr(f"{stem}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{stem}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{stem}/RECORD", "")
    return path


def resolve(given: Config, *requirements: str) -> list[Artefact]:
    return python.resolve_wheels(
        asks(*requirements),
        keep=(),
        update=(),
        installed={},
        config=given,
        store=Store(given.home),
    )


def test_uv_gets_the_passwords_of_index_and_find_links_and_shows_them_to_nobody(
    server: PasswordServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages say neither hash nor size, so the files are brought too."""
    www = tmp_path / "www"
    server.passwords |= {"index": f"anna:{PASSWORD}", "links": f"berta:{PLAIN}"}
    wheel(www / "index" / "one", "one")
    wheel(www / "links" / "a,b", "two")
    links = server.url("links/a,b/?token=S3CR3T-88", f"berta:{PLAIN}")
    monkeypatch.setenv("PIP_INDEX_URL", server.url("index", f"anna:{quote(PASSWORD, safe='')}"))
    monkeypatch.setenv("PIP_FIND_LINKS", links)
    given = config(tmp_path)
    assert [a.name for a in resolve(given, "one", "two")] == ["one", "two"]
    nowhere(server, given.home, PASSWORD, PLAIN, "S3CR3T-88")


@pytest.mark.parametrize("name", ["a folder, with commas", "plain"])
def test_find_links_may_be_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = wheel(tmp_path / name, "one")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (tmp_path / name).as_uri().replace("%2C", ","))
    assert [a.sha256 for a in resolve(config(tmp_path), "one")] == [hashlib.sha256(path.read_bytes()).hexdigest()]


def test_what_uv_says_has_no_password(server: PasswordServer, tmp_path: Path) -> None:
    server.passwords["index"] = "anna:another"
    given = config(tmp_path, pypi=[server.url("index/S3CR3T?token=S3CR3T-88", f"anna:{PLAIN}")])
    with pytest.raises((InputError, RecipeError)) as caught:
        resolve(given, "one")
    assert PLAIN not in str(caught.value) and "S3CR3T-88" not in str(caught.value)


def test_an_index_that_names_a_file_of_this_machine_is_refused_after_uv_too(
    server: PasswordServer, tmp_path: Path
) -> None:
    path = wheel(tmp_path / "private", "one")
    page = tmp_path / "www" / "index" / "one" / "index.html"
    page.parent.mkdir(parents=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    page.write_text(f'<a href="{path.as_uri()}#sha256={digest}">{path.name}</a>')
    with pytest.raises(InputError, match=r"for one an index leads to file:///.*, which is refused"):
        resolve(config(tmp_path, pypi=[server.url("index")]), "one")


# Debian


@pytest.fixture
def archive(tmp_path: Path, server: PasswordServer, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ARCHIVE / "dists", tmp_path / "www" / "debian" / "dists")
    shutil.copy(ARCHIVE / "archive.asc", tmp_path / "archive.asc")
    monkeypatch.setattr(mirrors, "_apt_roots", lambda suite: ())
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: str(tmp_path / "archive.asc"))


def base(given: Config) -> list[str]:
    return [deb.name for deb in resolve_base("tiny", "amd64", [], [], (), given, Store(given.home))[0]]


def test_apt_gets_the_mirrors_password_and_shows_it_to_nobody(
    server: PasswordServer, tmp_path: Path, archive: None
) -> None:
    password = "p@ss:w/rd#1?,$x"
    server.passwords["debian"] = f"anna:{password}"
    given = config(tmp_path, debian=[server.url("debian", f"anna:{quote(password, safe='')}")])
    assert "libc6" in base(given)
    nowhere(server, given.home, password)


def test_what_apt_says_has_no_password(server: PasswordServer, tmp_path: Path, archive: None) -> None:
    server.passwords["debian"] = "anna:another"
    given = config(tmp_path, debian=[server.url("debian", f"anna:{PLAIN}")])
    with pytest.raises(InputError, match="401") as caught:
        base(given)
    assert PLAIN not in str(caught.value) and f"{server.host}/debian" in str(caught.value)


@pytest.mark.parametrize("login", ["anna:with%20blank", "anna", "anna:", ":only"])
def test_a_login_that_apt_cannot_use_is_told(server: PasswordServer, tmp_path: Path, archive: None, login: str) -> None:
    with pytest.raises(InputError, match=r"apt_auth\.conf") as caught:
        base(config(tmp_path, debian=[server.url("debian", login)]))
    assert f"{login}@" not in str(caught.value) and "with blank" not in str(caught.value)


def test_the_file_with_the_password_is_nobody_elses(
    server: PasswordServer, tmp_path: Path, archive: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}

    def look(private: apt.PrivateApt) -> str:
        for path in private._root.rglob("*"):
            if path.is_file() and PLAIN in path.read_text(errors="replace"):
                seen[path.name] = path.stat().st_mode & 0o777
        return "E: enough"

    monkeypatch.setattr(apt.PrivateApt, "update", look)
    with pytest.raises(InputError, match="enough"):
        base(config(tmp_path, debian=[server.url("debian", f"anna:{PLAIN}")]))
    assert seen == {"auth.conf": 0o600}


def test_apt_does_not_follow_to_a_file(server: PasswordServer, tmp_path: Path, archive: None) -> None:
    (tmp_path / "www" / "debian").rename(tmp_path / "elsewhere")
    for name in ("InRelease", "Release"):
        path = f"dists/tiny/{name}"
        server.leads[f"/debian/{path}"] = (tmp_path / "elsewhere" / path).as_uri()
    with pytest.raises(InputError, match="no Debian mirror gives a verified index"):
        base(config(tmp_path, debian=[server.url("debian")]))


def test_apt_sends_no_password_to_where_a_mirror_leads(server: PasswordServer, tmp_path: Path, archive: None) -> None:
    with serving(tmp_path / "www", {}) as other:
        for path in ("InRelease", "main/binary-amd64/Packages"):
            server.leads[f"/away/dists/tiny/{path}"] = other.url(f"debian/dists/tiny/{path}")
        assert "libc6" in base(config(tmp_path, debian=[server.url("away", f"anna:{PLAIN}")]))
        assert other.requests and {told for _, told in other.requests} == {None}
