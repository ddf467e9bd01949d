from collections.abc import Iterator
from pathlib import Path

import pytest

from portside.common.url import SecretUrl
from portside.config import Config, Mirrors
from portside.errors import InputError
from portside.inputs.debian import mirrors
from portside.lock.bases import DebianBase
from portside.lock.packages import Deb

URIS = """\
'http://one.invalid/debian/dists/tiny/InRelease' one.invalid_debian_dists_tiny_InRelease 0
'http://one.invalid/debian/dists/tiny/main/binary-amd64/Packages.xz' one.invalid_x 0
'http://one.invalid/debian-security/dists/tiny-security/InRelease' one.invalid_y 0
'http://two.invalid/debian/dists/other/InRelease' two.invalid_debian_dists_other_InRelease 0
'file:/srv/my mirror/dists/tiny/InRelease' _srv_x 0
'copy:/srv/copy/dists/tiny/InRelease' _srv_copy 0
'mirror+file:/etc/m.txt/dists/tiny/InRelease' _etc_m 0
'cdrom://disc/dists/tiny/InRelease' disc 0
'https://three.invalid/debian/dists/tiny/InRelease' three 0
'http://one.invalid/debian/dists/tiny-updates/InRelease' z 0
"""
DEB822 = """\
Types: deb
# http://old.invalid/archive/debian/20250520T000000Z
URIs: http://one.invalid/debian
Suites: tiny tiny-updates
Components: main
Signed-By: /keys/one.gpg

Types: deb
# http://old.invalid/archive/debian-security/20250520T000000Z
URIs: http://one.invalid/debian-security
Suites: tiny-security
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
Enabled: no
URIs: http://disabled.invalid/debian
Suites: tiny

Types: deb-src
URIs: http://sources.invalid/debian
Suites: tiny
"""
ONE_LINE = """\
# deb http://old.invalid/archive/debian/20210902T000000Z tiny main
deb [ arch=amd64 signed-by=/keys/a.gpg,/keys/b.gpg ] http://one.invalid/debian tiny main
deb-src http://one.invalid/debian tiny main
deb http://one.invalid/debian other main
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose apt knows nothing."""
    monkeypatch.setattr(mirrors, "_output", lambda *command: "")
    for cached in (mirrors._apt_roots, mirrors._apt_snapshot_root):
        cached.cache_clear()
    yield
    for cached in (mirrors._apt_roots, mirrors._apt_snapshot_root):
        cached.cache_clear()


def config(tmp_path: Path, **given: object) -> Config:
    return Config.model_validate({"home": tmp_path / "home", **given})


def test_find_roots_puts_those_with_the_suite_first_and_leaves_out_what_only_apt_reads() -> None:
    assert list(mirrors.find_roots(URIS, "tiny")) == [
        "http://one.invalid/debian",
        "file:///srv/my%20mirror",
        "file:///srv/copy",
        "https://three.invalid/debian",
        "http://two.invalid/debian",
    ]


OTHER_RELEASE = [("debian", "bookworm"), ("debian-security", "bookworm-security"), ("other", "bookworm")]


def test_find_roots_knows_where_the_security_suites_of_other_releases_are() -> None:
    uris = "".join(f"'http://m/{root}/dists/{suite}/InRelease' x 0 \n" for root, suite in OTHER_RELEASE)
    assert list(mirrors.find_roots(uris, "trixie-security")) == ["http://m/debian", "http://m/debian-security"]
    assert list(mirrors.find_roots(uris, "trixie")) == ["http://m/debian"]


def test_mirrors_asks_the_configured_ones_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "_output", lambda *command: URIS)
    given = config(tmp_path, mirrors={"debian": ["http://mine.invalid/debian/", "http://one.invalid/debian"]})
    assert [root.full for root in mirrors.mirrors(given, "tiny")[:3]] == [
        "http://mine.invalid/debian",
        "http://one.invalid/debian",
        "file:///srv/my%20mirror",
    ]


