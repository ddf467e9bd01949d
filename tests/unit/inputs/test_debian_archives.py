"""Components and archives of vendors, as a recipe names them: apt, no network, no engine."""

import json
import shutil
from pathlib import Path
from typing import Any

import noble_debs
import pytest
from base_layers import archive

from portside.errors import InputError, RecipeError
from portside.fetch.fetcher import Fetcher, fetch
from portside.inputs.debian import mirrors
from portside.inputs.debian.resolve import resolve_base
from portside.lock.agree import contradictions
from portside.lock.models import Lock
from portside.plan import plan
from portside.project import Project
from portside.resolve.chain import lock_recipe

STATUS = b"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22\n\n"
KIT: dict[str, Any] = {"kit": {"suite": "/", "key": "vendor.asc"}}


class Noble:
    """A project whose recipe `r` adds packages to a base of Ubuntu's noble."""

    def __init__(self, root: Path) -> None:
        self.root, self.mirrors = root, root / "mirrors"
        noble_debs.write(self.mirrors)
        (root / "recipes/r").mkdir(parents=True)
        shutil.copy(self.mirrors / "vendor.asc", root / "recipes/r")
        release = b"ID=ubuntu\nVERSION_CODENAME=noble\n"
        files = {"usr/bin/apt-get": b"\x7fELF", "etc/os-release": release, "var/lib/dpkg/status": STATUS}
        (root / "base.tar").write_bytes(archive(files))
        self.settings()

    def settings(self, **archives: str) -> None:
        lines = [f'folders = ["{self.root}"]', f'keyrings.noble = "{self.mirrors / "ubuntu.asc"}"']
        lines += [f'mirrors.ubuntu = ["{self.url("ubuntu")}"]']
        lines += [f'archives.{name} = "{url}"' for name, url in archives.items()]
        (self.root / "portside.toml").write_text("\n".join(lines) + "\n")

    def url(self, name: str) -> str:
        return (self.mirrors / name).as_uri()

    def lock(self, base: dict[str, Any] | None = None, **env: Any) -> Lock:
        base = base or {"archive": {"file": "base.tar", "origin": "a test"}}
        recipe = {"description": "d", "base": base, "accelerator": {"name": "cpu"}, "env": env}
        (self.root / "recipes/r.yaml").write_text(json.dumps(recipe))
        return lock_recipe(self.project, self.project.recipe("r"), ())[1]

    @property
    def project(self) -> Project:
        return Project(self.root)

    def debs(self, **env: Any) -> dict[str, tuple[str, str | None]]:
        [packages] = self.lock(**env).env.sets
        return {deb.name: (deb.version, deb.archive) for deb in packages.debs}


@pytest.fixture
def noble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noble:
    if shutil.which("apt-get") is None:
        pytest.skip("resolving needs apt")
    monkeypatch.setattr(mirrors, "_apt_roots", lambda suite: ())
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    return Noble(tmp_path)


def test_components_are_the_recipes(noble: Noble) -> None:
    with pytest.raises(RecipeError, match="Ubuntu noble, noble-updates, noble-security does not have\n  unfree"):
        noble.debs(debian=["unfree"])
    found = noble.debs(debian=["unfree"], components=["main", "universe", "multiverse"])
    assert found == {
        "unfree": ("1.0", None),
        "tool": ("1.0", None),
        "libtool1": ("1.2", None),
        "newer": ("1.0", None),
    }
    (noble.root / "recipes/r.lock").unlink()  # what is locked stays
    with pytest.raises(RecipeError, match="do not go together"):
        noble.debs(debian=["tool"], components=["universe"])


def test_a_base_of_our_own_from_ubuntus_packages(noble: Noble) -> None:
    config = noble.project.config
    debs, snapshot = resolve_base("noble", "amd64", ["tool"], (), (), config, noble.project.store)
    found = {deb.name: deb.version for deb in debs}
    # The release alone: what security has does not count.
    assert snapshot == "20200711T101637Z"
    assert found == {"apt": "2.7", "base-files": "1.0", "newer": "1.0", "tool": "1.0", "libtool1": "1.1"}


