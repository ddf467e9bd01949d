"""Resolving against the tiny signed archive beside this file (`debian_archive/make.py` writes it): apt, no network."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portside.config import Config, Mirrors
from portside.errors import InputError, LockError, RecipeError, StoreError
from portside.inputs.debian import apt, mirrors, trust
from portside.inputs.debian.keyrings import fingerprints
from portside.inputs.debian.resolve import Update, resolve_base, resolve_packages
from portside.lock.packages import Deb
from portside.store import Store

ARCHIVE = Path(__file__).parent / "debian_archive"
WHERE = ("tiny", "amd64")


_standard_base: list[Deb] = []


def standard_base(machine: "Machine") -> list[Deb]:
    """The base without more packages: that of the first machine that asks, for it is always the same."""
    if not _standard_base:
        _standard_base.extend(machine.base())
    return _standard_base


class Machine:
    """A store, and a configuration that knows only the tiny archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "home")
        self.archive = folder / "archive of tests"
        shutil.copytree(ARCHIVE / "dists", self.archive / "dists")
        self.config = Config(home=folder / "home", mirrors=Mirrors(debian=(self.archive.as_uri(),)))

    def base(self, include: tuple[str, ...] = (), keep: tuple[Deb, ...] = (), update: Update = ()) -> list[Deb]:
        return resolve_base(*WHERE, include, keep, update, self.config, self.store)[0]

    def packages(self, *packages: str, base: tuple[Deb, ...] = (), keep: tuple[Deb, ...] = ()) -> list[str]:
        debs = resolve_packages(packages, base or standard_base(self), *WHERE, keep, (), self.config, self.store)
        return [f"{deb.name}={deb.version}" for deb in debs]

    def old_deb(self, name: str, depends: str = "libc6", kept: bool = True) -> Deb:
        """Version 1.0 of a package, which the archive has dropped; in the store if `kept`."""
        root = self.folder / f"{name}-1.0"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN").chmod(0o755)  # dpkg-deb insists, whatever the umask is
        needs = f"Depends: {depends}\n" if depends else ""
        text = f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody\n{needs}Description: old\n"
        (root / "DEBIAN" / "control").write_text(text)
        file = self.folder / f"{name}_1.0_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, file], check=True, stdout=subprocess.DEVNULL)
        with Store(self.folder / ("home" if kept else "other")).inputs.receive(name, None, None) as receiver:
            receiver.write(file.read_bytes())
        path = f"pool/main/{name[0]}/{name}/{file.name}"
        size = file.stat().st_size
        return Deb(name=name, version="1.0", architecture="all", path=path, size=size, sha256=receiver.sha256)


