"""The steps of a recipe's `patches:` list. A step is a mapping with the key of exactly one kind in it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from portside.common.globs import check_glob
from portside.common.tree import check_path
from portside.errors import InputError
from portside.patches.python import check_definition, single_import


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected text; it has lone surrogates, which no file can hold") from None
    return text.replace("\r\n", "\n")


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("expected one line, without line breaks")
    return text


def _clean(path: str) -> str:
    try:
        return check_path(path)
    except InputError:
        raise ValueError("expected a relative path, without '..', '.' and without a leading or double '/'") from None


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_encodable)]
Line = Annotated[Text, AfterValidator(_one_line)]
RelativePath = Annotated[Text, AfterValidator(_clean)]
Globs = Annotated[
    tuple[Annotated[Text, AfterValidator(check_glob)], ...],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]
Count = Annotated[int, Field(strict=True, ge=1)]
RegexOption = Literal["dotall", "ignorecase", "verbose"]

FILES = Field(
    description="one path glob or a list of them, relative to the workspace (a migrated source is SOURCE with the "
    "ruleset's suffix, one that is not migrated SOURCE); each must match a file",
    examples=["ChatGLM-6B_mlu/**/*.py"],
)
COUNT = Field(
    description="how many places the step must change, over all files together; another number stops the build"
)


class _Step(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    kind: ClassVar[str]

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)] | None = Field(
        None, description="what the step is for; shown in errors and reports"
    )

    @property
    def title(self) -> str:
        """The step's name, or else its kind and the beginning of what it looks for."""
        if self.name is not None:
            return self.name
        subject = " ".join(self._subject().split())
        return f"{self.kind} {subject if len(subject) <= 60 else subject[:59] + '…'}"

    @abstractmethod
    def _subject(self) -> str:
        """What the step looks for, as its title shows it."""


class Replace(_Step):
    """Replace a text, or what a regular expression matches. A place is one match; matches do not overlap."""

    kind: ClassVar[str] = "replace"

    replace: Annotated[str, Field(min_length=1), AfterValidator(_encodable)] = Field(
        description="the text as it stands in the file, of one or several lines; a pattern if `regex` is true"
    )
    new: Text = Field(alias="with", description="what it becomes; with `regex`, \\1 and \\g<name> stand for groups")
    regex: bool = Field(
        False, strict=True, description="`replace` is a Python regular expression in which ^ and $ match at every line"
    )
    options: tuple[RegexOption, ...] = Field(
        (), description="for `regex`: dotall (. matches line ends), ignorecase, verbose (white space and # comments)"
    )
    files: Globs = FILES
    count: Count = COUNT

    def _subject(self) -> str:
        return self.replace

    def pattern(self) -> re.Pattern[str]:
        flags = re.MULTILINE
        for option in self.options:
            flags |= {"dotall": re.DOTALL, "ignorecase": re.IGNORECASE, "verbose": re.VERBOSE}[option]
        return re.compile(self.replace, flags)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Replace":
        if self.regex:
            _check_regex(self.pattern, self.new)
        elif self.options:
            raise ValueError("`options` need `regex: true`")
        elif self.replace == self.new:
            raise ValueError("`with` is the same text as `replace`; the step would change nothing")
        return self


