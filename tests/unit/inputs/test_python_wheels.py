"""Resolution of wheels from a folder of tiny wheels that the tests make: no network, no index of the machine."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_wheels import PLATFORM, artefact, asks, digest, wheel

from portside.config import Config, Mirrors
from portside.errors import InputError, PortsideError, RecipeError
from portside.inputs import python
from portside.inputs.python.tags import best_wheel, tag_ranks
from portside.lock.packages import Artefact
from portside.store import Store

pytestmark = pytest.mark.usefixtures("only_these_links")


def resolve(
    config: Config,
    *requirements: str,
    keep: Sequence[Artefact] = (),
    update: Sequence[str] = (),
    installed: dict[str, str] | None = None,
    version: str = "3.11",
) -> list[Artefact]:
    return python.resolve_wheels(
        asks(*requirements, version=version),
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
        asks("one"),
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