@pytest.fixture
def keys() -> Iterator[Path]:
    """A folder with the keys. Signed-By is a list of paths without spaces, which this checkout's may have."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for file in ARCHIVE.glob("*.asc"):
            shutil.copy(file, folder)
        yield Path(folder)


@pytest.fixture
def machine(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(mirrors, "_apt_roots", lambda suite: ())
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: str(keys / "archive.asc"))
    return Machine(tmp_path)


def versions(debs: list[Deb]) -> dict[str, str]:
    return {deb.name: deb.version for deb in debs}


def test_base_is_essential_and_required_packages_and_apt(machine: Machine) -> None:
    debs, snapshot = resolve_base(*WHERE, [], [], (), machine.config, machine.store)
    assert versions(debs) == {"apt": "2.0", "base-files": "2.0", "libc6": "2.0"}
    assert snapshot == "20200711T101637Z"
    assert debs[0].path == "pool/main/a/apt/apt_2.0_all.deb"


def test_base_includes_packages_with_what_they_need_but_not_recommend(machine: Machine) -> None:
    assert sorted(versions(machine.base(("tool",)))) == ["apt", "base-files", "helper", "libc6", "tool"]


def test_packages_are_only_what_they_add_to_the_base(machine: Machine) -> None:
    assert machine.packages("tool", "libc6") == ["helper=2.0", "tool=2.0"]
    assert machine.packages("plain=2.0") == ["plain=2.0"]
    assert machine.packages() == []


def test_unknown_packages_are_all_named_with_near_misses(machine: Machine) -> None:
    with pytest.raises(RecipeError) as raised:
        machine.packages("plian", "tool=1.0", "mail-agent", "extra", "zzz")
    text = str(raised.value)
    assert "plian: did you mean plain?" in text
    assert "tool=1.0: tiny has 2.0" in text
    assert "mail-agent: only provided, by mail-server" in text
    assert "zzz: nothing has a name like it" in text
    assert "extra" not in text


@pytest.mark.parametrize(
    "spec", ["?essential", "tool-", "./x.deb", "tool/other", "-y", "tool=", "tool=1 2", "Tool", "a"]
)
def test_only_names_and_versions_reach_apt(machine: Machine, spec: str) -> None:
    with pytest.raises(RecipeError, match=r"tool-:|not a Debian package"):
        machine.packages(spec)


def test_packages_that_do_not_go_together_come_with_apts_reason(machine: Machine) -> None:
    with pytest.raises(RecipeError, match="torn : Depends: nothing-has-this"):
        machine.packages("torn")


def test_a_path_out_of_the_mirror_is_refused(machine: Machine) -> None:
    with pytest.raises(InputError, match="stanza of evil cannot be used: path"):
        machine.packages("evil")


def test_a_locked_version_stays_though_the_mirror_dropped_it(machine: Machine) -> None:
    old = machine.old_deb("plain")
    base = tuple(machine.base())
    assert machine.packages("plain", "tool", base=base, keep=(old,)) == ["helper=2.0", "plain=1.0", "tool=2.0"]
    assert old in machine.base(("plain",), keep=(*base, old))


def test_update_lets_a_locked_version_go(machine: Machine) -> None:
    old = machine.old_deb("plain")
    assert versions(machine.base(("plain",), (old,), ["plain"]))["plain"] == "2.0"
    assert versions(machine.base(("plain",), (old,), "all"))["plain"] == "2.0"
    assert versions(machine.base(("plain",), (old,), ["tool"]))["plain"] == "1.0"


def test_a_locked_version_that_nobody_has_moves(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    gone = machine.old_deb("plain", kept=False)
    assert versions(machine.base(("plain",), (gone,)))["plain"] == "2.0"
    assert "plain 1.0 has left the mirror and is not in the store" in capsys.readouterr().err


def test_a_locked_version_that_is_not_needed_is_dropped(machine: Machine) -> None:
    assert "plain" not in versions(machine.base((), (machine.old_deb("plain"),)))


def test_locked_versions_in_the_way_name_the_update_that_is_needed(machine: Machine) -> None:
    with pytest.raises(LockError, match=r"invoke lock --recipe NAME --update helper$"):
        machine.packages("tool", keep=(machine.old_deb("helper"),))


def test_packages_that_need_a_newer_base_say_so(machine: Machine) -> None:
    base = (machine.old_deb("libc6", depends=""),)
    assert machine.packages("plain", base=base) == ["plain=2.0"]
    with pytest.raises(LockError, match=r"libc6 1\.0 -> 2\.0"):
        machine.packages("needs-new", base=base)


def test_a_base_that_nobody_knows_any_more(machine: Machine) -> None:
    with pytest.raises(InputError, match=r"libc6 1\.0 of the base has left the mirror"):
        machine.packages("plain", base=(machine.old_deb("libc6", kept=False),))


def test_a_release_signed_by_somebody_else_is_refused(
    machine: Machine, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: str(keys / "stranger.asc"))
    with pytest.raises(InputError, match=r"(?s)no Debian mirror gives a verified index.*(NO_PUBKEY|Missing key)"):
        machine.base()


def test_a_key_inside_the_sources_counts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (ARCHIVE / "archive.asc").read_text().splitlines()
    inside = "\n" + "\n".join(f" {line or '.'}" for line in lines)
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: inside)
    assert machine.packages("plain") == ["plain=2.0"]


def test_an_index_that_was_changed_is_refused(machine: Machine) -> None:
    index = machine.archive / "dists/tiny/main/binary-amd64/Packages"
    index.write_bytes(index.read_bytes().replace(b"Size: 1000", b"Size: 9999"))
    with pytest.raises(InputError, match="no Debian mirror gives a verified index"):
        machine.base()


def test_no_keys_at_all_names_the_package_that_has_them(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: "")
    monkeypatch.setattr(trust, "KEYRING_FOLDER", machine.folder)
    with pytest.raises(InputError, match="apt-get install debian-archive-keyring"):
        machine.base()


def test_the_next_mirror_is_asked_when_one_fails(machine: Machine) -> None:
    places = ((machine.folder / "nothing").as_uri(), machine.archive.as_uri())
    machine.config = Config(home=machine.folder / "home", mirrors=Mirrors(debian=places))
    assert "apt" in versions(machine.base())


def test_without_apt_the_error_says_where_to_lock(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.folder))
    with pytest.raises(InputError, match="which this machine does not have"):
        machine.base()


def test_a_full_disk_is_no_fault_of_the_mirror(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "E: Write error - write (28: No space left on device)\nE: IO Error saving source cache"
    monkeypatch.setattr("portside.inputs.debian.resolve.PrivateApt.update", lambda self: said)
    with pytest.raises(StoreError, match="no space left on the disk of") as caught:
        machine.base()
    assert "PORTSIDE_HOME" in str(caught.value)


def test_a_suite_that_no_mirror_has_may_be_a_typing_error(machine: Machine) -> None:
    with pytest.raises(InputError, match="no Debian mirror gives a verified index of tinny") as caught:
        resolve_base("tinny", "amd64", (), (), (), machine.config, machine.store)
    assert "`base.debian.suite`" in str(caught.value)


def key(name: str) -> str:
    """The fingerprint of one of the archive's keys, as gpg would show it."""
    [found] = fingerprints((ARCHIVE / f"{name}.asc").read_bytes())
    return found


