"""What Portside sees of the machine that a container runs on."""

import os
import pwd
from pathlib import Path

import pytest

from portside.accelerators.host import Host, is_character_device


def test_device_nodes_are_character_devices_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert is_character_device(Path("/dev/null")) and Host().has_node("/dev/null")
    for path in (tmp_path, tmp_path / "file", tmp_path / "missing", tmp_path / "file/below", tmp_path / "loop"):
        assert not is_character_device(path)


def test_what_cannot_be_looked_at_is_not_there(tmp_path: Path) -> None:
    host = Host(root=tmp_path)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/text").write_bytes(b"5.10 \xff\n")
    (tmp_path / "loop").symlink_to("loop")
    assert host.exists("/proc/text") and host.read("/proc/text") == "5.10 \ufffd\n"
    too_long = "/" + "x" * 300
    for path in ("/proc/none", "/proc/text/below", "/loop", too_long):
        assert not host.exists(path) and host.read(path) is None, path
    assert host.read("/proc") is None, "a folder has no text"
    assert host.glob("/proc/*") == ["/proc/text"] and host.glob("/none/*") == []


def test_the_person_has_a_name_also_where_the_machine_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Host.here().user == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)
    assert Host.here().user == "4000000001"
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert not Host.here().terminal
