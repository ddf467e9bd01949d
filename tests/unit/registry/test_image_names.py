"""Names of images as people write them, Docker Hub's among them, mirrors, and the logins for both."""

import base64
import json
from pathlib import Path

import pytest

from portside.common.values import ImageAddress
from portside.config import load_config
from portside.errors import RecipeError
from portside.recipe import load_recipe
from portside.registry.credentials import Login, login_for
from portside.registry.hub import hub, login_command
from portside.registry.images import mirrored, parse_image
from portside.registry.reference import Repository, parse_repository

DIGEST = "sha256:" + "a" * 64
HUB, (SHORT, *_) = hub().host, hub().names


@pytest.mark.parametrize(
    ("text", "host", "name", "wanted"),
    [
        ("ubuntu:22.04", HUB, "library/ubuntu", "22.04"),
        ("ascendai/cann:8.0", HUB, "ascendai/cann", "8.0"),
        (f"{SHORT}/ubuntu:22.04", HUB, "library/ubuntu", "22.04"),
        (f"{SHORT}/a/b:1", HUB, "a/b", "1"),
        (f"{HUB}/library/ubuntu:1", HUB, "library/ubuntu", "1"),
        ("registry.example/x:1", "registry.example", "x", "1"),
        ("registry.example:5000/team/x:1", "registry.example:5000", "team/x", "1"),
        ("localhost/x:1", "localhost", "x", "1"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000", "x", "1"),
        ("[::1]:5000/x:1", "[::1]:5000", "x", "1"),
        (f"registry.example/x@{DIGEST}", "registry.example", "x", DIGEST),
        (f"registry.example/x:1@{DIGEST}", "registry.example", "x", DIGEST),
        (f"ubuntu@{DIGEST}", HUB, "library/ubuntu", DIGEST),
    ],
)
def test_addresses(text: str, host: str, name: str, wanted: str) -> None:
    found = parse_image(ImageAddress(text))
    assert (found.repository.host, found.repository.name, found.wanted) == (host, name, wanted)
    assert found.by_digest(DIGEST[7:]) == text.partition("@")[0].removesuffix(f":{found.tag}") + f"@{DIGEST}"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "ubuntu",
        "registry.example/x",
        "",
        ":1",
        "x:",
        "x:-1",
        "Ubuntu:1",
        "a//b:1",
        "http://registry.example/x:1",
        "docker://x:1",
        "registry.example/x@sha256:abc",
        "x@sha512:" + "a" * 128,
        "user:S3CR3T@registry.example/x:1",
        "x:1 ",
        "x y:1",
        "$(x):1",
        "x:" + "t" * 129,
        "a" * 600 + ":1",
    ],
)
def test_what_a_recipe_may_not_say(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes/r.yaml"
    for base in ({"image": text}, {"image": {"image": text, "architecture": "arm64"}}):
        path.write_text(json.dumps({"description": "d", "base": base, "accelerator": {"name": "cpu"}}))
        with pytest.raises(RecipeError) as caught:
            load_recipe(tmp_path, "r")
        assert "expected an image of a registry with its tag or digest, such as 'ubuntu:22.04'" in caught.value.problem
        assert "r.yaml:1: base.image" in caught.value.problem and "S3CR3T" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "line"),
    [
        (
            "{image: 22.04}",
            "base.image: expected an image of a registry with its tag or digest, such as 'ubuntu:22.04'",
        ),
        ("{image: {architecture: arm64}}", "base.image.image: this key is missing"),
        ("{image: {image: 'x:1', architecture: s390x}}", "base.image.architecture: expected 'amd64' or 'arm64'"),
        ("{image: {image: 'x:1', arch: arm64}}", "base.image.arch: no such key here"),
        ("{image: 'x:1', architecture: arm64}", "base.architecture: stands with the base's own keys, such as image: {"),
        ("{image: 'x:1', debian: {suite: bookworm}}", "base: expected either debian or archive or image"),
    ],
)
def test_mistakes_beside_the_address(tmp_path: Path, base: str, line: str) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/r.yaml").write_text(f"description: d\nbase: {base}\naccelerator: {{name: cpu}}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path, "r")
    assert line in caught.value.problem


def test_a_text_and_a_mapping_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes/r.yaml"
    asked = []
    for base in ("{image: 'x:1'}", "{image: {image: 'x:1'}}", "{image: {image: 'x:1', architecture: amd64}}"):
        path.write_text(f"description: d\nbase: {base}\naccelerator: {{name: cpu}}\n")
        asked.append(load_recipe(tmp_path, "r").requests()["base"])
    assert asked[0] == asked[1] == asked[2]


