"""The kinds of values that recipes are made of; what each expects is said in words, for people who wrote another."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler

from portside.common import values
from portside.common.url import holds_secret

if TYPE_CHECKING:
    import packaging.requirements

BREAKS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
"""For a class of characters: control characters, and all that some program takes for the end of a line."""
LONGEST = 60_000
"""Bytes of a shell line where it is longest, as JSON in CMD: BuildKit reads no line of 64 KiB or more."""


@dataclass(frozen=True)
class Matching:
    """Text that a pattern (of Python and of JSON schema alike) matches as a whole; expected: the same in words."""

    pattern: str
    expected: str

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"expected {self.expected}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(Annotated[str, AfterValidator(self._check)])

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}


class WrongAtError(ValueError):
    """A mistake that only shows when several keys are seen together.

    at: the keys, below those of the model that noticed it, that lead to the one which a person would correct.
    """

    def __init__(self, problem: str, *at: str | int) -> None:
        super().__init__(problem)
        self.at = at


def one_of(choose: Callable[[Any], str | None], expected: str) -> Discriminator:
    """Which of several tagged kinds a value is meant to be, so that its mistakes are told of that kind alone.

    choose: gives the tag, or None for a value that is none of them. expected: what would be, in words.
    """
    return Discriminator(choose, custom_error_type="one_of", custom_error_message=f"expected {expected}")


def _relative(value: str) -> str:
    if value.startswith("/") or any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError("expected a path below the folder, without '..', '.' or a leading '/'")
    return _plain(value)


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("expected an absolute path in the image")
    _relative(value[1:])
    if value != value.rstrip():
        raise ValueError("expected an absolute path without blanks at its end")  # WORKDIR takes them away
    return value


def _search_folder(value: str) -> str:
    if ":" in _absolute(value):
        raise ValueError("expected a folder without ':', which stands between the folders of PATH")
    return value


def _plain(value: str) -> str:
    if re.search(rf"[{BREAKS}\ud800-\udfff\"'\\$`]", value):
        raise ValueError("expected no quotes, backslashes, '$', line breaks or control characters")
    return value


def _one_line(value: str) -> str:
    """Text for people, in any language: nothing but a line's end or a control character has a meaning to anybody."""
    if re.search(rf"[{BREAKS}\ud800-\udfff]", value):
        raise ValueError("expected one line, without control characters")
    return value


def _shell_line(value: str) -> str:
    """A line that `RUN` of every Dockerfile frontend gives to `/bin/sh -c` as it is, and that the shell executes.

    The rules are those of BuildKit (frontend/dockerfile/parser) and of Podman (openshift/imagebuilder), old and new.
    """
    if re.search(rf"(?!\t)[{BREAKS}\ud800-\udfff]", value) or value.rstrip().endswith("\\") or "<<" in value:
        raise ValueError("expected one shell line: no line breaks, no trailing backslash, no here-documents")
    line = value.strip(" \t")
    if not line:
        raise ValueError("expected a command")
    if line != line.strip():
        raise ValueError("expected no wide or unbreakable blanks at the ends of a shell line")
    if line[0] in "-+":
        raise ValueError("expected a command: what begins with '-' or '+' is an option, of RUN or of the shell")
    if _begins_with_json(line):
        raise ValueError("expected a shell line: an array of JSON is executed without a shell; write `test` for `[`")
    if len(json.dumps(value)) > LONGEST:
        raise ValueError(f"expected at most {LONGEST} bytes; put a long script into a file of the recipe's folder")
    return value


def _begins_with_json(line: str) -> bool:
    """Whether a line begins with an array of JSON: some frontends do not look at what stands behind it."""
    if not line.startswith("["):
        return False
    try:
        json.JSONDecoder().raw_decode(line)
    except ValueError:
        return False
    except RecursionError:
        pass
    return True


@cache
def parsed(requirement: str) -> "packaging.requirements.Requirement":
    """A requirement of PEP 508, read once in a run. Raises InvalidRequirement."""
    from packaging.requirements import Requirement

    return Requirement(requirement)


def _requirement(value: str) -> str:
    from packaging.requirements import InvalidRequirement

    try:
        if parsed(value).url:
            raise ValueError("expected a name with a version range, not a URL")
    except InvalidRequirement:
        raise ValueError("expected a requirement such as 'numpy>=1.24,<2'") from None
    return value


