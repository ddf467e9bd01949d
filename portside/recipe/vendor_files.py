"""Files of a vendor, as a recipe asks for them: a person brings one, or its URL does."""

from collections.abc import Iterator

from pydantic import Field, model_validator

from portside.common.fields import Origin, ShellLine, Size, Url, WrongAtError
from portside.common.values import FileName, Sha256
from portside.recipe.asked import Brought, Model


class VendorFile(Model):
    """A file of a vendor: a person brings it, or its URL does."""

    file: FileName = Field(
        description="its name in a folder that portside.toml names",
        examples=["Ascend-cann-kernels-910b_8.1.RC1_linux-aarch64.run"],
    )
    origin: Origin | None = Field(
        None, description="for people: where else to get it, or where at all; required without a URL"
    )
    sha256: Sha256 | None = Field(None, description="unknown: what is first seen is locked; see configuration.md")
    size: Size | None = Field(None, description="bytes")
    url: Url | None = Field(None, description="where to download it; default: a person brings it")

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> "VendorFile":
        if self.origin is None and self.url is None:
            raise WrongAtError("this key is missing, and no `url` says where the file comes from", "origin")
        return self

    def brought(self, name: str) -> Iterator[Brought]:
        """Itself. name: no part of where it lies."""
        yield Brought(self.file, self.size, self.sha256, self.origin, self.url)


class EnvInstall(Model):
    """A command of the env layer that installs files of a vendor, such as a .deb or a .run. It runs as root, without a
    network, behind the packages, in the folder where the files lie, which is read-only and no part of the image."""

    run: ShellLine = Field(
        description="the command, one line for /bin/sh; the files are not executable: `sh x.run`",
        examples=["sh Ascend-cann-kernels-910b_8.1.RC1_linux-aarch64.run --quiet --install"],
    )
    files: tuple[VendorFile, ...] = Field(min_length=1, description="the files that it installs")