@pytest.mark.parametrize(
    ("mirrors", "text", "expected"),
    [
        ({}, "registry.example/a/b", None),
        ({"registry.example": "m.example"}, "registry.example/a/b", ("m.example", "a/b", False)),
        ({"registry.example": "http://m.example:5000/p/"}, "registry.example/a/b", ("m.example:5000", "p/a/b", True)),
        ({"registry.example/a": "m.example/x"}, "registry.example/a/b", ("m.example", "x/b", False)),
        ({"registry.example/a/b": "m.example/x"}, "registry.example/a/b", ("m.example", "x", False)),
        ({"registry.example/a": "m.example/x"}, "registry.example/ab/c", None),
        (
            {"registry.example": "one.example", "registry.example/a": "two.example"},
            "registry.example/a/b",
            ("two.example", "b", False),
        ),
        ({"registry.example": "localhost:5000"}, "registry.example/a", ("localhost:5000", "a", None)),
        ({SHORT: "m.example/hub"}, "ubuntu", ("m.example", "hub/library/ubuntu", False)),
        ({f"{SHORT}/ascendai": "m.example"}, "ascendai/cann", ("m.example", "cann", False)),
        ({"ascendai": "m.example"}, "ascendai/cann", ("m.example", "cann", False)),
        ({HUB: "m.example"}, "ascendai/cann", ("m.example", "ascendai/cann", False)),
    ],
)
def test_mirrors(mirrors: dict[str, str], text: str, expected: tuple[str, str, bool | None] | None) -> None:
    asked = parse_image(ImageAddress(f"{text}:1")).repository
    assert mirrored(asked, mirrors) == (asked if expected is None else Repository(*expected))


def test_a_mirror_that_leads_nowhere() -> None:
    with pytest.raises(RecipeError, match=r"\[mirrors\] registries"):
        mirrored(parse_repository("registry.example/a"), {"registry.example/a": "m.example"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('registries = ["a/b"]\n[mirrors]\nregistries = {"https://x" = "y"}\n', ":3: mirrors.registries.https://x"),
        ('[mirrors.registries]\n"x" = "ftp://y"\n', ":1: mirrors.registries.x: expected HOST"),
        ('[mirrors]\nregistries = "y"\n', ":2: mirrors.registries: expected a mapping"),
    ],
)
def test_mirrors_in_the_configuration(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "portside.toml").write_text('[mirrors]\nregistries = {"x.example" = "http://m.example:5000/p"}\n')
    assert load_config(tmp_path).mirrors.registries == {"x.example": "http://m.example:5000/p"}
    (tmp_path / "portside.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_config(tmp_path)
    assert line in caught.value.problem


def stored(value: dict[str, str]) -> dict[str, object]:
    return {"auths": {key: {"auth": base64.b64encode(f"{user}:x".encode()).decode()} for key, user in value.items()}}


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "user"),
    [("a/b/c", "deep"), ("a/b/d", "b"), ("a/x", "a"), ("ab/c", "all"), ("a", "a"), ("z", "all"), ("", "all")],
)
def test_a_login_for_a_part_of_a_registry(name: str, user: str) -> None:
    logins = stored({"h:1": "all", "h:1/a": "a", "h:1/a/b": "b", "h:1/a/b/c": "deep"})
    write(Path.home() / ".config/containers/auth.json", logins)
    assert login_for("h:1", name) == Login(user, "x")
    assert login_for("h:2", name) is None


@pytest.mark.parametrize("key", [hub().login, *hub().names, hub().host, f"https://{HUB}"])
def test_the_login_of_docker_hub(key: str) -> None:
    write(Path.home() / ".docker/config.json", stored({key: "me"}))
    assert login_for(HUB, "library/ubuntu") == Login("me", "x")
    assert login_for("registry.example", "library/ubuntu") is None


def test_a_part_of_docker_hub() -> None:
    write(Path.home() / ".config/containers/auth.json", stored({SHORT: "all", f"{SHORT}/ascendai": "part"}))
    assert login_for(HUB, "ascendai/cann") == Login("part", "x")
    assert login_for(HUB, "library/ubuntu") == Login("all", "x")


def test_a_helper_of_docker_hub_is_asked_as_docker_asks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/docker-credential-own"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nread host; echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"of $host\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    for config in ({"credsStore": "own"}, {"credHelpers": {hub().login: "own"}}):
        write(Path.home() / ".docker/config.json", config)
        assert login_for(HUB, "library/ubuntu") == Login("u", f"of {hub().login}")


def test_what_one_types_to_log_in() -> None:
    assert login_command(HUB) == "docker login"
    assert login_command("registry.example:5000") == "docker login registry.example:5000"