def _exact(value: str) -> str:
    specifiers = list(parsed(_requirement(value)).specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or "*" in specifiers[0].version:
        raise ValueError("expected one exact version, such as 'transformers==4.27.4'")
    return value


def _wheel(value: values.FileName) -> values.FileName:
    if not value.endswith(".whl"):
        raise ValueError("expected the file name of a wheel, such as 'cndsp-0.8.0-py3-none-any.whl'")
    return value


def _version_range(value: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(_plain(value))
    except InvalidSpecifier:
        raise ValueError("expected a version range such as '>=5.10.10'") from None
    return value


def _public(value: str) -> str:
    """A recipe and its lock are committed, and shown to everybody."""
    if holds_secret(value):
        raise ValueError(
            "a password, token or signature must not stand in a recipe: leave it to ~/.netrc, git's credential helper, "
            "`docker login` or a mirror in portside.toml"
        )
    return value


def _public_repository(value: str) -> str:
    _public(value if "://" in value else f"https://{value}")
    return value


Relative = Annotated[str, AfterValidator(_relative)]
Absolute = Annotated[str, AfterValidator(_absolute)]
SearchFolder = Annotated[str, AfterValidator(_search_folder)]
Program = Annotated[
    str,
    Matching(
        r"^(/(?!\.{1,2}(/|$))[A-Za-z0-9._+@-]+)+$",
        "an absolute path in the image, of letters, digits and '._+@-', such as '/opt/venv/bin/python'",
    ),
]
"""What a command line and PATH name as it is."""
ScriptLine = Annotated[
    str,
    Matching(
        r"^(/(?!\.{1,2}(/|$))[A-Za-z0-9._+@-]+)+( [A-Za-z0-9._+@=:,/-]+)*$",
        "the absolute path of a script in the image, with arguments behind it or none, such as '/opt/x/set_env.sh'",
    ),
]
Plain = Annotated[str, AfterValidator(_plain)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Origin = Annotated[OneLine, AfterValidator(_public)]
ShellLine = Annotated[str, AfterValidator(_shell_line)]
Requirement = Annotated[str, AfterValidator(_requirement)]
Exact = Annotated[str, AfterValidator(_exact)]
WheelName = Annotated[values.FileName, AfterValidator(_wheel)]
VersionRange = Annotated[str, AfterValidator(_version_range)]
Name = Annotated[
    str,
    Matching(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "a name of letters, digits, '.', '_' and '-', without blanks or slashes"),
]
Variable = Annotated[
    str, Matching(r"^[A-Za-z_][A-Za-z0-9_]*$", "a variable's name of letters, digits and '_', no digit first")
]
DebianPackage = Annotated[
    str,
    Matching(
        r"^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$",
        "the name of a Debian package, with =VERSION behind it if only that will do, such as 'python3-pip'",
    ),
]
Suite = Annotated[str, Matching(r"^[a-z][a-z-]*$", "the code name of a Debian release, such as 'bookworm'")]
PythonVersion = Annotated[str, Matching(r"^3\.[0-9]+$", "a version of Python 3 without a patch level, such as '3.11'")]
WheelPlatform = Annotated[
    str,
    Matching(r"^(x86_64|aarch64)-manylinux[0-9_]+$", "a platform such as 'x86_64-manylinux_2_28'"),
]
Size = Annotated[values.Size, Field(description="bytes")]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Url = Annotated[
    str,
    Matching(r"^https?://[^\s\"'\\$`]+$", "a URL that begins with https:// or http://"),
    AfterValidator(_public),
]
GitUrl = Annotated[
    str,
    Matching(
        r"^(https://|ssh://|git@|file://)[^\s\"'\\$`]+$",
        "the URL of a git repository: it begins with https://, ssh://, git@ or file://",
    ),
    AfterValidator(_public),
]
Repository = Annotated[
    str,
    Matching(
        r"^(https?://)?[^\s/\"'\\$`]+/[^\s\"'\\$`]+$", "HOST[:PORT]/REPOSITORY, such as 'registry.example:5000/models'"
    ),
    AfterValidator(_public_repository),
]
_PREFIX = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._/-]*)?$"
RegistryPrefix = Annotated[
    str, Matching(f"^{_PREFIX}", "HOST[:PORT], or that and the beginning of a repository's name, without a scheme")
]
RegistryMirror = Annotated[
    str, Matching(f"^(https?://)?{_PREFIX}", "HOST[:PORT] or HOST[:PORT]/PATH, with http:// in front if it has no TLS")
]
Description = Annotated[
    str,
    Matching(rf"^[^{BREAKS}]{{1,200}}$", "one line of up to 200 characters"),
    AfterValidator(_one_line),
]
FileMode = Literal["0644", "0755"]