def test_what_comes_from_an_archive_says_so_and_is_fetched_there(noble: Noble) -> None:
    noble.settings(kit=noble.url("vendor"))
    lock = noble.lock(debian=["kit-runtime"], archives=KIT)
    [packages] = lock.env.sets
    assert {deb.name: deb.archive for deb in packages.debs} == {
        "kit-runtime": "kit",
        "libtool1": None,
        "newer": None,
        "tool": None,
    }
    assert packages.suites is not None and packages.suites.suites == ("noble", "noble-updates", "noble-security")
    text = (noble.root / "recipes/r.lock").read_text()
    assert "file:" not in text and str(noble.root) not in text
    # Another machine with the lock alone, and a word of where the archive is.
    recipe = noble.project.recipe("r")
    shutil.rmtree(noble.root / "home/inputs")
    fetch(plan(recipe, lock), Fetcher(noble.project.store, noble.project.config, root=noble.root))
    shutil.rmtree(noble.root / "home/inputs")
    noble.settings()
    with pytest.raises(InputError, match="where the archive kit is, which has kit-runtime"):
        fetch(plan(recipe, lock), Fetcher(noble.project.store, noble.project.config, root=noble.root))
    # What was locked stays; a recipe without the archive does not get it from a lock.
    assert contradictions(recipe, lock) == []
    noble.settings(kit=noble.url("vendor"))
    assert noble.lock(debian=["kit-runtime"], archives=KIT) == lock
    with pytest.raises(RecipeError, match="kit-runtime"):
        noble.lock(debian=["kit-runtime"])
    assert any("of the archive kit" in line for line in contradictions(noble.project.recipe("r"), lock))


def test_a_key_signs_its_own_archive_alone(noble: Noble) -> None:
    noble.settings(kit=noble.url("ubuntu"))
    with pytest.raises(InputError, match="the archive kit gives no verified index of noble"):
        noble.debs(debian=["newer"], archives={"kit": {"suite": "noble", "key": "vendor.asc"}})
    # The vendor's key is trusted for the vendor alone, and not for what calls itself the distribution's.
    noble.settings(kit=noble.url("vendor"))
    path = noble.mirrors / "ubuntu/dists/noble/InRelease"
    path.write_bytes((noble.mirrors / "vendor/InRelease").read_bytes())
    with pytest.raises(InputError, match="no Ubuntu mirror gives a verified index of noble"):
        noble.debs(debian=["newer"], archives=KIT)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"suite": "/", "key": "none.asc"}, "no file none.asc"),
    ({"suite": "/", "key": "../r.yaml"}, r"archives\.kit\.key"),
    ({"suite": "", "key": "vendor.asc"}, r"archives\.kit"),
    ({"suite": "/", "components": ["main"], "key": "vendor.asc"}, "has no components"),
    ({"suite": "a b", "key": "vendor.asc"}, r"archives\.kit\.suite"),
    ({"suite": "/", "key": "vendor.asc"}, "nothing says where the archive kit is"),
]


@pytest.mark.parametrize(("archive", "expected"), WRONG)
def test_what_cannot_be_meant(noble: Noble, archive: dict[str, Any], expected: str) -> None:
    with pytest.raises((RecipeError, InputError), match=expected):
        noble.debs(debian=["kit-runtime"], archives={"kit": archive})


def test_a_key_that_is_none(noble: Noble) -> None:
    (noble.root / "recipes/r/vendor.asc").write_text("<html>log in</html>")
    noble.settings(kit=noble.url("vendor"))
    with pytest.raises(RecipeError, match=r"archives\.kit\.key: .*has no OpenPGP key"):
        noble.debs(debian=["kit-runtime"], archives=KIT)
