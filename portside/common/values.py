"""Values that come from outside as text: each type can hold right values alone, so what has one needs no check.

Indexes, registries, archives, bundles, locks and the store's own records are read by other people's hands as well. A
hash, a file's name, a size, a tag or a URL is made from their text where that is read, by one of these types; what
takes the types, as the store does, cannot be given anything else. `told` turns what is wrong into an error for people.
"""

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from portside.errors import InputError, PortsideError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

_Text = TypeVar("_Text", bound="Text")
_Size = TypeVar("_Size", bound="Size")
_Value = TypeVar("_Value", bound="Text | Size")
_Digest = TypeVar("_Digest", bound="Sha256")

LARGEST = (1 << 63) - 1
"""Bytes that a file can have at most: off_t."""
_LONGEST_SHOWN = 80


class Text(str):
    """Text that PATTERN (of Python and of JSON schema alike) matches as a whole and that has LONGEST characters at
    most; EXPECTED: the same in words. ValueError says what was expected."""

    __slots__ = ()
    PATTERN: ClassVar[str]
    EXPECTED: ClassVar[str]
    LONGEST: ClassVar[int] = 240

    def __new__(cls: type[_Text], value: object) -> _Text:
        if type(value) is cls:
            return value
        if not isinstance(value, str) or len(value) > cls.LONGEST or not re.fullmatch(cls.PATTERN, value):
            raise ValueError(f"expected {cls.EXPECTED}")
        return str.__new__(cls, value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> Any:
        from pydantic import AfterValidator

        return handler.generate_schema(Annotated[str, AfterValidator(cls)])

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        return {**handler(schema), "pattern": cls.PATTERN}


class FileName(Text):
    """One part of a path that can be nothing else: no folder, no `.` or `..`, no blank, no control character.

    It is ASCII, and short enough for a file system (255 bytes) with a word of ours in front. PEP 440's epoch has a '!'.
    """

    __slots__ = ()
    PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+~%:!-]*$"
    EXPECTED = "the name of a file, without folders and blanks, such as 'image-1.0.tar.gz'"


class Word(FileName):
    """A name, a version or the like, which ends up in paths and in command lines."""

    __slots__ = ()
    PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+~:!-]*$"
    EXPECTED = "a word of letters, digits and '._+~:!-', a letter or digit first"


class RecipeName(Word):
    """A recipe's name: it becomes part of paths, image names and the Dockerfile."""

    __slots__ = ()
    PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
    EXPECTED = "a recipe's name: lower-case letters and digits, with single '-' between them"


class Sha256(Word):
    """A sha256 in hex: the name of an input, a blob, a manifest. What names something of ours has a type of its own."""

    __slots__ = ()
    PATTERN = r"^[0-9a-f]{64}$"
    EXPECTED = "a sha256: 64 hex digits in lower case"

    @classmethod
    def of_digest(cls: type[_Digest], value: object) -> _Digest:
        """From `sha256:HEX`, as OCI writes it."""
        if not isinstance(value, str) or not value.startswith("sha256:"):
            raise ValueError("expected sha256: and 64 hex digits")
        return cls(value.removeprefix("sha256:"))


class DiffID(Sha256):
    """The sha256 of an uncompressed layer tar: the identity of a layer or part when it is built."""

    __slots__ = ()


class ImageID(Sha256):
    """The sha256 of an image's config."""

    __slots__ = ()


class Key(Sha256):
    """The sha256 of everything that goes into a layer or part: its identity before it is built."""

    __slots__ = ()


class ObjectName(Word):
    """git's name of a commit or a tree."""

    __slots__ = ()
    PATTERN = r"^[0-9a-f]{40}$"
    EXPECTED = "the full name of a commit: 40 hex digits, no branch and no tag"


class CommitName(Word):
    """git's name of a commit, or its first digits."""

    __slots__ = ()
    PATTERN = r"^[0-9a-f]{7,40}$"
    EXPECTED = "the name of a commit: 7 to 40 hex digits in lower case (`tag` and `branch` have keys of their own)"


