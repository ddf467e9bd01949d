"""Resolution of wheels from a folder of tiny wheels that the tests make: no network, no index of the machine."""

import hashlib
import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.common.url import SecretUrl
from portside.config import Config, Mirrors
from portside.errors import InputError, PortsideError, RecipeError
from portside.inputs import python
from portside.inputs.python.tags import best_wheel, tag_ranks
from portside.lock.models import Artefact
from portside.net import pip_settings
from portside.net.pip_settings import PipSettings, read_pip_settings
from portside.store import Store

PLATFORM = "x86_64-manylinux_2_28"


@pytest.fixture(autouse=True)
def only_these_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(home=tmp_path / "home")


def wheel(folder: Path, name: str, version: str, *needs: str, tag: str = "py3-none-any", build: str = "") -> Path:
    """A wheel without content. needs: its Requires-Dist."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{build}{tag}.whl"
    stem = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {n}" for n in needs),
        ]
        archive.writestr(f"{stem}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{stem}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{stem}/RECORD", "")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def artefact(path: Path) -> Artefact:
    name, version = path.name.split("-")[:2]
    return Artefact(name=name, version=version, file=path.name, size=path.stat().st_size, sha256=digest(path))


def resolve(
    config: Config,
    *requirements: str,
    keep: Sequence[Artefact] = (),
    update: Sequence[str] = (),
    installed: dict[str, str] | None = None,
    version: str = "3.11",
) -> list[Artefact]:
    return python.resolve_wheels(
        requirements,
        version=version,
        platform=PLATFORM,
        keep=keep,
        update=update,
        installed=installed or {},
        config=config,
        store=Store(config.home),
    )


def test_everything_needed_comes_with_exact_files(tmp_path: Path, config: Config) -> None:
    links = tmp_path / "links"
    wheel(links, "app", "1.0", "Lib.Core>=1", 'win-only; sys_platform == "win32"', 'old; python_version < "3.11"')
    wheel(links, "lib_core", "1.0")
    new = wheel(links, "lib_core", "2.0")
    wheel(links, "lib_core", "3.0rc1")
    found = resolve(config, "App")
    assert [(a.name, a.version) for a in found] == [("app", "1.0"), ("lib-core", "2.0")]
    assert (found[1].file, found[1].size, found[1].sha256) == (new.name, new.stat().st_size, digest(new))


def test_the_file_is_the_one_pip_would_choose(tmp_path: Path, config: Config) -> None:
    links = tmp_path / "links"
    for tag in [
        "py3-none-any",
        "cp311-cp311-win_amd64",
        "cp311-cp311-manylinux_2_31_x86_64",
        "cp38-abi3-manylinux1_x86_64",
    ]:
        wheel(links, "native", "1.0", tag=tag)
    wheel(links, "native", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64")
    wheel(links, "native", "1.0", tag="cp37-cp37m-manylinux1_x86_64")
    assert resolve(config, "native")[0].file.endswith("-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert resolve(config, "native", version="3.9")[0].file.endswith("-cp38-abi3-manylinux1_x86_64.whl")
    assert resolve(config, "native", version="3.7")[0].file.endswith("-cp37-cp37m-manylinux1_x86_64.whl")


def test_what_is_locked_stays_until_it_is_named(tmp_path: Path, config: Config) -> None:
    links = tmp_path / "links"
    old = [wheel(links, "one", "1.0", "two"), wheel(links, "two", "1.0")]
    keep = [artefact(path) for path in old]
    wheel(links, "one", "1.5", "two")
    wheel(links, "two", "1.5")
    assert resolve(config, "one", keep=keep) == keep
    assert [a.version for a in resolve(config, "one", keep=keep, update=["two"])] == ["1.0", "1.5"]
    assert [a.version for a in resolve(config, "one>1", keep=keep)] == ["1.5", "1.0"]
    assert [a.version for a in resolve(config, "one")] == ["1.5", "1.5"]
    everything = python.resolve_wheels(
        ["one"],
        version="3.11",
        platform=PLATFORM,
        keep=keep,
        update="all",
        installed={},
        config=config,
        store=Store(config.home),
    )
    assert [a.version for a in everything] == ["1.5", "1.5"]


def index(folder: Path, *wheels: Path) -> str:
    """A simple index (PEP 503) in a folder; gives its URL."""
    for path in wheels:
        page = folder / path.name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a") as text:
            text.write(f'<a href="{path.as_uri()}#sha256={digest(path)}">{path.name}</a>\n')
    return folder.as_uri()


def test_what_is_locked_stays_where_another_index_has_it_for_other_machines(tmp_path: Path, config: Config) -> None:
    """uv prefers a locked version, and turns it down if the first index that has it lacks a wheel for the target."""
    links = tmp_path / "links"
    locked = wheel(links, "one", "2.0", tag="cp37-abi3-manylinux1_x86_64")
    second = wheel(links, "two", "1.0")
    other = wheel(tmp_path / "other", "one", "2.0", tag="cp312-cp312-manylinux1_x86_64")
    last = index(tmp_path / "last", locked, wheel(links, "one", "1.0"), second, wheel(links, "two", "2.0", "one<2"))
    mirrors = Mirrors(pypi=(last, index(tmp_path / "first", other)))
    both = Config(home=config.home, mirrors=mirrors)
    keep = [artefact(locked), artefact(second)]
    assert resolve(both, "one", "two", keep=keep) == keep
    # What has to move for it still does.
    assert [a.version for a in resolve(both, "one", "two>1", keep=keep)] == ["1.0", "2.0"]
    assert [a.version for a in resolve(both, "two", "one", keep=keep, update=["two"])] == ["1.0", "2.0"]


def test_a_locked_file_stays_when_a_better_one_of_its_version_appears(tmp_path: Path, config: Config) -> None:
    links = tmp_path / "links"
    keep = [artefact(wheel(links, "one", "1.0", tag="cp311-cp311-manylinux1_x86_64"))]
    wheel(links, "one", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    assert resolve(config, "one", keep=keep) == keep
    assert resolve(config, "one")[0].file == "one-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    wheel(links, "one", "1.0", tag="cp310-cp310-manylinux1_x86_64")
    assert "manylinux1" in resolve(config, "one", keep=keep, version="3.10")[0].file


def test_what_the_base_has_is_never_emitted_nor_what_only_it_needs(tmp_path: Path, config: Config) -> None:
    links = tmp_path / "links"
    wheel(links, "torch", "2.0", "nvidia_cublas")
    wheel(links, "nvidia_cublas", "1.0")
    wheel(links, "model", "1.0", "torch>=1.5", "Odd.Thing>3")
    installed = {"Torch": "1.9.0+mlu", "odd_thing": "1.3.1-torch1.9"}
    assert [a.name for a in resolve(config, "model", "torch", installed=installed)] == ["model"]
    with pytest.raises(RecipeError) as caught:
        resolve(config, "model", "torch>=1.10", installed=installed)
    assert "torch" in caught.value.problem
    assert "The base already has torch 1.9.0+mlu, which stays." in str(caught.value.solution)


def test_nothing_satisfies_the_requirements(tmp_path: Path, config: Config) -> None:
    links = tmp_path / "links"
    wheel(links, "one", "1.0", "two<2")
    wheel(links, "two", "2.0")
    with pytest.raises(RecipeError) as caught:
        resolve(config, "one")
    assert caught.value.problem.startswith("env.python: nothing satisfies the requirements:\n")
    assert "one" in caught.value.problem and "two<2" in caught.value.problem
    assert len(caught.value.problem.splitlines()) < 20
    with pytest.raises(RecipeError, match="nowhere"):
        resolve(config, "nowhere")


@pytest.mark.parametrize("columns", ["20", "400"])
def test_only_a_source_distribution(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """However wide the terminal is: uv would break its sentences there."""
    monkeypatch.setenv("COLUMNS", columns)
    (tmp_path / "links" / "sourceonly-1.0.tar.gz").write_bytes(b"whatever")
    with pytest.raises(InputError, match=r"env\.python: sourceonly is only to be had as a source") as caught:
        resolve(config, "sourceonly")
    assert "wheel" in str(caught.value.solution)


def test_a_place_that_does_not_answer(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "file:///nowhere/simple")
    with pytest.raises(PortsideError, match="thing"):
        resolve(config, "thing")


@pytest.mark.parametrize("text", ["a b", "./folder", "-r other.txt", "--index-url=http://x", "a\n--pre", ""])
def test_what_is_no_requirement(config: Config, text: str) -> None:
    with pytest.raises(RecipeError, match=r"env\.python: not a requirement"):
        resolve(config, text)


def test_a_requirement_by_url(config: Config) -> None:
    with pytest.raises(RecipeError, match="thing is given by a URL"):
        resolve(config, "thing @ https://host.invalid/thing-1.0-py3-none-any.whl")


@pytest.mark.parametrize(("version", "platform"), [("three", PLATFORM), ("3.11", "linux"), ("3.11", "x86_64-win32")])
def test_an_unknown_target(version: str, platform: str) -> None:
    with pytest.raises(RecipeError, match=r"env\.python"):
        tag_ranks(version, platform)


def test_uvs_own_settings_do_not_matter(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(tmp_path / "links", "one", "1.0")
    wheel(tmp_path / "other", "one", "9.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "other"))
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2001-01-01")
    assert [a.version for a in resolve(config, "one")] == ["1.0"]


def test_tags_are_in_pips_order() -> None:
    ranks = list(tag_ranks("3.11", PLATFORM))
    names = [str(tag) for tag in ranks]
    assert names[0] == "cp311-cp311-manylinux_2_28_x86_64"
    order = [
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux2010_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp311-abi3-manylinux_2_28_x86_64",
        "cp311-none-manylinux_2_28_x86_64",
        "cp310-abi3-linux_x86_64",
        "py311-none-manylinux_2_28_x86_64",
        "py3-none-any",
    ]
    assert sorted(order, key=names.index) == order
    assert not any("manylinux_2_29" in name or "win" in name or "cp312" in name for name in names)
    assert not any("manylinux2010" in str(tag) for tag in tag_ranks("3.11", "aarch64-manylinux_2_28"))
    assert tag_ranks("3.7", "x86_64-manylinux2014") == tag_ranks("3.7", "x86_64-manylinux_2_17")


@given(
    st.permutations(["a-1-py3-none-any.whl", "a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl", "a-1.zip", "no.whl"])
)
def test_the_choice_does_not_depend_on_the_order(files: list[str]) -> None:
    assert best_wheel(files, tag_ranks("3.11", PLATFORM)) == "a-1-10-py3-none-any.whl"


def test_a_version_with_an_epoch(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """PEP 440: the newest of all, and its file's name has a '!'; on a page that is %21."""
    links = tmp_path / "links"
    wheel(links, "one", "9.0", "two>=1!0")
    path = wheel(links, "one", "1!1.0+local", "two>=1!0")
    needed = wheel(links, "two", "1!2.0")
    wheel(links, "two", "3.0")
    wanted = [("one", "1!1.0+local", path.name), ("two", "1!2.0", needed.name)]
    found = resolve(config, "one")
    assert [(a.name, a.version, a.file) for a in found] == wanted
    assert resolve(config, "one", keep=found) == found
    (links / "code-1!1.0.tar.gz").write_bytes(b"x")
    assert python.resolve_sdist("code==1!1.0", config).file == "code-1!1.0.tar.gz"
    assert python.resolve_wheel_exact("one", config) == artefact(path)
    assert python.locations(found[0], config) == [str(path)]
    both = Config(home=config.home, mirrors=Mirrors(pypi=(index(tmp_path / "simple", path, needed),)))
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert "%21" in (tmp_path / "simple" / "one" / "index.html").read_text()
    assert resolve(both, "one") == found
    assert python.locations(found[0], both) == [path.as_uri()]
    assert [a.name for a in resolve(both, "one", installed={"two": "1!2.0"})] == ["one"]


