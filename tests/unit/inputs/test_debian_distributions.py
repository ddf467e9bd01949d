"""Python packages that came with .debs: they satisfy requirements, and pip is not asked to replace them."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_wheels import asks, wheel

from portside.common.canonical import sha256_hex
from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.inputs import python
from portside.inputs.debian.distributions import distributions, pip_leaves_them
from portside.lock import file as lock_file
from portside.lock.bases import DebianBase
from portside.lock.packages import Deb, LockedManualWheel, PythonSet
from portside.project import Project
from portside.resolve import resolver as resolve
from portside.resolve.chain import lock_recipe
from portside.resolve.debian_python import DebianPython, debian_python
from portside.store import Store

DIST = "usr/lib/python3/dist-packages"


@pytest.fixture(autouse=True)
def only_these_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()


def package(
    folder: Path, name: str, files: Mapping[str, str], depends: str = "python3:any", version: str = "1.0-1"
) -> tuple[Deb, Path]:
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN").chmod(0o755)  # dpkg-deb insists, whatever the umask is
    fields = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: n\nDescription: t\n"
    (root / "DEBIAN" / "control").write_text(fields + (f"Depends: {depends}\n" if depends else ""))
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    file = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", root, file], check=True, stdout=subprocess.DEVNULL)
    return of_file(name, version, file), file


def of_file(name: str, version: str, file: Path) -> Deb:
    data = file.read_bytes()
    return Deb(
        name=name,
        version=version,
        architecture="all",
        path=f"pool/{file.name}",
        size=len(data),
        sha256=sha256_hex(data),
    )


def says(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nA long text\nName: no\n"


def test_the_metadata_says_names_and_versions(tmp_path: Path) -> None:
    debs = [
        package(
            tmp_path, "python3-packaging", {f"{DIST}/packaging-25.0.dist-info/METADATA": says("Packaging", "25.0")}
        ),
        package(
            tmp_path, "python3-requests", {f"{DIST}/requests-2.28.1.egg-info/PKG-INFO": says("requests", "2.28.1")}
        ),
        package(
            tmp_path,
            "two-in-one",
            {
                f"{DIST}/Odd_One-1.egg-info": says("Odd.One", "1"),
                "usr/lib/python3.13/dist-packages/b-2.dist-info/METADATA": says("b", "2"),
                f"{DIST}/odd/vendor-3.dist-info/METADATA": says("vendored", "3"),
                "usr/share/x/x-4.dist-info/METADATA": says("x", "4"),
                f"{DIST}/nameless-5.egg-info": "",
            },
            depends="libc6, python3 (>= 3.11~)",
        ),
        package(tmp_path, "no-python", {f"{DIST}/c-1.dist-info/METADATA": says("c", "1")}, depends=""),
    ]
    assert distributions(debs) == {"b": "2", "odd-one": "1", "packaging": "25.0", "requests": "2.28.1"}
    assert distributions([]) == {}


def test_a_file_that_is_no_deb(tmp_path: Path) -> None:
    deb, file = package(tmp_path, "python3-x", {})
    file.write_bytes(b"no deb")
    with pytest.raises(InputError, match=r"python3-x\.deb is not a package"):
        distributions([(deb, file)])


@pytest.mark.parametrize(
    ("version", "leaves"),
    [
        ("20.3.4-4+deb11u1", True),
        ("23.0.1+dfsg-1", True),
        ("25.1.1+dfsg-1", False),
        ("1:23.0-1", True),
        ("100.0-1", False),
    ],
)
def test_which_pip_installs_beside_debians_packages(tmp_path: Path, version: str, leaves: bool) -> None:
    """Seen in bookworm (pip 23.0.1: "Not uninstalling …, outside environment") and trixie (25.1.1: an error)."""
    deb, _ = package(tmp_path, "python3-pip", {}, version=version)
    assert pip_leaves_them([deb]) is leaves
    assert pip_leaves_them([]) is False


def test_the_debs_of_base_and_recipe_count(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    pip = package(
        tmp_path, "python3-pip", {f"{DIST}/pip-25.1.1.dist-info/METADATA": says("pip", "25.1.1")}, version="25"
    )
    interpreter = package(tmp_path, "python3", {f"{DIST}/x-1.dist-info/METADATA": says("x", "1")})
    files = {deb.sha256: path for deb, path in (pip, interpreter)}

    def bring(deb: Deb, base: DebianBase) -> None:
        with store.inputs.receive(deb.name, deb.sha256, deb.size) as receiver:
            receiver.write(files[deb.sha256].read_bytes())

    fetcher: Any = SimpleNamespace(deb=bring)

    def base(*debs: Deb) -> DebianBase:
        return DebianBase(
            suite="trixie", architecture="amd64", snapshot="1", epoch=1, debs=debs, diff_id="0" * 64, size=0
        )

    found = debian_python(base(interpreter[0]), [pip[0]], fetcher, store)
    assert found == DebianPython({"pip": "25.1.1", "x": "1"}, replaceable=False)
    assert debian_python(base(), [], fetcher, store).packages == {}


RECIPE = """\
description: a test
base: {archive: {file: a.tar, origin: nowhere}}
accelerator: {name: cpu}
env: {path: [/venv/bin], python: {version: "3.11", requirements: [app], given: {Given.One: "1.0"}}}
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lock RECIPE on a machine whose .debs bring these packages; gives the Python packages."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "r.yaml").write_text(RECIPE)
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    wheel(tmp_path / "links", "app", "1.0", "packaging>=20", "odd; python_version<'3'", "given-one")
    wheel(tmp_path / "links", "packaging", "26.4")

    def made(packages: dict[str, str], replaceable: bool) -> PythonSet:
        monkeypatch.setattr(resolve, "debian_python", lambda *_: DebianPython(packages, replaceable))
        # The base is a stand-in: nothing of a vendor's image could be given without the recipe.
        monkeypatch.setattr(lock_file, "contradictions", lambda *_: [])
        project = Project(tmp_path)
        found = lock_recipe(project, project.recipe("r"))[1].env.python
        assert found is not None
        return found

    return made


