"""Names of repositories and tags."""

import pytest

from portside.errors import RecipeError
from portside.registry.reference import Reference, Repository, is_loopback, parse_reference, parse_repository


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example/models", Repository("registry.example", "models", False)),
        ("registry.example:5000/team/models", Repository("registry.example:5000", "team/models", False)),
        ("https://registry.example/models", Repository("registry.example", "models", False)),
        ("http://registry.example:5000/models", Repository("registry.example:5000", "models", True)),
        ("127.0.0.1:5000/models", Repository("127.0.0.1:5000", "models", None)),
        ("localhost:5000/models", Repository("localhost:5000", "models", None)),
        ("https://localhost:5000/models", Repository("localhost:5000", "models", False)),
        ("[::1]:5000/a__b/c-d.e", Repository("[::1]:5000", "a__b/c-d.e", None)),
    ],
)
def test_repositories(text: str, expected: Repository) -> None:
    assert parse_repository(text) == expected


@pytest.mark.parametrize(
    "text",
    ["models", "", "host/", "/models", "host/Models", "host/a//b", "host/-a", "ftp://host/a", "host/a:tag", "h t/a"],
)
def test_what_is_no_repository(text: str) -> None:
    with pytest.raises(RecipeError, match="is no repository"):
        parse_repository(text)


def test_a_tag_belongs_to_the_home_repository_unless_it_is_a_full_reference() -> None:
    home = "registry.example/models"
    assert parse_reference("v1", home) == Reference(Repository("registry.example", "models"), "v1")
    full = parse_reference("127.0.0.1:5000/other:v2", home)
    assert full == Reference(Repository("127.0.0.1:5000", "other", None), "v2")
    assert str(full) == "127.0.0.1:5000/other:v2"


@pytest.mark.parametrize("text", ["127.0.0.1:5000/other", "host/a:-x", "host/a:", "host/a:" + "x" * 129, "bad tag"])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_reference(text, "registry.example/models")


def test_a_tag_without_any_registry() -> None:
    with pytest.raises(RecipeError, match="no registry is known") as caught:
        parse_reference("v1", None)
    assert "portside.toml" in (caught.value.solution or "")


def test_loopback() -> None:
    assert all(
        is_loopback(host) for host in ("localhost", "localhost:5", "127.0.0.1:5000", "127.3.4.5", "[::1]:5", "[::1]")
    )
    assert not any(is_loopback(host) for host in ("example", "10.0.0.1:5000", "localhost.example:5", "[fe80::1]:5"))


@pytest.mark.parametrize(
    "text",
    [
        "https://u:S3CR3T@h/a",
        "u:S3CR3T@h/a",
        "https://u:S3C@R3T@h/a:t",
        "https://u:S3CR3T@h:5/a/b:t",
        "u:S3CR3T@h/a:t/b",
    ],
)
def test_a_password_in_a_name_is_not_shown(text: str) -> None:
    for parse in (parse_repository, lambda text: parse_reference(text, None)):
        with pytest.raises(RecipeError) as caught:
            parse(text)
        assert "S3C" not in str(caught.value) and "R3T" not in str(caught.value)
