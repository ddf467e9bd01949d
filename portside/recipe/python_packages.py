"""Python packages, as a recipe asks for them."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, Tag, field_serializer, model_validator

from portside.common.canonical import sha256_hex
from portside.common.fields import (
    Name,
    Plain,
    Program,
    PythonVersion,
    Relative,
    Requirement,
    Url,
    WheelName,
    WheelPlatform,
    WrongAtError,
    one_of,
    parsed,
)
from portside.common.sparing import Sparing
from portside.recipe.asked import Model
from portside.recipe.vendor_files import VendorFile

if TYPE_CHECKING:
    from typing import TypeGuard


class ManualWheel(Sparing, VendorFile):
    """A wheel of a vendor: a person brings it, or its URL does."""

    later: ClassVar[frozenset[str]] = frozenset({"url"})
    file: WheelName = Field(
        description="its name in that folder; where that says no version as wheels have it, `lock` reads name and "
        "version in the file",
        examples=["flash_attn-2.1.1_mlu-cp310-cp310-linux_x86_64.whl"],
    )


class RequirementsFile(Model):
    """The requirements file of a source, as upstream has it at the locked commit."""

    source: Relative = Field(
        alias="from", description="a source and the path in it", examples=["ChatGLM2-6B/requirements.txt"]
    )
    without: tuple[Plain, ...] = Field(
        (),
        description="what is left out: names of packages, options (`--extra-index-url`), or what a line without a name "
        "says (`-e .`)",
        examples=[["torch"]],
    )

    @property
    def reads(self) -> str:
        return self.source

    @property
    def shown(self) -> str:
        """What locks and messages call it."""
        return self.source


class NeedsOf(Model):
    """What a source that a step of `install` installs needs, by its pyproject.toml, PKG-INFO, setup.cfg or setup.py."""

    source: Relative = Field(
        alias="needs-of", description="a source, or a folder in it that has a Python project", examples=["transformers"]
    )
    extras: tuple[Name, ...] = Field((), description="with what these extras of it need", examples=[["sentencepiece"]])
    without: tuple[Name, ...] = Field((), description="names of packages that are left out", examples=[["torch"]])
    recorded: bool = Field(
        False,
        strict=True,
        description="where its setup.py computes what it needs: take what was noted when its sdist was made",
    )

    @property
    def reads(self) -> str:
        return self.source

    @property
    def shown(self) -> str:
        """What locks and messages call it."""
        return f"needs of {self.source}"


def _requirement_kind(value: Any) -> str | None:
    if isinstance(value, RequirementsFile | NeedsOf):
        return "a file" if isinstance(value, RequirementsFile) else "a project"
    if not isinstance(value, dict):
        return "text"
    return "a file" if "from" in value else "a project" if "needs-of" in value else None


AnyRequirement = Annotated[
    Annotated[Requirement, Tag("text")]
    | Annotated[RequirementsFile, Tag("a file")]
    | Annotated[NeedsOf, Tag("a project")],
    one_of(_requirement_kind, "a requirement such as 'numpy>=1.24', or a mapping with from or needs-of"),
]


class ToBuild(Model):
    """A package of which only a source distribution is to be had, and what building it needs beside what it says."""

    sdist: Requirement = Field(examples=["torch-scatter==2.1.2"])
    needs: tuple[Requirement, ...] = Field(
        (), description="what its build needs and its pyproject.toml does not say", examples=[["ninja"]]
    )


def _build_kind(value: Any) -> str:
    return "a mapping" if isinstance(value, dict | ToBuild) else "text"


AnyToBuild = Annotated[
    Annotated[Requirement, Tag("text")] | Annotated[ToBuild, Tag("a mapping")],
    one_of(_build_kind, "a requirement such as 'jieba==0.42.1', or a mapping with sdist and needs"),
]


class FindLinks(Model):
    """A page that names files of packages, as pip's --find-links."""

    page: Url = Field(alias="find-links")


def _is_name(index: "str | FindLinks") -> "TypeGuard[str]":
    return isinstance(index, str) and "/" not in index


def _digest(index: "str | FindLinks") -> str:
    place = index.page if isinstance(index, FindLinks) else index
    kind = "page" if isinstance(index, FindLinks) else "index"
    return f"{kind} of sha256 {sha256_hex(place.encode())[:16]}"


def _index_kind(value: Any) -> str:
    if isinstance(value, dict | FindLinks):
        return "a page"
    return "a URL" if isinstance(value, str) and "/" in value else "a name"


