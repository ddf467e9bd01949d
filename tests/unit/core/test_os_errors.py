"""What the operating system refuses becomes an error with what to do; a user without a home is no fault."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from portside.cli import task
from portside.common import home, os_errors
from portside.config import load_config
from portside.errors import RecipeError, StoreError
from portside.store import files


@pytest.mark.parametrize("number", sorted(os_errors._REMEDIES))
def test_every_refusal_names_its_place_and_what_to_do(number: int) -> None:
    told = os_errors.explained(OSError(number, os.strerror(number), "/some/where"))
    assert told.problem == f"/some/where: {os.strerror(number)}"
    assert told.solution == os_errors._REMEDIES[number]


def test_a_refusal_that_nobody_expected() -> None:
    assert "PORTSIDE_DEBUG" in str(os_errors.explained(OSError("odd")))


@pytest.mark.parametrize("number", os_errors.FULL)
def test_the_disk_that_is_full_is_named(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails names no file: the places that may be meant are looked at."""
    full = tmp_path / "full"
    monkeypatch.setattr(os_errors, "_free", lambda path: 0 if path == full else 1 << 30)
    told = os_errors.explained(OSError(number, "no"), [tmp_path / "store", full])
    assert told.problem == f"no space left on the disk of {full}"
    assert os_errors.explained(OSError(number, "no", "/dev/full")).problem == "no space left on the disk of /dev/full"


def test_another_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    told = os_errors.explained(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a" / "b")))
    assert f"{tmp_path} belongs to " in str(told)
    assert "the user number 54321" in str(told)


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotADirectoryError(errno.ENOTDIR, "Not a directory", "/f/sub"), 5), (OSError(errno.EROFS, "ro", "/x"), 5)],
)
def test_no_task_ends_with_a_traceback(
    error: OSError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave(found: int) -> None:
        raise SystemExit(found)

    @task.portside_task()
    def refused(c: Any) -> None:
        raise error

    monkeypatch.setattr(task, "leave", leave)
    with pytest.raises(SystemExit) as ended:
        refused.body(None)
    said = capsys.readouterr().err
    assert ended.value.code == code
    assert said.startswith(f"error: {error.filename}: ")
    assert "Traceback" not in said


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a name and without HOME."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "PORTSIDE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)


@pytest.mark.usefixtures("nobody")
def test_a_user_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.home_folder() == home.NOWHERE
    with pytest.raises(RecipeError, match="no place for the store\n  Set PORTSIDE_HOME"):
        load_config(tmp_path)
    (tmp_path / "portside.toml").write_text('home = "/s"\n')
    assert load_config(tmp_path).home == Path("/s")
    monkeypatch.setenv("PORTSIDE_HOME", "/t")
    assert load_config(tmp_path).home == Path("/t")
    monkeypatch.setenv("PORTSIDE_HOME", "~/t")
    with pytest.raises(RecipeError, match="PORTSIDE_HOME is ~/t"):
        load_config(tmp_path)


def test_a_home_with_a_tilde_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PORTSIDE_HOME", "~/store")
    assert load_config(None).home == tmp_path / "store"


def test_the_store_is_nobody_elses_to_write_to(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.make_folder(tmp_path / "a" / "b")
        with files.partial_file(tmp_path / "a" / "partial" / "x"):
            pass
    finally:
        os.umask(before)
    modes = [oct((tmp_path / path).stat().st_mode & 0o777) for path in ("a", "a/b", "a/partial", "a/partial/x")]
    assert modes == ["0o755", "0o755", "0o755", "0o600"]


def test_a_store_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="File exists\n  Something else has that name"):
        files.make_folder(tmp_path / "file" / "store")
