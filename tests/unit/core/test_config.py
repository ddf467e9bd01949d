"""portside.toml: what counts, and what a person reads who made a mistake in it."""

from pathlib import Path

import pytest

from portside.common.url import SecretUrl
from portside.common.version import __version__
from portside.config import load_config
from portside.errors import RecipeError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PORTSIDE_HOME", raising=False)
    monkeypatch.delenv("PORTSIDE_ENGINE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)


def write(root: Path, text: str) -> None:
    (root / "portside.toml").write_text(text, encoding="utf-8")


def test_defaults(tmp_path: Path) -> None:
    config = load_config(tmp_path)
    assert config.home == tmp_path / "nobody" / ".local" / "share" / "portside"
    assert (config.engine, config.folders, config.registries) == (None, (), ())


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'home = "~/store"\nengine = "docker"\nfolders = ["/a"]\n[mirrors]\ndebian = ["https://m/d"]\n')
    config = load_config(tmp_path)
    assert config.home == tmp_path / "nobody" / "store"
    assert (config.engine, config.folders, config.mirrors.debian) == (
        "docker",
        (Path("/a"),),
        (SecretUrl("https://m/d"),),
    )
    monkeypatch.setenv("PORTSIDE_HOME", "here")
    monkeypatch.setenv("PORTSIDE_ENGINE", "podman")
    config = load_config(tmp_path)
    assert (config.home, config.engine) == (Path.cwd() / "here", "podman")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of the person's own file."""
    folder = tmp_path / "nobody" / ".config" / "portside"
    folder.mkdir(parents=True)
    return folder


def test_the_persons_own_file_counts_where_the_projects_says_nothing(tmp_path: Path, own: Path) -> None:
    write(own, 'home = "/own"\nengine = "podman"\n[mirrors]\npypi = ["https://own/p"]\ndebian = ["https://own/d"]\n')
    assert load_config(tmp_path).engine == load_config(None).engine == "podman"
    write(tmp_path, 'engine = "docker"\nfolders = ["/a"]\n[mirrors]\ndebian = ["https://m/d"]\n')
    config = load_config(tmp_path)
    assert (config.home, config.engine, config.folders) == (Path("/own"), "docker", (Path("/a"),))
    assert ([u.full for u in config.mirrors.pypi], [u.full for u in config.mirrors.debian]) == (
        ["https://own/p"],
        ["https://m/d"],
    )
    assert load_config(None).engine == "podman"


def test_a_mistake_in_the_persons_own_file_is_told_whatever_the_projects_says(tmp_path: Path, own: Path) -> None:
    write(own, 'engine = "dokcer"\n')
    write(tmp_path, 'engine = "docker"\n')
    with pytest.raises(RecipeError, match=r"config/portside/portside\.toml:1: engine: expected 'docker' or 'podman'"):
        load_config(tmp_path)


MISTAKES = [
    ("home = 3\n", ":1: home: expected a path, found the number 3"),
    (
        'engine = "docker"\nhome = "store"\n',
        ":2: home: expected an absolute path, or one that begins with ~, found 'store'",
    ),
    ('folders = "/a"\n', ":1: folders: expected a list, found '/a'; write it as a list: ['/a']"),
    ('engine = "dokcer"\n', ":1: engine: expected 'docker' or 'podman', found 'dokcer'; did you mean 'docker'?"),
    (
        'builders = ["-x"]\n',
        ":1: builders.0: expected the name of a builder, as `docker buildx ls` shows it, found '-x'",
    ),
    (
        'builders = [{name = "a", architectures = ["arm"]}]\n',
        ":1: builders.0.architectures.0: expected 'amd64' or 'arm64'",
    ),
    ('registries = ["localhost:5000"]\n', ":1: registries.0: expected HOST[:PORT]/REPOSITORY, such as "),
    ('folders = ["/a", "b"]\n', ":1: folders.1: expected an absolute path, or one that begins with ~, found 'b'"),
    (
        "\nengine = true\n",
        ":2: engine: expected 'docker' or 'podman', found true; quote it: it is taken for something else than text",
    ),
    ('enigne = "docker"\n', ":1: enigne: no such key here; did you mean 'engine'?"),
    ('mirrors = "https://m"\n', ":1: mirrors: expected a mapping of keys to values, found 'https://m'"),
    ('[mirrors]\ndebain = ["https://m"]\n', ":2: mirrors.debain: no such key here; did you mean 'debian'?"),
    ('[mirrors]\ngit = {"https://a/" = 1}\n', ":2: mirrors.git.https://a/: expected text, found the number 1"),
    ("home = \n", ": not valid TOML: Invalid value (at line 1, column 8)"),
]


