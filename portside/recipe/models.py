"""The recipe format, defined only here: parsing, errors, the JSON schema and docs/recipe.md come from these models."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Tag, model_validator

from portside.common.fields import (
    Absolute,
    DebianPackage,
    Description,
    FileMode,
    Name,
    OneLine,
    Plain,
    Port,
    Relative,
    Repository,
    ScriptLine,
    SearchFolder,
    ShellLine,
    Url,
    Variable,
    VersionRange,
    WrongAtError,
    one_of,
)
from portside.common.globs import matches
from portside.common.kinds import Kinds, OneKey
from portside.common.values import RecipeName
from portside.patches.steps import Globs, Step
from portside.recipe.asked import AskedData, AskedSource, AskedWeights, Brought, Manual, Model
from portside.recipe.bases import BASES, Base
from portside.recipe.debian_archives import Component, DebianArchive
from portside.recipe.python_packages import Python, RequirementsFile
from portside.recipe.sources import SOURCES
from portside.recipe.vendor_files import EnvInstall, VendorFile
from portside.recipe.weights import WEIGHTS
from portside.recipe.without import Without

DATA = Kinds()
"""What data sets can be asked for, by kind: each model below is in it, and nothing else names them all."""


LAYERS = ("env", "sources", "migrated", "weights")


WHEEL_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What the platforms of wheels call the architecture of a base."""


class Accelerator(Model):
    """The card that the ported model runs on, and the host's driver for it."""

    name: Name = Field(examples=["mlu370"])
    driver: VersionRange | None = Field(
        None, description="range of versions of the host's driver", examples=[">=5.10.10"]
    )
    variant: Name | None = Field(
        None,
        description="the chips it is for, a variant of the accelerator; default: those of the host that runs it",
        examples=["310p"],
    )


class File(Model):
    """A file of the recipe's folder that goes into the image, or a folder of such files."""

    source: Relative = Field(
        alias="from", description="path below the recipe's folder; a folder stands for all files that are in it"
    )
    to: str
    mode: FileMode = Field(
        "0644", description="its permissions in the image; of a folder's files default: 0755 for those that may execute"
    )


class EnvFile(File):
    """A file of the recipe's folder, or a folder of files, put at an absolute path."""

    to: Absolute = Field(description="its path in the image")


class MigratedFile(File):
    """A file of the recipe's folder, or a folder of files, put below the workspace."""

    to: Relative = Field(description="its path below the workspace")


class Env(Model):
    """The env layer: packages, files and environment variables on top of the base.

    A recipe that extends another adds its packages and files on top of the other's, as layers of their own.
    """

    debian: tuple[DebianPackage, ...] = Field((), description="Debian packages; what they need comes along")
    components: tuple[Component, ...] = Field(
        (),
        description="components of the distribution's archive that count, such as `[main, universe, multiverse]`; "
        "default: main, of Ubuntu main and universe",
    )
    archives: dict[Name, DebianArchive] = Field(
        {}, description="archives of vendors that have Debian packages beside the distribution's; see bases.md"
    )
    python: Python | None = None
    install: tuple[EnvInstall, ...] = Field(
        (), description="commands that install files of a vendor, such as a .deb or a .run; see bases.md"
    )
    files: tuple[EnvFile, ...] = Field((), description="files of the recipe's folder, such as settings")
    path: tuple[SearchFolder, ...] = Field((), description="folders in front of the base's PATH")
    activate: tuple[ScriptLine, ...] = Field(
        (),
        description="scripts of the base, with arguments or none, that people source before they work: `lock` runs "
        "them in an engine, and what they set becomes variables of the image; see bases.md",
        examples=[["/usr/local/Ascend/ascend-toolkit/set_env.sh"]],
    )
    variables: dict[Variable, Plain] = Field({}, description="environment variables of the image")

    @model_validator(mode="after")
    def _files_once(self) -> "Env":
        """Two recipes of a chain may name one file, a recipe names it once: its hash is known by its name."""
        known: dict[str, VendorFile] = {}
        for number, step in enumerate(self.install):
            for place, file in enumerate(step.files):
                if known.setdefault(file.file, file) != file:
                    raise WrongAtError(
                        f"{file.file} is said to be something else further up", "install", number, "files", place
                    )
        return self


