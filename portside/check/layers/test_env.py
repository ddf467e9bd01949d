"""env: every locked package at its version, and nothing else."""

import shlex
from typing import Any

import pytest
from conftest_layers import distributions, has_pip, lacking, normalised, pip_problems, python


def test_debian_packages_are_the_locked_ones(host: Any, expected: dict[str, Any]) -> None:
    if expected["foreign"]:
        return  # a vendor's image has what it has, and nothing is added to it
    found = host.run("dpkg-query --show --showformat '${db:Status-Abbrev}|${Package}|${Version}\\n'")
    assert found.rc == 0, found.stderr
    rows = [line.split("|") for line in found.stdout.splitlines()]
    assert {status.strip() for status, _, _ in rows} == {"ii"}
    assert {name: version for _, name, version in rows} == expected["debs"]


def test_dpkg_finds_nothing_broken(host: Any, expected: dict[str, Any]) -> None:
    if expected["foreign"]:
        return
    audit = host.run("dpkg --audit")
    assert (audit.rc, audit.stdout) == (0, "")


def test_python_packages_are_the_locked_wheels(host: Any, expected: dict[str, Any]) -> None:
    if expected["wheels"] is None:
        return
    found = distributions(host, python(expected))
    # What stands in /usr/lib came with a .deb, and those are checked above.
    rows = {name: version for name, (version, place) in found.items() if not place.startswith("/usr/lib/")}
    if expected["foreign"]:
        rows = {name: version for name, version in rows.items() if name in expected["wheels"]}
    assert rows == expected["wheels"]


def test_python_packages_agree_with_each_other(host: Any, expected: dict[str, Any]) -> None:
    if not expected["wheels"]:
        return
    # Between packages of a vendor's image there may be anything, and it stays as it is.
    if expected.get("interpreter") and not has_pip(host, python(expected)):
        pytest.skip("the base's interpreter has no pip to ask")
    found = pip_problems(host, python(expected), expected["wheels"] if expected["foreign"] else None)
    # What the recipe counts as given may come with an install step of a later layer.
    later = {normalised(name) for name in expected["given"]}
    wrong = [line for line in found if lacking(line) not in later]
    assert not wrong, "\n".join(wrong)


def test_the_interpreter_is_as_it_was_read(host: Any, expected: dict[str, Any]) -> None:
    """What the lock says of the base's interpreter without having run it."""
    if expected["interpreter"] is None:
        return
    program, wanted = python(expected), expected["interpreter"]
    version = host.run("%s -c %s", program, "import sys; print('%d.%d' % sys.version_info[:2])")
    assert version.stdout.strip() == wanted["version"], version.stderr
    found = distributions(host, program)
    packages = {name: found.get(name, ("no such package", ""))[0] for name in wanted["packages"]}
    assert packages == wanted["packages"]
    places = {found[name][1] for name in expected["wheels"] or () if name in found}
    assert {host.run("readlink -f %s", place).stdout.strip() for place in places} <= {
        host.run("readlink -f %s", wanted["site"]).stdout.strip()
    }


def test_the_scripts_of_the_base_do_what_they_did(host: Any, expected: dict[str, Any]) -> None:
    """Run again in this layer, from the base's environment: what the lock has of them must come out."""
    wanted = expected.get("activation")
    if wanted is None:
        return
    before = " ".join(shlex.quote(f"{name}={value}") for name, value in wanted["before"].items())
    command = f'env -i HOME="$HOME" {before} bash --noprofile --norc -c {shlex.quote(wanted["program"])}'
    found = host.run(command)
    parts = found.stdout_bytes.split(f"{wanted['token']}\0".encode())
    assert len(parts) == 5, found.stderr
    rows = [row.decode("utf-8", "surrogateescape").partition("=") for row in parts[3].split(b"\0") if row]
    after = {name: value for name, _, value in rows}
    assert {name: after.get(name) for name in wanted["set"]} == wanted["set"]
    assert after.keys().isdisjoint(wanted["unset"])


def test_files_of_the_recipe(host: Any, expected: dict[str, Any]) -> None:
    for path, _, mode, digest in expected["files"]:
        file = host.file(f"/{path}")
        assert file.is_file, path
        assert (file.mode, file.sha256sum, file.uid, file.gid) == (mode, digest, 0, 0), path


def test_there_is_no_network(host: Any) -> None:
    assert host.run("cat /proc/net/route").stdout.splitlines()[1:] == []
