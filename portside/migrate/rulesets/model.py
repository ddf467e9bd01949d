"""The shape of a ruleset file."""

from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from portside.canonical import digest_of

MIGRATOR_VERSION = 1
"""Goes into every ruleset's digest: raise it when the same ruleset would give other bytes than before."""


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Vendor(Model):
    """What the vendor's converter replaces, in its order, and the module that it imports."""

    module: str = Field(alias="import")
    replace: list[tuple[str, str]]
    strict: list[tuple[str, str]]


class Ruleset(Model):
    """suffix: appended to the name of a migrated tree."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    suffix: str = Field(pattern=r"^_[a-z0-9]+$")
    vendor: Vendor | None = None

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) over everything that decides what a migration with this ruleset gives."""
        return digest_of({"migrator": MIGRATOR_VERSION, "ruleset": self.model_dump(mode="json", by_alias=True)})
