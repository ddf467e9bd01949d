"""Packages on a base of somebody else: what its own files say, and archives in the shape of Ubuntu's noble."""

import shutil
from pathlib import Path

import pytest
from base_layers import Files, image

from portside.config import Config, Mirrors
from portside.errors import InputError, RecipeError
from portside.inputs.debian import mirrors, trust
from portside.inputs.debian.resolve import resolve_added
from portside.inputs.debian.system import System, read_system
from portside.inputs.debian.who_asks import who_asks
from portside.lock.packages import Deb, DebianSuites, PackageSet
from portside.plan.instructions import env_instructions
from portside.store import Store

ARCHIVE = Path(__file__).parent / "ubuntu_archive"
NOBLE = b'PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n'


def status(*packages: str, architecture: str = "amd64") -> bytes:
    """packages: NAME=VERSION, with the words of Status behind it where it is not installed."""
    text = ""
    for package in ("dpkg=1.22", "apt=2.7", f"libc6:{architecture}=2.0", *packages):
        words = package.split()
        name, _, version = words[0].partition("=")
        name, _, of = name.partition(":")
        said = " ".join(words[1:]) or "install ok installed"
        more = "Multi-Arch: same\n" if of else ""
        text += f"Package: {name}\nStatus: {said}\nArchitecture: {of or architecture}\n{more}Version: {version}\n\n"
    return text.encode()


def base(*packages: str, release: bytes | None = NOBLE, architecture: str = "amd64") -> dict[str, bytes | str | None]:
    files: dict[str, bytes | str | None] = {
        "usr/bin/apt-get": b"\x7fELF",
        "var/lib/dpkg/status": status(*packages, architecture=architecture),
        "var/lib/dpkg/arch": f"{architecture}\ni386\n".encode(),
    }
    if release is not None:
        files |= {"etc/os-release": "../usr/lib/os-release", "usr/lib/os-release": release}
    return files


def read(tmp_path: Path, *layers: Files, architecture: str = "amd64") -> System:
    return read_system(image(tmp_path, *layers), architecture)


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "home")
        roots = tuple((ARCHIVE / root).as_uri() for root in ("archive", "security", "ports"))
        keyrings = {"noble": ARCHIVE / "archive.asc"}
        self.config = Config(home=folder / "home", mirrors=Mirrors(ubuntu=roots), keyrings=keyrings)

    def add(
        self, *asked: str, having: tuple[str, ...] = (), keep: tuple[Deb, ...] = (), architecture: str = "amd64"
    ) -> tuple[list[str], DebianSuites]:
        system = read(self.folder, base(*having, architecture=architecture), architecture=architecture)
        debs, suites = resolve_added(asked, system, (), keep, (), self.config, self.store)
        return [f"{deb.name}={deb.version}" for deb in debs], suites


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    if shutil.which("apt-get") is None:
        pytest.skip("resolving needs apt")
    monkeypatch.setattr(mirrors, "_apt_roots", lambda suite: ())
    return Machine(tmp_path)


def test_updates_and_security_count_wherever_they_are(machine: Machine) -> None:
    debs, suites = machine.add("git-lfs", "libssl-dev", "apt", having=("libssl3=3.0",))
    assert debs == ["git=2.1", "git-lfs=3.4.1-1", "libssl-dev=3.0.13", "libssl3=3.0.13", "plumbing=1:1.0+2"]
    assert suites == DebianSuites(
        distribution="ubuntu",
        suites=("noble", "noble-updates", "noble-security"),
        snapshot="20200713T101637Z",
        there={"apt": "2.7"},
        asked={
            "git": ("git-lfs",),
            "git-lfs": ("recipe",),
            "libssl-dev": ("recipe",),
            "libssl3": ("libssl-dev",),
            "plumbing": ("git-lfs",),
        },
    )


def test_arm64_comes_from_the_ports(machine: Machine) -> None:
    system = read(machine.folder, base(architecture="arm64"), architecture="arm64")
    debs, suites = resolve_added(["git-lfs"], system, (), (), (), machine.config, machine.store)
    assert {deb.architecture for deb in debs} == {"arm64"} and len(suites.suites) == 3


def test_a_locked_version_stays(machine: Machine) -> None:
    system = read(machine.folder, base())
    asked = (["git=2.0"], system, ())
    [old], _ = resolve_added(*asked, (), (), machine.config, machine.store)
    [kept], _ = resolve_added(["git"], system, (), (old,), (), machine.config, machine.store)
    assert kept == old and kept.version == "2.0"


def test_what_the_base_has_stays_unless_a_newer_one_is_needed(machine: Machine) -> None:
    assert machine.add("git-lfs", having=("git=9.9",))[0] == ["git-lfs=3.4.1-1", "plumbing=1:1.0+2"]
    # Newer than any suite, and something wants exactly the suite's.
    with pytest.raises(RecipeError, match="do not go together"):
        machine.add("libssl-dev", having=("libssl3=3.9",))


def test_what_is_held_stays(machine: Machine) -> None:
    assert machine.add("needs-held", having=("held=1.0",))[0] == ["held=2.0", "needs-held=2.0"]
    with pytest.raises(RecipeError, match=r"(?i)held"):
        machine.add("needs-held", having=("held=1.0 hold ok installed",))