@pytest.mark.parametrize("home", ["", "/somewhere"])
@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str, home: str) -> None:
    """A file that is wrong is wrong, whatever the environment would replace."""
    monkeypatch.setenv("PORTSIDE_HOME", home)
    write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        load_config(tmp_path)
    assert caught.value.problem.startswith(f"{tmp_path}/portside.toml{expected}"), caught.value.problem
    assert caught.value.solution == "docs/configuration.md describes every key."


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "portside.toml").write_bytes(b'engine = "d\xe9"\n')
    with pytest.raises(RecipeError, match=r"portside\.toml: expected text in UTF-8"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '[mirrors]\npypi = "https://u:S3CR3T@h/simple"\n',
        '[mirrors]\npypi = ["https://u:S3CR3T@h/simple", 3]\n',
        '[mirrors]\npipy = ["https://u:S3CR3T@h/simple"]\n',
        '[mirrors]\ngit = "https://S3CR3T@h/"\n',
        '[mirrors]\ngit = {"https://u:S3CR3T@h/" = 1}\n',
        '[mirrors.git]\n"https://h/" = ["https://S3CR3T@h/?token=S3CR3T"]\n',
        'home = "https://u:S3CR3T@h/"\n',
        f'engine = "https://u:S3CR3T{"x" * 80}@h/"\n',
        'registries = ["https://u:S3CR3T@h/models"]\n',
        'registries = ["u:S3CR3T@h/models"]\n',
        'registries = ["u:S3CR3T@h"]\n',
        'registries = "https://u:S3CR3T@h/models"\n',
        'mirrors = "https://u:S3CR3T@h/"\n',
        '[mirrors]\npypi = ["https://u:S3CR3T@h/simple]\n',
    ],
)
def test_a_mistake_shows_no_password(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        load_config(tmp_path)
    assert "S3CR3T" not in str(caught.value)


def test_what_the_configuration_holds_is_shown_without_passwords(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[mirrors]\ndebian = ["http://u:S3CR3T@h/debian"]\ndebian_snapshot = "http://u:S3CR3T@h/s"\n'
        'pypi = ["http://u:S3CR3T@h/simple"]\ngit = {"https://h/" = "https://S3CR3T@h/"}\n',
    )
    config = load_config(tmp_path)
    assert config.mirrors.debian[0].full == "http://u:S3CR3T@h/debian"
    assert config.mirrors.git["https://h/"].full == "https://S3CR3T@h/"
    assert "S3CR3T" not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"


@pytest.mark.parametrize("requires", [">=0.1", ">= 0.1, <100", "", f"=={__version__}"])
def test_a_version_that_is_required_and_here(tmp_path: Path, requires: str) -> None:
    write(tmp_path, f'requires = "{requires}"\n')
    load_config(tmp_path)


@pytest.mark.parametrize("more", ["", 'a_key_of_then = 1\nengine = "ours"\n'])
def test_a_version_that_is_required_and_not_here_comes_before_other_mistakes(tmp_path: Path, more: str) -> None:
    write(tmp_path, f'requires = ">=99"\n{more}')
    with pytest.raises(RecipeError, match=rf"portside.toml requires Portside >=99, this is Portside {__version__}"):
        load_config(tmp_path)


@pytest.mark.parametrize(("value", "found"), [('"new"', "expected versions as pip writes them"), ("1", "expected")])
def test_what_is_no_version_is_a_mistake_with_its_line(tmp_path: Path, value: str, found: str) -> None:
    write(tmp_path, f"\nrequires = {value}\n")
    with pytest.raises(RecipeError, match=f":2: requires: {found}"):
        load_config(tmp_path)


def test_large_files_of_a_folder_may_stay_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, 'folders = ["/a", {path = "/b", keep = "in place"}, {path = "~/c"}]\n')
    config = load_config(tmp_path)
    home = tmp_path / "nobody"
    assert config.folder_paths == (Path("/a"), Path("/b"), home / "c")
    places = [Path("/b/set/x.bin"), Path("/a/x.bin"), home / "c" / "x.bin", Path("/bb/x.bin")]
    assert [config.is_in_place(path) for path in places] == [True, False, False, False]


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        (
            '{path = "/b", keep = "inplace"}',
            "keep: expected 'copy' or 'in place', found 'inplace'; did you mean 'in place'",
        ),
        ('{path = "b"}', "path: expected an absolute path, or one that begins with ~, found 'b'"),
        ('{keep = "in place"}', "path: this key is missing"),
        ("3", "expected a path, found the number 3"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_of_its_key(tmp_path: Path, folder: str, problem: str) -> None:
    write(tmp_path, f"folders = [{folder}]\n")
    with pytest.raises(RecipeError) as caught:
        load_config(tmp_path)
    assert f"portside.toml:1: folders.0{'.' if ':' in problem else ': '}{problem}" in str(caught.value)