def test_an_sdist_is_the_newest_that_is_allowed(tmp_path: Path, config: Config) -> None:
    for name in [
        "my_pkg-1.0.tar.gz",
        "my-pkg-1.1.zip",
        "my-pkg-1.1.tar.gz",
        "my-pkg-2.0rc1.tar.gz",
        "my-pkg-other-3.tar.gz",
    ]:
        (tmp_path / "links" / name).write_bytes(name.encode())
    wheel(tmp_path / "links", "my_pkg", "1.5")
    found = python.resolve_sdist("my.pkg", config)
    assert (found.name, found.version, found.file) == ("my-pkg", "1.1", "my-pkg-1.1.tar.gz")
    assert (found.size, found.sha256) == (17, hashlib.sha256(b"my-pkg-1.1.tar.gz").hexdigest())
    assert python.resolve_sdist("my-pkg==1.0", config).file == "my_pkg-1.0.tar.gz"
    with pytest.raises(
        InputError, match=r"no source distribution was found for my-pkg>5; there are 1\.0, 1\.1, 2\.0rc1"
    ):
        python.resolve_sdist("my-pkg>5", config)


def test_a_wheel_of_data_is_for_every_platform(tmp_path: Path, config: Config) -> None:
    wheel(tmp_path / "links", "data", "1.0", tag="cp311-cp311-manylinux1_x86_64")
    path = wheel(tmp_path / "links", "data", "1.0")
    assert python.resolve_wheel_exact("data==1.0", config) == artefact(path)
    path.unlink()
    with pytest.raises(InputError, match="no wheel for every platform was found"):
        python.resolve_wheel_exact("data==1.0", config)