def test_mirrors_without_any_says_what_to_configure(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        mirrors.mirrors(config(tmp_path), "tiny")
    assert "mirrors.debian in portside.toml" in str(raised.value)


def test_parse_deb822() -> None:
    first, second = mirrors.parse_deb822(DEB822)
    assert (first.uris, first.suites) == (("http://one.invalid/debian",), ("tiny", "tiny-updates"))
    assert first.signed_by == "/keys/one.gpg"
    assert second.suites == ("tiny-security",)
    assert second.signed_by.split() == ["-----BEGIN", "PGP", "PUBLIC", "KEY", "BLOCK-----", ".", "abc"]


def test_parse_one_line() -> None:
    first, second = mirrors.parse_one_line(ONE_LINE)
    assert (first.uris, first.suites) == (("http://one.invalid/debian",), ("tiny",))
    assert first.signed_by == "/keys/a.gpg /keys/b.gpg"
    assert (second.suites, second.signed_by) == (("other",), "")


@pytest.mark.parametrize(
    "text, suite, root",
    [
        (DEB822, "tiny", "http://old.invalid/archive/debian"),
        (DEB822, "tiny-security", "http://old.invalid/archive/debian-security"),
        (DEB822, "elsewhere", "http://old.invalid/archive/debian"),
        (DEB822.replace("archive/debian/", "archive/ported/"), "elsewhere", None),
        ("Types: deb\nURIs: https://s.invalid/a/20210902T000000Z/\nSuites: tiny\n", "tiny", "https://s.invalid/a"),
    ],
)
def test_find_snapshot_in_deb822_sources(text: str, suite: str, root: str | None) -> None:
    assert mirrors.find_snapshot(list(mirrors.parse_deb822(text)), suite) == root


def test_find_snapshot_in_one_line_sources() -> None:
    assert mirrors.find_snapshot(list(mirrors.parse_one_line(ONE_LINE)), "tiny") == "http://old.invalid/archive/debian"


def test_snapshot_root_takes_apts_own_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = (
        'Acquire::Snapshots::URI::Origin::Debian "https://s.invalid/debian/@SNAPSHOTID@/";\n'
        'Acquire::Snapshots::URI::Override::Origin::debian "https://nearer.invalid/debian/@SNAPSHOTID@/";\n'
    )
    monkeypatch.setattr(mirrors, "_output", lambda *command: dump if command[1] == "dump" else "")
    assert mirrors.snapshot_root(config(tmp_path), "tiny") == SecretUrl("https://nearer.invalid/debian")
    given = config(tmp_path, mirrors={"debian_snapshot": "https://mine.invalid/"})
    assert mirrors.snapshot_root(given, "tiny") == SecretUrl("https://mine.invalid")


DEB = Deb(
    name="g++", version="4:1.0", architecture="amd64", path="pool/main/g/g++_1.0~a_amd64.deb", size=1, sha256="0" * 64
)
BASE = DebianBase(
    suite="tiny", architecture="amd64", snapshot="20260711T101637Z", epoch=0, debs=(), diff_id="0" * 64, size=0
)


def test_deb_locations_folders_then_mirrors_then_snapshot(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in ("g++_1.0~a_amd64.deb", "g++_4%3a1.0_amd64.deb"):
        (folder / name).touch()
    places = Mirrors(
        debian=(SecretUrl("http://mine.invalid/debian/"),), debian_snapshot=SecretUrl("http://s.invalid/debian")
    )
    given = Config(home=tmp_path, folders=(tmp_path / "missing", folder), mirrors=places)
    assert mirrors.deb_locations(DEB, BASE, given) == [
        (folder / "g++_1.0~a_amd64.deb").as_uri(),
        (folder / "g++_4%3a1.0_amd64.deb").as_uri(),
        "http://mine.invalid/debian/pool/main/g/g%2B%2B_1.0~a_amd64.deb",
        "http://s.invalid/debian/20260711T101637Z/pool/main/g/g%2B%2B_1.0~a_amd64.deb",
    ]


def test_deb_locations_without_any_names_the_package_and_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        mirrors.deb_locations(DEB, BASE, config(tmp_path))
    assert "g++ 4:1.0" in str(raised.value) and "mirrors.debian" in str(raised.value)