def wheels(found: PythonSet) -> list[str]:
    return [f"{wheel.name} {wheel.version}" for wheel in found.wheels]


def test_what_pip_cannot_replace_is_given(lock: Any) -> None:
    debs = {"packaging": "25.0", "wheel": "0.46.1", "odd": "1", "given-one": "1.5"}
    found = lock(debs, replaceable=False)
    assert (wheels(found), found.given) == (["app 1.0"], {"Given.One": "1.0", "packaging": "25.0"})
    # A lock from before names a wheel that cannot be installed: it goes.
    assert wheels(lock({}, replaceable=False)) == ["app 1.0", "packaging 26.4"]
    assert lock(debs, replaceable=False) == found


def test_what_the_requirements_do_not_accept(lock: Any) -> None:
    with pytest.raises(RecipeError, match=r"packaging") as caught:
        lock({"packaging": "19.0", "usable": "1", "app-tools": "1"}, replaceable=False)
    assert "Debian's packages bring packaging 19.0, and this Debian's pip cannot replace it." in str(caught.value)


def test_a_version_that_says_nothing_satisfies_everything(lock: Any) -> None:
    found = lock({"packaging": "unknown"}, replaceable=False)
    assert (wheels(found), found.given["packaging"]) == (["app 1.0"], "unknown")


def test_where_pip_installs_beside_debians_packages_wheels_win(lock: Any) -> None:
    found = lock({"packaging": "23.0", "app": "0.9"}, replaceable=True)
    assert (wheels(found), found.given) == (["app 1.0", "packaging 26.4"], {"Given.One": "1.0"})


@pytest.mark.parametrize("there", ["26.4", "26.4.0", "26.4+dfsg"])
def test_a_wheel_of_debians_own_version_would_not_be_installed(lock: Any, there: str) -> None:
    """pip says "Requirement already satisfied" of it."""
    found = lock({"packaging": there}, replaceable=True)
    assert (wheels(found), found.given) == (["app 1.0"], {"Given.One": "1.0", "packaging": there})


@pytest.mark.parametrize(("there", "replaceable", "fine"), [("1", True, True), ("2", True, False), ("1", False, False)])
def test_a_wheel_that_a_person_brings(there: str, replaceable: bool, fine: bool) -> None:
    wheels = [LockedManualWheel(file="x-2-py3-none-any.whl", name="x", version="2")]
    DebianPython({"y": there}, replaceable).check_manual(wheels)
    if fine:
        DebianPython({"x": there}, replaceable).check_manual(wheels)
        return
    with pytest.raises(
        RecipeError, match=f"x-2-py3-none-any.whl cannot be installed: Debian's packages bring x {there}"
    ):
        DebianPython({"x": there}, replaceable).check_manual(wheels)


def test_errors_name_only_what_uv_named(tmp_path: Path) -> None:
    """`wheel` is not meant where uv speaks of wheels, nor `wo` where it speaks of two."""
    config = Config(home=tmp_path / "home")
    wheel(tmp_path / "links", "one", "1.0", "two<2")
    wheel(tmp_path / "links", "two", "2.0")
    with pytest.raises(RecipeError) as caught:
        python.resolve_wheels(
            asks("one"),
            keep=(),
            update=(),
            installed={"wheel": "1", "wo": "1", "two-fish": "1"},
            fixed={"wheel"},
            config=config,
            store=Store(config.home),
        )
    assert caught.value.solution == "Change env.python in the recipe."