class Migration(Model):
    """Rewriting CUDA code for the accelerator. The result stands beside the source, with the ruleset's suffix."""

    ruleset: Name = Field(examples=["mlu"])
    mode: Literal["precise", "vendor", "image"] = Field(
        "precise",
        description="precise: token and import aware; vendor: as torch_gpu2mlu.py, line by line; image: by the "
        "converter that lies in the base image",
    )
    strict: bool = Field(
        False, strict=True, description="the vendor's -s, in vendor and image mode: also CUDA, gpu and GPU"
    )
    converter: Absolute | None = Field(
        None,
        description="for image mode: where the converter lies in the image; default: where the ruleset says",
        examples=["/torch/src/catch/tools/torch_gpu2mlu.py"],
    )
    sources: tuple[Name, ...] = Field(min_length=1, description="the sources to migrate")
    extend: dict[str, Any] = Field(
        {}, description="changes to the ruleset: `framework`, `suffix`, `add` (rules), `remove` (ids); see rulesets.md"
    )
    accept: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        {},
        description="unsupported places that may stay: the name of the call, or a rule's id, and the reason; "
        "any other stops the build",
        examples=[{"torch.cuda.ipc_collect": "only called where several processes share a card"}],
    )

    @model_validator(mode="after")
    def _modes_agree(self) -> "Migration":
        if self.converter is not None and self.mode != "image":
            raise ValueError(f"`converter` is for mode 'image', and the mode is '{self.mode}'")
        if self.strict and self.mode == "precise":
            raise ValueError("`strict` is for the modes 'vendor' and 'image'")
        return self


@DATA.add
class Data(Manual):
    """A data set that a run target reads: an archive as those of sources, unpacked (without the one folder that holds
    everything, if there is one) and mounted read-only, no part of the image."""

    kind: ClassVar[str] = "file"
    url: Url | None = Field(None, description="where to download it; default: a person brings it")
    to: Relative = Field(description="below the workspace: the folder that the archive is unpacked to")

    def brought(self, name: str) -> Iterator[Brought]:
        yield Brought(self.file, self.size, self.sha256, self.origin, self.url)


class Target(Model):
    """One way to use the image: `run-container --target NAME`."""

    description: OneLine = Field(description="one line for people")
    command: ShellLine = Field(description="a shell line")
    env: dict[Variable, Plain] = Field({}, description="environment variables of this target's containers")
    workdir: Absolute | None = Field(None, description="absolute path in the image; default: the run's workdir")
    ports: dict[Name, Port] = Field(
        {},
        description="names for the ports that the command listens on, reachable from the host's loopback",
        examples=[{"web": 7860}],
    )
    devices: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        None, description="cards that it needs; default: one, where the host has one"
    )
    network: Literal["none", "bridge", "host"] | None = Field(None, description="default: bridge with ports, else none")
    data: tuple[Name, ...] = Field((), description="data sets that it needs")

    @model_validator(mode="after")
    def _ports_need_a_network(self) -> "Target":
        if self.ports and self.network == "none":
            raise WrongAtError("ports cannot be reached with network 'none'", "network")
        return self


class Run(Model):
    """What `run-container` starts."""

    command: ShellLine | None = Field(None, description="what it starts by default; default: a shell")
    workdir: Absolute | None = Field(None, description="absolute path in the image; default: the workspace")
    targets: dict[Name, Target] = Field({}, description="named commands with what each of them needs")


class LayerCheck(Model):
    """A pytest file, and the lowest layer that has what it looks at: it runs in a container of that layer, so it does
    not wait for what is built later, such as weights that nobody has brought yet."""

    file: Relative = Field(examples=["checks/test_port.py"])
    layer: Literal["env", "sources", "migrated", "weights"] = Field(
        "weights", description="the layer in whose container it runs"
    )


def _check_kind(value: Any) -> str | None:
    return "path" if isinstance(value, str) else "mapping" if isinstance(value, dict | LayerCheck) else None


Check = Annotated[
    Annotated[Relative, Tag("path")] | Annotated[LayerCheck, Tag("mapping")],
    one_of(_check_kind, "a path, or a mapping with file and layer"),
]


class InstallStep(Model):
    """An install step that works with files of the recipe's folder; all others go on top of what is installed, where
    a change of one of them installs nothing anew."""

    run: ShellLine = Field(description="the command, one line for /bin/sh", examples=["python3 tools/fix.py"])
    files: Globs = Field(
        description="path globs, as those of patches, for the files under `files` that the step needs, by their paths "
        "below the workspace; each must match one",
        examples=[["tools/*.py"]],
    )


def _install_kind(value: Any) -> str | None:
    return "line" if isinstance(value, str) else "mapping" if isinstance(value, dict | InstallStep) else None


AnyInstallStep = Annotated[
    Annotated[ShellLine, Tag("line")] | Annotated[InstallStep, Tag("mapping")],
    one_of(_install_kind, "a line for the shell, or a mapping with run and files"),
]


