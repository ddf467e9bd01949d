"""Packages that do not fit the image's Python are widened, built or left out, and each is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
from drafts import behind, checkout, draft, recipe

from portside.config import Config
from portside.draft.drafted import Draft
from portside.draft.fitting import fit
from portside.draft.new import check_text

pytestmark = pytest.mark.usefixtures("only_these_links")


def wheel(folder: Path, name: str, version: str, *needs: str, tag: str = "py3-none-any") -> None:
    import zipfile

    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {n}" for n in needs),
        ]
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{name}-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{name}-{version}.dist-info/RECORD", "")


def sdist(folder: Path, name: str, version: str) -> None:
    import io
    import tarfile

    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, text in {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "setup.py": f"from setuptools import setup\nsetup(name='{name}', version='{version}')\n",
        }.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))


@pytest.fixture
def fitted(tmp_path: Path, only_these_links: Path, config: Config) -> Callable[[str], Draft]:
    def make(requirements: str) -> Draft:
        repository = checkout({"requirements.txt": requirements, "README.md": "`pip install -r requirements.txt`"})
        made = draft(tmp_path, repository, config)
        assert fit(made, lambda name: repository.tree, config) == ""
        check_text(made.text)
        return made

    return make


def test_a_pin_without_a_wheel_for_this_python_is_widened(
    fitted: Callable[[str], Draft], only_these_links: Path
) -> None:
    wheel(only_these_links, "native", "1.0", tag="cp38-cp38-manylinux2014_x86_64")
    wheel(only_these_links, "native", "2.0", tag="cp311-cp311-manylinux2014_x86_64")
    wheel(only_these_links, "plain", "1.0")
    made = fitted("native==1.0\nplain==1.0\n")
    assert recipe(made)["env"]["python"]["requirements"] == [
        {"from": "demo/requirements.txt", "without": ["native"]},
        "native>=1.0",
    ]
    assert behind(made, "- native") == (
        "? requirements.txt:1: upstream: native==1.0, which does not go with Python 3.11 and the rest"
    ) or behind(made, "- native").startswith("? ")


def test_what_only_has_a_source_distribution_is_built(fitted: Callable[[str], Draft], only_these_links: Path) -> None:
    wheel(only_these_links, "plain", "1.0", "source-only")
    sdist(only_these_links, "source_only", "3.0")
    made = fitted("plain\n")
    assert recipe(made)["env"]["python"]["build"] == ["source-only"]
    assert recipe(made)["env"]["python"]["requirements"] == [{"from": "demo/requirements.txt"}]


def test_what_no_index_has_is_left_out_and_said(fitted: Callable[[str], Draft], only_these_links: Path) -> None:
    wheel(only_these_links, "plain", "1.0")
    made = fitted("plain\nnowhere-at-all>=1\n")
    assert recipe(made)["env"]["python"]["requirements"] == [
        {"from": "demo/requirements.txt", "without": ["nowhere-at-all"]}
    ]
    assert any("nowhere-at-all" in line and "no index has it" in line for line in made.left)


def test_what_fits_stays_as_it_is(fitted: Callable[[str], Draft], only_these_links: Path) -> None:
    wheel(only_these_links, "plain", "1.0")
    made = fitted("plain<2\n")
    assert recipe(made)["env"]["python"]["requirements"] == [{"from": "demo/requirements.txt"}]


def test_a_pin_that_has_no_wheel_at_all_is_built_as_it_is(
    fitted: Callable[[str], Draft], only_these_links: Path
) -> None:
    sdist(only_these_links, "source_only", "3.0")
    made = fitted("source-only==3.0\n")
    assert recipe(made)["env"]["python"]["build"] == ["source-only==3.0"]
    assert recipe(made)["env"]["python"]["requirements"][-1] == "source-only==3.0"