class Block(BaseModel):
    """The lines of a block to comment out. Lines are compared without the white space around them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    first: Line = Field(description="the block's first line")
    last: Line | None = Field(None, description="the block's last line; default: the first line alone")
    then: Text | None = Field(None, description="lines that follow the block, indented like its first line")
    marker: Annotated[str, Field(pattern=r"^\S+$"), AfterValidator(_encodable)] | None = Field(
        None, description="what makes a line a comment, for files of a kind that Portside does not know", examples=["#"]
    )

    @field_validator("first", "last")
    @classmethod
    def _not_blank(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("expected a line that is not blank")
        return value


class CommentOut(_Step):
    """Comment out a block of lines. A place is one block."""

    kind: ClassVar[str] = "comment-out"

    block: Block = Field(alias="comment-out")
    files: Globs = FILES
    count: Count = COUNT

    def _subject(self) -> str:
        return self.block.first


class Define(_Step):
    """Put a definition where something is imported. A place is one import statement."""

    kind: ClassVar[str] = "define"

    define: Line = Field(
        description="the import of one name; other names that the statement imports stay imported",
        examples=["from torch.nn.utils import skip_init"],
    )
    definition: Text = Field(alias="as", description="the Python code that defines the name")
    files: Globs = FILES
    count: Count = COUNT

    def _subject(self) -> str:
        return self.define

    @field_validator("define")
    @classmethod
    def _one_import(cls, value: str) -> str:
        single_import(value)
        return value

    @model_validator(mode="after")
    def _defines_it(self) -> "Define":
        check_definition(self.define, self.definition)
        return self


class SetLine(_Step):
    """Change whole lines. A place is one line."""

    kind: ClassVar[str] = "set-line"

    before: Line = Field(
        alias="set-line",
        description="the whole line as it must be before, exactly; a pattern for it if `regex` is true",
    )
    to: Line = Field(description="what the line becomes; with `regex`, \\1 and \\g<name> stand for groups")
    at: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="only the line with this number, from 1; default: every line that is as `set-line` says"
    )
    regex: bool = Field(False, strict=True, description="`set-line` is a Python regular expression for the whole line")
    files: Globs = FILES
    count: Count = COUNT

    def _subject(self) -> str:
        return self.before

    @model_validator(mode="after")
    def _makes_sense(self) -> "SetLine":
        if self.regex:
            _check_regex(lambda: re.compile(self.before), self.to)
        elif self.before == self.to:
            raise ValueError("`to` is the same line as `set-line`; the step would change nothing")
        return self


class Diff(_Step):
    """Apply a unified diff. A place is a hunk; a file that is created, deleted, renamed, copied or given another mode
    without a hunk is a place too."""

    kind: ClassVar[str] = "diff"

    diff: RelativePath = Field(description="the diff's path below the recipe's folder", examples=["fix-loader.patch"])
    folder: RelativePath | None = Field(
        None,
        description="the folder that the diff's paths are in; default: the workspace",
        examples=["ChatGLM-6B_mlu"],
    )
    strip: Annotated[int, Field(strict=True, ge=0, le=20)] = Field(
        1, description="how many leading parts of the diff's paths to drop: 1 for the a/ and b/ of git"
    )
    files: Globs | None = Field(
        None, description="path globs that every path in the diff must match; default: no limit"
    )
    count: Count = COUNT

    def _subject(self) -> str:
        return self.diff


class Copy(_Step):
    """Copy a file of the recipe's folder. It changes one place: the file that it writes."""

    kind: ClassVar[str] = "copy"

    copy_: RelativePath = Field(alias="copy", description="the file's path below the recipe's folder")
    to: RelativePath = Field(description="its path in the workspace", examples=["ChatGLM-6B_mlu/ptuning/train_mlu.sh"])
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] | None = Field(
        None,
        description="permission bits, quoted; default: 0755 if the recipe's file is executable, else 0644",
        examples=["0755"],
    )
    overwrite: bool = Field(
        False, strict=True, description="false: there must be no such file before; true: there must be one"
    )

    def _subject(self) -> str:
        return f"{self.copy_} to {self.to}"


class Delete(_Step):
    """Delete files and links. A place is one of them; a folder with nothing left in it goes too."""

    kind: ClassVar[str] = "delete"

    delete: Globs = Field(description="one path glob or a list of them, relative to the workspace")
    count: Count = COUNT

    def _subject(self) -> str:
        return ", ".join(self.delete)


TextStep = Replace | CommentOut | Define | SetLine
KINDS: tuple[type[_Step], ...] = (Replace, CommentOut, Define, SetLine, Diff, Copy, Delete)


def _check_regex(compile_it: Callable[[], re.Pattern[str]], new: str) -> None:
    try:
        compile_it().sub(new, "")
    except (re.error, IndexError, OverflowError) as error:
        raise ValueError(f"not a valid regular expression or replacement: {error}") from None


def _kind_of(value: Any) -> str | None:
    if isinstance(value, _Step):
        return value.kind
    found = [kind.kind for kind in KINDS if isinstance(value, dict) and kind.kind in value]
    return found[0] if len(found) == 1 else None


Step = Annotated[
    Annotated[Replace, Tag("replace")]
    | Annotated[CommentOut, Tag("comment-out")]
    | Annotated[Define, Tag("define")]
    | Annotated[SetLine, Tag("set-line")]
    | Annotated[Diff, Tag("diff")]
    | Annotated[Copy, Tag("copy")]
    | Annotated[Delete, Tag("delete")],
    Discriminator(
        _kind_of,
        custom_error_type="patch_step",
        custom_error_message=f"expected a mapping with exactly one of: {', '.join(kind.kind for kind in KINDS)}",
    ),
]
"""One step of a recipe's `patches:` list."""
