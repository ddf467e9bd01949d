"""What make_base does around mmdebstrap; tests/network and tests/engine make real ones."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from portside.common.canonical import sha256_hex
from portside.errors import BuildError, RecipeError
from portside.inputs.debian import base
from portside.lock.packages import Deb

FAKE = """\
#!/bin/sh
# Writes down what it was called with, then does as mmdebstrap would.
{ umask; pwd; env | sort; printf '%s\\n' "$@"; } > SEEN
for last; do :; done
archive=${last#*copy:}
cp "${archive%% *}"/dists/tiny/main/binary-amd64/Packages SEEN.packages
echo 'I: extracting archives...' >&2
printf ' 10%%\\r 50%%\\rI: installing essential packages...\\n' >&2
echo 'I: something else' >&2
cp ROOT.tar OUT
exit CODE
"""


@pytest.fixture
def package(tmp_path: Path) -> tuple[Deb, Path]:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN").chmod(0o755)  # dpkg-deb insists, whatever the umask is
    control = "Package: tool\nVersion: 1.0\nArchitecture: all\nMaintainer: n\nEssential: no\nDescription: t\n"
    (root / "DEBIAN" / "control").write_text(control)
    file = tmp_path / "tool.deb"
    subprocess.run(["dpkg-deb", "--build", root, file], check=True, stdout=subprocess.DEVNULL)
    data = file.read_bytes()
    deb = Deb(
        name="tool", version="1.0", architecture="all", path="pool/tool.deb", size=len(data), sha256=sha256_hex(data)
    )
    return deb, file


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, code: int = 0) -> None:
    """Put a program in mmdebstrap's place that gives a root whose dpkg says `status`."""
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        member = tarfile.TarInfo("./var/lib/dpkg/status")
        member.size = len(status)
        tar.addfile(member, io.BytesIO(status.encode()))
    places = {"SEEN": "seen", "ROOT.tar": "root.tar", "OUT": "out.tar"}
    text = FAKE.replace("CODE", str(code))
    for word, name in places.items():
        text = text.replace(word, str(tmp_path / name))
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text(text)
    program.chmod(0o755)
    program.with_name("newuidmap").symlink_to(program)  # what users other than root need beside it
    monkeypatch.setattr(base, "_PATH", f"{program.parent}:{base._PATH}")


def make(tmp_path: Path, package: tuple[Deb, Path], suite: str = "tiny") -> list[str]:
    workspace = tmp_path / "work space"
    workspace.mkdir()
    said: list[str] = []
    base.make_base([package], suite, "amd64", 1234, tmp_path / "out.tar", workspace, said.append)
    return said


GOOD = "Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0\n"


def test_mmdebstrap_sees_nothing_of_this_process(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, GOOD)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("APT_CONFIG", "/somewhere")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    before = os.umask(0o077)
    try:
        said = make(tmp_path, package)
    finally:
        os.umask(before)
    assert said == ["extracting archives", "installing packages"]
    seen = (tmp_path / "seen").read_text().splitlines()
    assert seen[0] == "0022"
    names = {line.partition("=")[0] for line in seen[2:] if not line.startswith("-")} & set(os.environ)
    assert names <= {"HOME", "LC_ALL", "PATH", "PWD", "OLDPWD", "SHLVL", "TMPDIR", "TZ", "_", "SOURCE_DATE_EPOCH"}
    assert {"SOURCE_DATE_EPOCH=1234", "TZ=UTC", "LC_ALL=C.UTF-8", "HOME=/nonexistent"} <= set(seen)
    assert "deb [trusted=yes] copy:" in seen[-1] and "work space" not in seen[-1]


def test_the_index_calls_every_package_essential_and_names_it_by_its_sha256(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    deb, file = package
    root = base._write_archive([deb], [base.control_of(file)], {"tool": file}, "tiny", "amd64", tmp_path / "archive")
    index = (root / "dists/tiny/main/binary-amd64/Packages").read_text()
    assert index.count("Essential:") == 1 and "Essential: yes\n" in index
    assert f"Filename: pool/{deb.sha256}.deb\n" in index and f"SHA256: {deb.sha256}\n" in index
    assert (root / "pool" / f"{deb.sha256}.deb").read_bytes() == file.read_bytes()
    assert f" {sha256_hex(index.encode())} {len(index)} main" in (root / "dists/tiny/Release").read_text()


@pytest.mark.parametrize(
    "status",
    [
        GOOD.replace("1.0", "1.1"),
        GOOD.replace("ok installed", "ok half-configured"),
        GOOD + "\n" + GOOD.replace("tool", "more"),
        "",
    ],
)
def test_a_root_with_other_packages_is_refused(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    fake(tmp_path, monkeypatch, status)
    with pytest.raises(BuildError, match="does not have exactly the locked packages"):
        make(tmp_path, package)


def test_a_failure_shows_what_mmdebstrap_said(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, GOOD, code=25)
    with pytest.raises(BuildError, match=r"(?s)said last:.*I: something else"):
        make(tmp_path, package)


def test_a_deb_that_is_another_package_is_refused(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, GOOD)
    other = package[0].model_copy(update={"version": "2.0"})
    with pytest.raises(BuildError, match=r"holds tool 1\.0, not tool 2\.0"):
        make(tmp_path, (other, package[1]))


def test_without_mmdebstrap_the_error_says_how_to_get_it(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_PATH", str(tmp_path / "empty"))
    with pytest.raises(BuildError, match="apt-get install mmdebstrap"):
        make(tmp_path, package)


def test_without_newuidmap_others_than_root_are_told(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, "")
    (tmp_path / "bin" / "newuidmap").unlink()
    monkeypatch.setattr(base, "_PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BuildError, match="apt-get install uidmap"):
        make(tmp_path, package)


def test_a_suite_that_is_no_word_reaches_nobody(
    tmp_path: Path, package: tuple[Deb, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="not the name of a Debian suite"):
        make(tmp_path, package, "tiny main\ndeb [trusted=yes] http://x.invalid y")


def test_memory_is_used_only_where_there_is_plenty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_free_memory", lambda: 4 << 20)
    assert base._in_memory(tmp_path, [{"Installed-Size": "1025"}]) == []
