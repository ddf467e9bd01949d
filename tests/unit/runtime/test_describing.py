"""`doctor --describe`: a machine as a file gives the same dry run elsewhere, and tells nothing else of it."""

from pathlib import Path
from typing import Any

import pytest
from fake_hosts import fake_host, put, sixteen
from runtime_recipes import make_recipe

from portside.accelerators import Host, accelerator_names, load_accelerator
from portside.accelerators.describe import describe, to_yaml
from portside.accelerators.described import as_host, described_host, like
from portside.runtime import container_spec, noted, read_intent

KNOWN = [load_accelerator(name) for name in accelerator_names()]


def roundtrip(host: Host, tmp_path: Path) -> Host:
    path = tmp_path / "described.yaml"
    path.write_text(to_yaml(describe(host, KNOWN, "for a test")), encoding="utf-8")
    return described_host(str(path), host)


def lay_out(root: Path, host: Any) -> Host:
    """A made-up host as files below a folder."""
    made = fake_host(root)
    for path in host.description.nodes:
        put(root, path)
    for path, text in host.description.files.items():
        put(root, path, text)
    for path in host.description.there:
        if not (root / path.lstrip("/")).exists():
            put(root, path)
    return made


@pytest.mark.parametrize("name", [one.name for one in KNOWN if one.cards])
@pytest.mark.parametrize("access", ["raw", "auto"])
def test_a_described_host_gives_the_same_container(tmp_path: Path, name: str, access: str) -> None:
    made_up = as_host(like(load_accelerator(name), 4, None, "+toolkit+cdi"), Host(user="li"))
    real = lay_out(tmp_path / "root", made_up)
    intent = read_intent(make_recipe(accelerator=name), command="true", devices="2,3", access=access)
    said: list[str] = []
    specs = [
        container_spec(intent, host, lacking=noted(said.append), warn=said.append)
        for host in (real, roundtrip(real, tmp_path))
    ]
    assert specs[0] == specs[1]


def test_nothing_but_what_is_looked_at_is_told(tmp_path: Path) -> None:
    host = sixteen(tmp_path / "root")
    put(tmp_path / "root", "/etc/group", "root:x:0:\nvideo:x:44:li,wang\nsecret:x:999:\n")
    put(tmp_path / "root", "/etc/docker/daemon.json", '{"runtimes": {"my": {"path": "/s"}}, "http-proxy": "//u:p@h"}')
    text = to_yaml(describe(host, KNOWN, "for a test"))
    assert "Driver Version: v5.10.10" in text
    assert "/dev/cambricon_dev15" in text
    assert "cap_dev0_mi1" in text
    for word in ("Serial", "SN/", "wang", "secret", "u:p@h", "/dev/null"):
        assert word not in text