INDEX = """<!DOCTYPE html><html><body>
<a href="../../files/one-1.0-py3-none-any.whl#sha256={sha}">one-1.0-py3-none-any.whl</a>
<a href="../../files/one-0.9-py3-none-any.whl" data-yanked="broken">one-0.9-py3-none-any.whl</a>
<a href="../../files/other-1.0.tar.gz">other</a></body></html>"""


def test_locations_are_folders_then_mirrors_then_what_pip_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = wheel(tmp_path / "links", "one", "1.0")
    wanted = artefact(path)
    wheel(tmp_path / "folder", "one", "1.0")
    page = tmp_path / "mirror" / "simple" / "one" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(INDEX.format(sha=wanted.sha256))
    lying = tmp_path / "lying" / "simple" / "one" / "index.html"
    lying.parent.mkdir(parents=True)
    lying.write_text(INDEX.format(sha="0" * 64))
    mirrors = Mirrors(pypi=((tmp_path / "lying" / "simple").as_uri(), str(tmp_path / "mirror" / "simple")))
    config = Config(home=tmp_path / "home", folders=(tmp_path / "folder", tmp_path / "empty"), mirrors=mirrors)
    assert python.locations(wanted, config) == [
        str(tmp_path / "folder" / path.name),
        (tmp_path / "mirror" / "files" / path.name).as_uri(),
        str(path),
        (tmp_path / "lying" / "files" / path.name).as_uri(),
    ]
    assert python.locations(wanted.model_copy(update={"name": "absent", "file": "absent-1.whl"}), config) == []


