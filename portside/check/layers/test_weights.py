"""weights: size and sha256 of every file."""

from typing import Any


def test_every_file_has_its_size_and_hash(host: Any, expected: dict[str, Any]) -> None:
    for path, (size, digest) in expected["weights"].items():
        file = host.file(path)
        assert file.is_file, path
        assert (file.size, file.sha256sum) == (size, digest), path
        assert (file.user, file.group, file.mode) == ("root", "root", 0o644), path


def test_nothing_else_is_there(host: Any, expected: dict[str, Any]) -> None:
    folder = f"{expected['workspace']}/weights"
    found = set(host.run(f"test ! -d '{folder}' || find '{folder}' -type f").stdout.splitlines())
    assert found == set(expected["weights"])
