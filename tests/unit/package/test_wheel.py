"""The wheel: the same bytes everywhere, and in it all that the code reads at run time."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from wheels import ROOT, build_wheel, contents, copy_of_checkout

from portside import __version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(copy_of_checkout(tmp_path_factory.mktemp("wheel") / "checkout"))


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    return contents(wheel)


def test_the_same_bytes_under_another_clock_zone_and_umask(wheel: Path, tmp_path: Path) -> None:
    again = copy_of_checkout(tmp_path / "elsewhere")
    for path in [again, *again.rglob("*")]:
        if not path.is_symlink():
            os.utime(path, (86400, 86400))
            path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
    (again / "portside" / "__pycache__").mkdir()
    (again / "portside" / "__pycache__" / "x.pyc").touch()
    faketime = shutil.which("faketime")
    other = build_wheel(again, [faketime, "-f", "+400d"] if faketime else [], 0o077, TZ="Pacific/Auckland", LC_ALL="C")
    assert other.name == wheel.name
    assert other.read_bytes() == wheel.read_bytes()


def test_everything_of_the_package_is_in_it(files: dict[str, bytes]) -> None:
    package = ROOT / "portside"
    own = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(own) > 200
    for path in own:
        assert files.get(str(path.relative_to(ROOT))) == path.read_bytes(), path


@pytest.mark.parametrize(
    ("where", "origin"),
    [
        ("portside/plan/Dockerfile.j2", "images/Dockerfile.j2"),
        ("portside/recipe/recipe.schema.json", "docs/recipe.schema.json"),
        ("portside/begin/examples/recipes/minilm.yaml", "recipes/minilm.yaml"),
        ("portside/begin/examples/recipes/minilm.lock", "recipes/minilm.lock"),
        ("portside/begin/examples/recipes/chatglm/checks/test_port.py", "recipes/chatglm/checks/test_port.py"),
        ("portside/begin/scripts/setup", "scripts/setup"),
        ("portside/begin/scripts/start-engine", "scripts/start-engine"),
        ("portside/begin/scripts/common.sh", "scripts/common.sh"),
        ("portside/begin/scripts/machine.sh", "scripts/machine.sh"),
        (f"portside-{__version__}.dist-info/licenses/LICENSE", "LICENSE"),
    ],
)
def test_what_lies_elsewhere_is_in_it(files: dict[str, bytes], where: str, origin: str) -> None:
    assert files[where] == (ROOT / origin).read_bytes()


def test_nothing_else_is_in_it(files: dict[str, bytes]) -> None:
    assert {name.partition("/")[0] for name in files} == {"portside", f"portside-{__version__}.dist-info"}
    assert not [name for name in files if "__pycache__" in name or "/tests/" in name]


def test_it_says_what_it_is(files: dict[str, bytes]) -> None:
    info = f"portside-{__version__}.dist-info"
    metadata = Metadata.from_email(files[f"{info}/METADATA"])
    assert (metadata.name, str(metadata.version), metadata.license_expression) == (
        "portside",
        __version__,
        "Apache-2.0",
    )
    assert str(metadata.requires_python) == ">=3.10"
    named = {text.rpartition(" ")[2] for text in metadata.classifiers or () if ":: Python :: 3." in text}
    assert named == {"3.10", "3.11", "3.12", "3.13", "3.14"}
    assert files[f"{info}/entry_points.txt"].decode() == "[console_scripts]\nportside = portside.cli.program:portside\n"
    assert b"Tag: py3-none-any\n" in files[f"{info}/WHEEL"]  # nothing to compile


def test_the_sources_make_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    checkout = copy_of_checkout(tmp_path / "checkout")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    with tarfile.open(next((checkout / "dist").iterdir())) as archive:
        member = archive.getmember(f"portside-{__version__}/portside/plan/Dockerfile.j2")
        assert member.isfile(), "a link may lead nowhere where somebody unpacks it"
        archive.extractall(tmp_path)
    assert build_wheel(tmp_path / f"portside-{__version__}").read_bytes() == wheel.read_bytes()
