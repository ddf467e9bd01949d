"""The URLs of a lock, which anybody may have edited: checked as those of a recipe are."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from portside.inputs.git_remote import remote_environment
from portside.lock.sources import LockedGitSource

HEX = "ab" * 20


def source(url: str, submodule: str | None = None) -> LockedGitSource:
    row: dict[str, Any] = {"epoch": 1, "url": url, "commit": HEX, "tree": HEX}
    modules = [] if submodule is None else [{"path": "m", "url": submodule, "commit": HEX, "tree": HEX}]
    return LockedGitSource.model_validate(row | {"submodules": modules})


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("fd::3", "expected the URL"),
        ("fd::3/x", "expected the URL"),
        ("ext::sh -c x", "expected the URL"),
        ("ssh://-oProxyCommand=x/y", "has no host"),
        ("SSH://-oProxyCommand=x/y", "expected the URL"),
        ("git@-oProxyCommand=x:y", "expected the URL"),
        ("-u@h:x", "expected the URL"),
        ("https://a:secret123@h.invalid/x", "holds a password"),
        ("https://h.invalid/\ud800", "is not UTF-8"),
    ],
)
def test_a_url_that_no_recipe_may_name(url: str, problem: str) -> None:
    for row in ((url, None), ("https://h.invalid/x", url)):
        with pytest.raises(ValidationError, match=problem) as caught:
            source(*row)
        shown = [error["msg"] for error in caught.value.errors()]
        assert not any("secret123" in text for text in shown)


def test_a_submodule_leads_to_this_machine_only_from_it() -> None:
    with pytest.raises(ValidationError, match=r"leads from https://h\.invalid/x to a file of this machine"):
        source("https://h.invalid/x", "/etc")
    assert source("/srv/x", "file:///srv/y").submodules[0].url == "file:///srv/y"


@pytest.mark.parametrize("name", ["ext", "fd"])
def test_nothing_that_the_machine_puts_in_runs_a_command_or_reads_an_open_file(name: str) -> None:
    """`url.fd::3.insteadOf` of its configuration: git itself lets a person use it."""
    told = remote_environment({"GIT_ALLOW_PROTOCOL": f"https:{name}"}, "https://h.invalid/x", True)
    rows = {
        key: told[f"GIT_CONFIG_VALUE_{match[1]}"] for key in told if (match := re.match(r"GIT_CONFIG_KEY_(\d+)", key))
    }
    assert {told[key]: value for key, value in rows.items()}[f"protocol.{name}.allow"] == "never"
    assert told["GIT_ALLOW_PROTOCOL"] == "https"
