"""What an image is built on, as a recipe asks for it: a model for each kind."""

from typing import Any, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from portside.common.fields import (
    DebianPackage,
    Suite,
    WrongAtError,
)
from portside.common.kinds import Kinds
from portside.common.values import ImageAddress
from portside.recipe.asked import AskedBase, Downloaded, Manual, Model

BASES = Kinds()
"""What can be asked for, by kind: each model below is in it, and nothing else names them all."""


@BASES.add
class Debian(Downloaded):
    """A minimal Debian, made from the .debs of the suite's main archive."""

    kind: ClassVar[str] = "debian"
    takes_packages: ClassVar[bool] = True
    suite: Suite = Field(examples=["bookworm"])
    architecture: Literal["amd64", "arm64"] = "amd64"
    include: tuple[DebianPackage, ...] = Field((), description="packages beyond the essential ones and apt")


@BASES.add
class Archive(Manual):
    """An image that a vendor hands out: a file of `docker save` or an OCI archive, compressed or not, or a folder with
    an OCI layout. Which of them it is, is found out."""

    kind: ClassVar[str] = "archive"
    takes_packages: ClassVar[bool] = True
    architecture: Literal["amd64", "arm64"] = "amd64"


@BASES.add
class RegistryImage(Downloaded):
    """An image in a registry; or just its address, as text. `lock` asks what its tag stands for, `lock --update base`
    asks again. With `@sha256:…` behind it nobody asks for the tag."""

    kind: ClassVar[str] = "image"
    takes_packages: ClassVar[bool] = True
    image: ImageAddress = Field(
        description="[HOST[:PORT]/]REPOSITORY:TAG, with @sha256:… behind or in place of the tag; without a host Docker "
        "Hub's",
        examples=["ubuntu:22.04"],
    )
    architecture: Literal["amd64", "arm64"] = Field("amd64", description="which of its images, where it has several")

    @model_validator(mode="before")
    @classmethod
    def _address(cls, value: Any) -> Any:
        if not isinstance(value, str | dict | cls):
            raise ValueError(f"expected {ImageAddress.EXPECTED}")
        return {"image": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        model = handler.resolve_ref_schema(handler(schema))
        return model | {"type": ["object", "string"], "pattern": ImageAddress.PATTERN}


class Base(Model):
    """What the image is built on: one of these."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_beside(cls, value: Any) -> Any:
        if isinstance(value, dict) and "architecture" in value:
            raise WrongAtError(
                "stands with the base's own keys, such as image: {image: 'ubuntu:22.04', architecture: arm64}",
                "architecture",
            )
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> "Base":
        if sum(value is not None for _, value in self) != 1:
            raise ValueError(f"expected either {' or '.join(name for name, _ in self)}")
        return self

    @property
    def chosen(self) -> AskedBase:
        """The one."""
        [asked] = [value for _, value in self if value is not None]
        return asked  # type: ignore[no-any-return]

    @property
    def architecture(self) -> str:
        return self.chosen.architecture