class RecipeModel(Model):
    """A recipe: `recipes/NAME.yaml`, with its files in `recipes/NAME/`."""

    description: Description = Field(description="one line for people: `invoke recipes` and the image's label show it")
    extends: RecipeName | None = Field(
        None,
        description="another recipe that this one builds on: mappings are merged, lists are appended to its lists, "
        "everything else, and `base`, replaces what it says, and `null` drops it; an item of a list replaces the one "
        "that has the same name (of patches), path in the image (`to`, of files), file (of wheels, checks), path (of "
        "weight files) or Debian package; of a Python package both requirements count; the workspace keeps the name of "
        "the lowest recipe, so that layers are shared",
    )
    without: Without | None = Field(None, description="what of the lists of that recipe is left out")
    base: Annotated[Base, OneKey(BASES, Base)]
    accelerator: Accelerator
    env: Env = Field(default_factory=Env)
    sources: dict[Name, Annotated[AskedSource, SOURCES]] = Field(
        {}, description="upstream code, at /workspace/RECIPE/NAME in the image"
    )
    migration: Migration | None = Field(None, description="without it the sources stay as they are")
    patches: tuple[Step, ...] = Field(
        (), description="ordered steps on migrated trees, and on sources that are not migrated; see patches.md"
    )
    files: tuple[MigratedFile, ...] = Field(
        (),
        description="files of the recipe's folder, for the workspace; they are put there after `install`, but for "
        "those that an install step names",
    )
    install: tuple[AnyInstallStep, ...] = Field(
        (),
        description="commands run in the workspace of the migrated layer, without a network; each is one line for "
        "/bin/sh, without options of RUN. One that needs files of the recipe's folder names them",
        examples=[["pip install -e x", {"run": "python3 tools/fix.py", "files": ["tools/*.py"]}]],
    )
    weights: dict[Name, Annotated[AskedWeights, WEIGHTS]] = Field(
        {}, description="at /workspace/RECIPE/weights/NAME in the image"
    )
    data: dict[Name, Annotated[AskedData, DATA]] = Field(
        {}, description="data sets of run targets, no part of the image"
    )
    run: Run = Field(default_factory=Run)
    registry: Repository | None = Field(
        None,
        description="where `push` and `pull` find a tag, and where `build` looks for layers after the registries of "
        "portside.toml",
        examples=["registry.example:5000/models"],
    )
    checks: tuple[Check, ...] = Field(
        (),
        description="pytest files of the recipe's folder, run by `invoke check`; one that is a path alone runs against "
        "the finished image",
    )

    @model_validator(mode="before")
    @classmethod
    def _weights_of_sources(cls, value: Any) -> Any:
        """A source's `lfs: {weights: NAME}` asks for a set of weights of that name."""
        if not isinstance(value, dict) or not isinstance(value.get("sources"), dict):
            return value
        found: dict[str, Any] = {}
        for name, source in value["sources"].items():
            said = source.get("lfs") if isinstance(source, dict) else None
            if isinstance(said, dict) and isinstance(said.get("weights"), str):
                found.setdefault(said["weights"], {"lfs": name})
        own = value.get("weights") or {}
        return value | {"weights": found | own} if found and isinstance(own, dict) else value

    @model_validator(mode="after")
    def _names_agree(self) -> "RecipeModel":
        for name, weights in self.weights.items():
            if weights.of_source is not None and weights.of_source not in self.sources:
                known = ", ".join(self.sources) or "none"
                raise WrongAtError(f"'{weights.of_source}' is not among the sources ({known})", "weights", name)
        for name, asked in self.sources.items():
            said = getattr(getattr(asked, "lfs", None), "weights", None)
            if said is not None and self.weights[said].of_source != name:
                raise WrongAtError(f"the weights '{said}' are not of this source", "sources", name, "lfs")
        if self.without is not None and self.extends is None:
            raise WrongAtError("it extends no recipe, so there is nothing to leave out", "without")
        for number, source in enumerate(self.migration.sources if self.migration else ()):
            if source not in self.sources:
                known = ", ".join(self.sources) or "none"
                raise WrongAtError(f"'{source}' is not among the sources ({known})", "migration", "sources", number)
        if self.env.debian and not self.base.chosen.takes_packages:
            raise WrongAtError(f"a base of the kind `{self.base.chosen.kind}` takes no packages", "env", "debian")
        for number, item in enumerate(self.env.python.requirements if self.env.python else ()):
            if not isinstance(item, str) and (source := item.reads.partition("/")[0]) not in self.sources:
                known = ", ".join(self.sources) or "none"
                key = "from" if isinstance(item, RequirementsFile) else "needs-of"
                raise WrongAtError(
                    f"'{source}' is not among the sources ({known})", "env", "python", "requirements", number, key
                )
        for name, target in self.run.targets.items():
            if unknown := sorted(set(target.data) - self.data.keys()):
                known = ", ".join(self.data) or "none"
                raise WrongAtError(
                    f"{', '.join(unknown)} is not among the data sets ({known})", "run", "targets", name, "data"
                )
        return self

    @property
    def install_lines(self) -> list[str]:
        """What the install steps run."""
        return [step if isinstance(step, str) else step.run for step in self.install]

    def is_below_install(self, file: MigratedFile) -> bool:
        """Whether an install step needs this file."""
        return any(matches(step.files, file.to) for step in self.install if isinstance(step, InstallStep))

    def checks_of(self, *layers: str) -> list[str]:
        """The recipe's own check files that run in containers of these layers."""
        checks = [LayerCheck(file=check) if isinstance(check, str) else check for check in self.checks]
        return [check.file for check in checks if check.layer in layers]