AnyIndex = Annotated[
    Annotated[Name, Tag("a name")] | Annotated[Url, Tag("a URL")] | Annotated[FindLinks, Tag("a page")],
    one_of(_index_kind, "the name of an index in portside.toml, the URL of one, or a mapping with find-links"),
]


class Python(Sparing, Model):
    """Python packages, installed as locked wheels with an interpreter of the image."""

    later: ClassVar[frozenset[str]] = frozenset({"interpreter", "replace", "build", "indexes"})
    interpreter: Program | None = Field(
        None,
        description="an interpreter of the base, such as that of its virtual environment or conda prefix: version, "
        "platform and what it has installed are read from the base; wheels go where it looks for them, and its folder "
        "in front of PATH; see bases.md. Default: the python3 that PATH finds",
        examples=["/torch/venv3/pytorch/bin/python"],
    )
    version: PythonVersion | None = Field(
        None,
        description="version of the image's interpreter; quote it; default: that of `interpreter`",
        examples=["3.11"],
    )
    platform: WheelPlatform | None = Field(
        None,
        description="the newest platform whose wheels the image can load; default: what the base of `interpreter` has, "
        "else manylinux_2_28 on the base's architecture",
        examples=["x86_64-manylinux_2_28"],
    )
    requirements: tuple[AnyRequirement, ...] = Field(
        (),
        description="what to install, with all that it needs; see packages.md",
        examples=[["numpy>=1.24,<2", {"from": "demo/requirements.txt", "without": ["torch"]}]],
    )
    given: dict[Name, Plain] = Field(
        {},
        description="packages that the base has already, with their versions; they satisfy requirements and are not "
        "installed again. With `interpreter` the base tells them by itself, and what stands here is compared",
        examples=[{"torch": "1.9.0"}],
    )
    replace: tuple[Name, ...] = Field(
        (),
        description="packages that the base of `interpreter` has, and that a wheel of another version may replace",
        examples=[["numpy"]],
    )
    manual: tuple[ManualWheel, ...] = Field(
        (), description="wheels that a person or a URL brings; name what they need among the requirements"
    )
    build: tuple[AnyToBuild, ...] = Field(
        (),
        description="packages whose source distribution is built in the env layer, in this order; see packages.md",
        examples=[["jieba==0.42.1"]],
    )

    indexes: dict[Name, AnyIndex] = Field(
        {},
        description="packages that come from one index alone, which no other package comes from: its name in "
        "portside.toml, its URL, or {find-links: URL}; see packages.md",
        examples=[{"torch": "cpu"}],
    )

    @field_serializer("indexes", when_used="json")
    def _without_places(self, indexes: dict[str, str | FindLinks]) -> dict[str, str]:
        """What a lock keeps: a name, or that it is another URL, but not which."""
        return {package: index if _is_name(index) else _digest(index) for package, index in indexes.items()}

    @property
    def to_build(self) -> tuple[ToBuild, ...]:
        """The packages to build, in their order."""
        return tuple(ToBuild(sdist=item) if isinstance(item, str) else item for item in self.build)

    @property
    def read(self) -> tuple[RequirementsFile | NeedsOf, ...]:
        """The requirements that stand in sources."""
        return tuple(item for item in self.requirements if not isinstance(item, str))

    @property
    def written(self) -> tuple[str, ...]:
        """The requirements that stand in the recipe."""
        return tuple(item for item in self.requirements if isinstance(item, str))

    @property
    def sources(self) -> frozenset[str]:
        """The names of the sources that are read."""
        return frozenset(item.reads.partition("/")[0] for item in self.read)

    @model_validator(mode="after")
    def _version_is_known(self) -> "Python":
        if self.interpreter is None and self.version is None:
            raise WrongAtError(
                "this key is missing, and no `interpreter` of the base tells it; for example version: '3.11'", "version"
            )
        if self.interpreter is None and self.replace:
            raise ValueError("`replace` is for packages that the base of an `interpreter` has, and there is none")
        return self

    @model_validator(mode="after")
    def _read_once(self) -> "Python":
        seen: set[str] = set()
        for number, item in enumerate(self.requirements):
            if not isinstance(item, str):
                if item.shown in seen:
                    raise WrongAtError(f"{item.shown} stands twice", "requirements", number)
                seen.add(item.shown)
        names = [parsed(item.sdist).name.lower() for item in self.to_build]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise WrongAtError(f"{name} stands twice", "build", number)
        return self
