"""What a recipe leaves out of the lists of the one that it extends."""

from typing import Annotated

from pydantic import Field

from portside.common.fields import Name, OneLine
from portside.recipe.asked import Model

Items = Annotated[tuple[OneLine, ...], Field(min_length=1)]


class WithoutPython(Model):
    """Python packages that are left out."""

    requirements: Items | None = Field(
        None, description="names of packages, or what an item reads", examples=[["gradio", "demo/requirements.txt"]]
    )
    manual: Items | None = Field(None, description="file names of wheels")


class WithoutEnv(Model):
    """What is left out of the env layer, which is not shared with the other recipe then."""

    debian: Items | None = Field(None, description="names of Debian packages")
    components: Items | None = Field(None, description="components of the distribution's archive")
    python: WithoutPython | None = None
    install: Items | None = Field(None, description="the lines of commands, as they stand there")
    files: Items | None = Field(None, description="their paths in the image (`to`)")
    path: Items | None = Field(None, description="folders")


class WithoutMigration(Model):
    """Sources that are left out of the migration; they stay as they are."""

    sources: Items | None = Field(None, description="their names")


class Without(Model):
    """Items of lists of the recipe that this one extends, which it leaves out, each by its name."""

    env: WithoutEnv | None = None
    migration: WithoutMigration | None = None
    patches: Items | None = Field(None, description="names of steps", examples=[["torch is the base image's"]])
    files: Items | None = Field(None, description="their paths below the workspace (`to`)")
    install: Items | None = Field(None, description="the lines of steps, as they stand there")
    checks: Items | None = Field(None, description="their files")
    weights: dict[Name, Items] = Field({}, description="by set of weights, the paths of files")