def test_a_yanked_file_is_taken_only_by_its_exact_version(tmp_path: Path) -> None:
    page = tmp_path / "simple" / "one" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(INDEX.format(sha="0" * 64))
    path = wheel(tmp_path / "files", "one", "0.9")
    config = Config(home=tmp_path / "home", mirrors=Mirrors(pypi=(str(tmp_path / "simple"),)))
    assert python.resolve_wheel_exact("one==0.9", config).sha256 == digest(path)
    with pytest.raises(InputError, match="no wheel"):
        python.resolve_wheel_exact("one<1", config)


def test_a_place_that_could_not_be_asked_is_named(tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home", mirrors=Mirrors(pypi=("http://anna:geheim@127.0.0.1:1/simple",)))
    wanted = Artefact(name="one", version="1", file="one-1-py3-none-any.whl", size=1, sha256="0" * 64)
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1/simple/one/") as caught:
        python.locations(wanted, config)
    assert "geheim" not in str(caught.value)


def write_pip_conf(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_pips_configuration_as_pip_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setattr(pip_settings, "MACHINE_FILE", tmp_path / "none")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))
    write_pip_conf(
        tmp_path / "machine" / "pip" / "pip.conf",
        "[global]\nindex-url = http://machine\ntrusted-host = a b\n[install]\nextra_index_url = http://x\n",
    )
    write_pip_conf(
        tmp_path / "config" / "pip" / "pip.conf",
        "[global]\nindex-url = http://user\nextra-index-url = http://ignored\n"
        "find-links =\n  /one\n  /two\n[list]\ncert = /no\n",
    )
    assert read_pip_settings().index == SecretUrl("http://user")
    assert read_pip_settings().extra_indexes == (SecretUrl("http://x"),)
    assert read_pip_settings().find_links == (SecretUrl("/one"), SecretUrl("/two"))
    monkeypatch.setenv("SSL_CERT_FILE", "/environment.pem")
    own = tmp_path / "own.conf"
    own.write_text("[global]\nno-index = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(own))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://y http://z")
    settings = read_pip_settings()
    assert settings.index == SecretUrl("http://machine")
    assert settings.extra_indexes == (SecretUrl("http://y"), SecretUrl("http://z"))
    assert settings.no_index
    assert settings.trusted_hosts == ("a", "b")
    assert settings.cert == "/environment.pem"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert read_pip_settings() == PipSettings(extra_indexes=settings.extra_indexes, cert="/environment.pem")


def test_a_pip_conf_that_pip_could_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text("index-url = x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(broken))
    with pytest.raises(RecipeError, match=r"broken\.conf"):
        read_pip_settings()


def test_a_pip_conf_with_a_mistake_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.conf"
    broken.write_text("index-url = https://u:S3CR3T@h/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(broken))
    with pytest.raises(RecipeError, match=r"broken\.conf") as caught:
        read_pip_settings()
    assert "S3CR3T" not in str(caught.value)