@pytest.mark.parametrize(
    "form", ["{path} {one}", "{path},{one}!", "{one}", "{one}! {other}", "{other} {one}", "{unknown} {one}"]
)
def test_a_fingerprint_says_whose_signature_counts(
    machine: Machine, keys: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """In a keyring that holds other keys too: one that is named, or else those that the machine's apt trusts."""
    monkeypatch.setattr(apt.mirrors, "apt_paths", lambda *settings: [("Dir::Etc::trustedparts", str(keys))])
    ring = keys / "both.asc"
    ring.write_text("".join((ARCHIVE / f"{name}.asc").read_text() for name in ("archive", "stranger")))

    def says(one: str, other: str) -> None:
        said = form.format(path=ring, one=one, other=other, unknown="A" * 40)
        monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: said)

    says(key("archive").lower(), key("stranger"))
    assert machine.packages("plain") == ["plain=2.0"]
    says(key("stranger"), "B" * 40)
    with pytest.raises(InputError, match="no Debian mirror gives a verified index"):
        machine.packages("plain")


@pytest.mark.parametrize("named", [True, False])
def test_a_fingerprint_that_no_keyring_has(
    machine: Machine, keys: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setattr(apt.mirrors, "apt_paths", lambda *settings: [("Dir::Etc::trustedparts", str(keys))])
    said = f"{keys / 'archive.asc'} {'AB' * 20}" if named else f"{'AB' * 20}!"
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: said)
    with pytest.raises(InputError, match=f"signed by the key {'AB' * 20}!?, which no keyring here has") as caught:
        machine.base()
    assert "archive.asc" in str(caught.value) and "Signed-By" in str(caught.value)


@pytest.mark.parametrize("said", ["ABCD 1234", "0123456789ABCDEF", "keyring.gpg", "A" * 41])
def test_a_signed_by_that_says_neither(machine: Machine, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: said)
    with pytest.raises(InputError, match="neither the path of a keyring nor a fingerprint"):
        machine.base()


def test_a_keyring_that_is_gone_is_not_replaced_by_another(
    machine: Machine, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "KEYRING_FOLDER", keys)
    shutil.copy(keys / "archive.asc", keys / "debian-archive-keyring.gpg")
    monkeypatch.setattr(apt.mirrors, "signed_by", lambda suite: "/etc/apt/keyrings/not-there.gpg")
    with pytest.raises(InputError, match=r"/etc/apt/keyrings/not-there\.gpg, as this machine's apt sources say"):
        machine.base()


@pytest.mark.parametrize(
    "sources",
    [
        "Types: deb\nURIs: http://m/debian\nSuites: tiny\nComponents: main\nSigned-By:\n {one}!\n {other}\n",
        "deb [arch=amd64 signed-by={one}!,{other}] http://m/debian tiny main\n",
    ],
)
def test_both_forms_of_sources_name_fingerprints(sources: str) -> None:
    text = sources.format(one=key("archive"), other=key("stranger"))
    [source] = (mirrors.parse_one_line if text.startswith("deb ") else mirrors.parse_deb822)(text)
    assert source.signed_by.split() == [f"{key('archive')}!", key("stranger")]


def test_fingerprints_are_those_that_gpg_shows() -> None:
    assert (key("archive"), key("stranger")) == (
        "7669ED8D8CF71390281F1E428E30F805556EC3FB",
        "D08681B0EECA41D3EA3A00DE636B076912EBD8A7",
    )


@pytest.mark.parametrize(
    "broken", [b"", b"nothing", b"\x99", b"\xc6\xe0", b"\x9b\x00", b"\x99\x00\x00", b"\xc6\xff\x00"]
)
def test_what_is_no_keyring_has_no_fingerprints(broken: bytes) -> None:
    assert fingerprints(broken) == frozenset()
    assert fingerprints((ARCHIVE / "archive.asc").read_bytes()[:100]) == frozenset()


def test_a_machine_that_lets_apt_do_without_signatures_changes_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [("Acquire::AllowInsecureRepositories", "true"), ("Acquire::AllowWeakRepositories", "true")]
    monkeypatch.setattr(apt.mirrors, "apt_settings", lambda prefix: settings)
    dist = machine.archive / "dists" / "tiny"
    text = (dist / "InRelease").read_text()
    (dist / "InRelease").unlink()
    (dist / "Release").write_text(text[text.index("Origin:") : text.index("-----BEGIN PGP SIGNATURE")])
    with pytest.raises(InputError, match="no Debian mirror gives a verified index"):
        machine.base()