class RefName(Text):
    """The name of a branch or tag, without `refs/heads/` or `refs/tags/` in front: by git-check-ref-format(1), and with
    no hyphen first."""

    __slots__ = ()
    PATTERN = r"^(?![-/.]|@$)(?!.*(?:\.\.|//|/\.|@\{|[/.]$|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\\"'$`\ud800-\udfff]+$"
    EXPECTED = "the name of a branch or tag, such as 'v1.0'"


class RepositoryName(Text):
    """The name of a repository of a hub: OWNER/NAME, or the NAME alone of an old one (huggingface_hub,
    utils/_validators.py, validate_repo_id)."""

    __slots__ = ()
    PATTERN = r"^(?!.*(?:--|\.\.|\.git$))[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?$"
    EXPECTED = "the name of a repository, such as 'THUDM/chatglm3-6b'"


class ModelScopeName(RepositoryName):
    """As the above; every repository of ModelScope has an owner."""

    __slots__ = ()
    PATTERN = r"^(?!.*(?:\.\.|\.git$))[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$"
    EXPECTED = "the name of a repository with its owner, such as 'ZhipuAI/chatglm3-6b'"


class TreeName(ObjectName):
    """git's name of a tree: the SHA-1 of all that is in it."""

    __slots__ = ()


class Tag(Text):
    """A tag of a registry (distribution-spec 1.1, "Pulling manifests", <reference>)."""

    __slots__ = ()
    PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"
    EXPECTED = "a tag: up to 128 letters, digits, '.', '_' and '-'"


class ImageAddress(Text):
    """An image of a registry, by tag, by digest, or both (distribution/reference). Without a host: Docker Hub's."""

    __slots__ = ()
    PATTERN = (
        r"^((?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/)?"
        r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$"
    )
    EXPECTED = (
        "an image of a registry with its tag or digest, such as 'ubuntu:22.04' or "
        "'registry.example:5000/team/image:1.0@sha256:…'"
    )
    LONGEST = 512


class BearerToken(Text):
    """What a registry gives to somebody who has logged in; it goes into a header as it is."""

    __slots__ = ()
    PATTERN = r"^[\x21-\x7e]+$"
    EXPECTED = "a token"
    LONGEST = 1 << 16


class ImageName(Text):
    """The name of an image in an engine and in the store's layout, such as `minilm:env`."""

    __slots__ = ()
    PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$"
    EXPECTED = "the name of an image, such as 'debian:12'"
    LONGEST = 255


class Place(Text):
    """Where a file may be had: a path, or a URL without fragment. It holds no control character."""

    __slots__ = ()
    PATTERN = r"^((https?|file)://|(?![^/]*://))[^\x00-\x1f\x7f]+$"
    EXPECTED = "a path, or a URL that begins with https://, http:// or file://"
    LONGEST = 1 << 16


class GitUrl(Text):
    """The URL of a git repository: https://, http://, ssh://, git://, HOST:PATH, file:// or a path."""

    __slots__ = ()
    PATTERN = (
        r"^((?:(?:https?|ssh|git)://|[A-Za-z0-9][A-Za-z0-9._-]*@?[A-Za-z0-9._-]*:(?!:|//))[^\s\x00-\x1f]+"
        r"|(?:file://)?/(?:[^\s\x00-\x1f]| +(?=\S))+)$"
    )
    EXPECTED = "the URL of a git repository: https://, ssh://, git@HOST:PATH or a path"
    LONGEST = 1 << 12


class Size(int):
    """Bytes: a whole number from 0 to LARGEST; no bool."""

    __slots__ = ()

    def __new__(cls: type[_Size], value: object) -> _Size:
        if type(value) is cls:
            return value
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
            raise ValueError("expected a number of bytes")
        return int.__new__(cls, value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> Any:
        from pydantic import AfterValidator, Field

        return handler.generate_schema(Annotated[int, Field(strict=True, ge=0, le=LARGEST), AfterValidator(cls)])


def told(
    kind: type[_Value], value: object, what: str, error: type[PortsideError] = InputError, solution: str | None = None
) -> _Value:
    """A value of `kind` from text that somebody else wrote. what: whose value it is, for the `error` that is raised
    where it cannot be one."""
    try:
        return kind(value)
    except ValueError as problem:
        raise error(f"{what}: {problem}, found {shown_value(value)}", solution) from None


def shown_value(value: object) -> str:
    """A value of any kind as a person may see it: no control characters, not too long."""
    text = ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