def test_nothing_of_the_base_is_removed(machine: Machine) -> None:
    with pytest.raises(RecipeError, match=r"without taking from the base: base-tool removed"):
        machine.add("breaks-base", having=("base-tool=1.0",))


def test_packages_of_another_architecture_beside_are_left_alone(machine: Machine) -> None:
    debs, _ = machine.add("git", having=("libssl3:i386=3.0", "libc6:i386=2.0"))
    assert debs == ["git=2.1"]


def test_what_is_half_there_is_finished_by_apt_or_refused_in_its_words(machine: Machine) -> None:
    assert machine.add("git", having=("held=2.0 install ok half-configured",))[0] == ["git=2.1"]
    with pytest.raises(RecipeError, match="odd needs to be reinstalled"):
        machine.add("git", having=("odd=2.0 install reinstreq half-installed",))


def test_a_suite_that_no_mirror_has_is_named(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    root = (ARCHIVE / "archive").as_uri()
    machine.config = machine.config.model_copy(update={"mirrors": Mirrors(ubuntu=(root,))})
    assert machine.add("git")[1].suites == ("noble", "noble-updates")
    assert "noble-security is left out: no Ubuntu mirror gives a verified index" in capsys.readouterr().err


def test_a_keyring_that_is_none_or_anothers(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = ARCHIVE.parent / "debian_archive" / "stranger.asc"
    for keyring, expected in ((stranger, "NO_PUBKEY|not signed"), (tmp_path / "none", "portside.toml names for noble")):
        machine.config = machine.config.model_copy(update={"keyrings": {"noble": keyring}})
        with pytest.raises(InputError, match=expected):
            machine.add("git")
    monkeypatch.setattr(trust, "KEYRING_FOLDER", tmp_path)
    monkeypatch.setattr(mirrors, "signed_by", lambda suite: "")
    machine.config = machine.config.model_copy(update={"keyrings": {}})
    with pytest.raises(InputError, match="keys that sign Ubuntu's noble are not on this machine") as caught:
        machine.add("git")
    assert "apt-get install ubuntu-keyring" in str(caught.value.solution)


WHITEOUT: Files = {"usr/bin/apt-get": None}
OTHERS: list[tuple[tuple[Files, ...], str]] = [
    (({"etc/os-release": b"ID=rocky\nPRETTY_NAME='Rocky 9'\n", "var/lib/rpm/x": b""},), r"no dpkg: Rocky 9, .* of rpm"),
    (({"lib/apk/db/installed": b""},), "no dpkg: it does not say what it is, with packages of apk"),
    (({"var/lib/dpkg/status.d/base": b"Package: base-files\n"},), "the base has no dpkg"),
    ((base(), WHITEOUT), "has dpkg and no apt"),
    ((base(release=None),), "does not say which release"),
    ((base(release=b"ID=debian\nVERSION_CODENAME=../x\n"),), "does not say which release"),
    ((base(release=b"ID=ubuntu\nVERSION_CODENAME=xenophobe\n"),), "Ubuntu xenophobe, which is none of its known"),
    ((base(architecture="arm64"),), "dpkg is of arm64, and the base is locked as amd64"),
]


@pytest.mark.parametrize(("layers", "expected"), OTHERS)
def test_bases_that_packages_cannot_be_added_to(tmp_path: Path, layers: tuple[Files, ...], expected: str) -> None:
    with pytest.raises(RecipeError, match=rf"env\.debian: .*{expected}"):
        read(tmp_path, *layers)


def test_a_derivative_says_what_it_is_made_from(tmp_path: Path) -> None:
    found = read(tmp_path, base(release=b"ID=linuxmint\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n"))
    assert (found.family.name, found.codename, found.architectures) == ("ubuntu", "noble", ("amd64", "i386"))


def test_a_later_layer_counts(tmp_path: Path) -> None:
    found = read(tmp_path, base("old=1"), {"var/lib/dpkg/status": status("new=2", "gone=1 deinstall ok config-files")})
    assert found.installed() == {"dpkg": "1.22", "apt": "2.7", "libc6": "2.0", "new": "2"}


def test_who_asks_knows_alternatives_and_what_is_provided() -> None:
    records = [
        {"Package": "a", "Pre-Depends": "b:any (>= 1) | c", "Depends": "agent"},
        {"Package": "b", "Provides": "agent (= 1), other"},
    ]
    assert who_asks(["a", "b"], {"a"}, records) == {"a": ("recipe",), "b": ("a",)}


def test_nothing_of_the_bases_apt_settings_counts_while_installing() -> None:
    deb = Deb(name="git", version="1", architecture="all", path="pool/git.deb", size=1, sha256="0" * 64)
    plain = PackageSet(recipe="r", epoch=1, debs=(deb,))
    added = plain.model_copy(
        update={"suites": DebianSuites(distribution="ubuntu", suites=("noble",), snapshot="20200713T101637Z")}
    )
    assert "suites" not in plain.model_dump()
    text = env_instructions(added, 1, ())
    assert "APT_CONFIG=/tmp/portside/apt.conf" in text and "--no-remove" in text
    assert "APT_CONFIG" not in env_instructions(plain, 1, ())
