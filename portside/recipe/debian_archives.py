"""Archives of Debian packages beside the distribution's own, as a recipe asks for them."""

from typing import Annotated

from pydantic import Field, model_validator

from portside.common.fields import Matching, Relative, Url, WrongAtError
from portside.recipe.asked import Model

Component = Annotated[
    str, Matching(r"^[a-z0-9][a-z0-9+./-]*$", "a component of an archive, such as 'universe' or 'non-free'")
]
ArchiveSuite = Annotated[
    str,
    Matching(
        r"^([A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*)?/?$",
        "a suite such as 'jammy', or a folder with a slash at the end where the archive has no suites: '/'",
    ),
]


class DebianArchive(Model):
    """An archive of a vendor's own: signed, and no other's packages are trusted by its key."""

    url: Url | None = Field(
        None,
        description="its root, the folder that has dists/; default: `archives` in portside.toml says, which counts "
        "first anyhow",
        examples=["https://vendor.example/apt"],
    )
    suite: ArchiveSuite = Field(
        description="its suite; with a slash at the end a folder below the root, of an archive without suites",
        examples=["jammy", "/"],
    )
    components: tuple[Component, ...] = Field((), description="default: main; none where there are no suites")
    key: Relative = Field(
        description="a keyring in the recipe's folder, armoured or not: its keys sign the archive",
        examples=["vendor.asc"],
    )

    @model_validator(mode="after")
    def _no_components_of_a_folder(self) -> "DebianArchive":
        if self.is_flat and self.components:
            raise WrongAtError("a folder, with a slash at the end of `suite`, has no components", "components")
        if not self.suite:
            raise WrongAtError("expected a suite, or '/' for the root itself", "suite")
        return self

    @property
    def is_flat(self) -> bool:
        """Whether it has no suites: Packages and Release lie in one folder."""
        return self.suite.endswith("/")
