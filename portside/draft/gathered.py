"""What is gathered of Python packages, and what is done with each: taken, left out, or brought as a source."""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import Requirement

from portside.draft.checkout import Checkout
from portside.draft.clue import Clue
from portside.draft.declared import ProjectFiles, project, read_file, requirement_of
from portside.draft.facts import cuda_only, is_tool, modules_of, normal

BringGit = Callable[[str, str], tuple[dict[str, str], Checkout] | None]
"""Brings a repository for its URL and revision ("" for none); gives what a recipe says of it, and its files. None where
it cannot be had."""


@dataclass(frozen=True)
class Ground:
    """What a draft stands on. has: packages of the base. setuptools: the version of Debian's, "" on other bases.
    suffix: of migrated sources. cuda: whether the card is NVIDIA's."""

    has: frozenset[str] = frozenset()
    setuptools: str = ""
    suffix: str = ""
    cuda: bool = False


@dataclass
class WantedPackages:
    """items: of `env.python.requirements`. sources, install: further ones that these need. debian: what installing
    needs. left: what is not asked for, each with the reason, for people. names: all that is asked for, normalised."""

    items: list[Clue[Any]] = field(default_factory=list)
    sources: dict[str, Clue[dict[str, str]]] = field(default_factory=dict)
    install: list[Clue[str]] = field(default_factory=list)
    debian: list[Clue[str]] = field(default_factory=list)
    variables: dict[str, Clue[str]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    installed: ProjectFiles | None = None
    problem: str = ""


_EDITABLE = (64, 0)
"""The setuptools that first installs as PEP 660 says (its changelog)."""


class Gathering:
    """own: the project of the repository itself, if it is one. imported: the top-level modules that its programs import
    and others bring."""

    def __init__(self, checkout: Checkout, ground: Ground, bring: BringGit) -> None:
        self.checkout, self.ground, self.bring = checkout, ground, bring
        self.own: ProjectFiles | None = project(checkout)
        self.imported: set[str] = set()
        self.out = WantedPackages()
        self.tools: list[str] = []

    def line(self, requirement: Requirement, place: str, *, sure: bool = True, note: str = "") -> None:
        """A requirement of the recipe's own."""
        name = normal(requirement.name)
        if name in self.out.names or (self.own is not None and name == normal(self.own.name)):
            return
        if self.is_out(requirement, place):
            return
        self.out.names[name] = place
        self.out.items.append(Clue(str(requirement), place, sure, note))

    def is_out(self, requirement: Requirement, place: str) -> bool:
        """Whether a package is left out of what is taken as a whole, with the reason for people."""
        name = normal(requirement.name)
        if name in self.ground.has:
            self.out.left.append(f"{place}: {requirement} (the base has its own)")
            self.out.names.setdefault(name, place)
            return True
        if is_tool(name) and not self.imported & modules_of(name):
            self.tools.append(str(requirement))
            return True
        other = cuda_only(name)
        if other is None or self.ground.cuda:
            return False
        self.out.left.append(f"{place}: {requirement} (for NVIDIA's cards alone)")
        if other and other not in self.out.names:
            self.out.names[other] = place
            self.out.items.append(Clue(other, place, False, f"in place of {name}, which is for NVIDIA's cards alone"))
        return True

    def git(self, url: str, place: str) -> None:
        address, revision, egg = repository_of(url)
        if not address:
            self.out.left.append(f"{place}: {url}")
            return
        found = self.bring(address, revision)
        if found is None:
            self.out.left.append(f"{place}: {address} could not be reached")
            return
        asked, other = found
        name = re.sub(r"[^A-Za-z0-9._-]", "-", posixpath.basename(address).removesuffix(".git")) or egg
        if name in self.out.sources or name == self.checkout.name:
            return
        self.out.sources[name] = Clue(asked, place)
        theirs = project(Checkout(name, other.tree))
        if theirs is None:
            self.out.left.append(f"{place}: {name} is no Python project; it is a source without an install step")
            return
        if theirs.needs is not None:
            wanted = list(theirs.needs.wanted(()))
            without = [r.name for r in wanted if r.url or self.is_out(r, f"needs of {name}")]
            if len(wanted) > len(without):
                self.out.items.append(Clue({"needs-of": name} | ({"without": without} if without else {}), place))
            for requirement in wanted:
                self.out.names.setdefault(normal(requirement.name), place)
        else:
            for path in theirs.reads[:1]:
                read = read_file(Checkout(name, other.tree), path)
                if not read.problem:
                    without = [
                        *read.without,
                        *(c.value.name for c in read.packages if self.is_out(c.value, f"{name}/{c.place}")),
                    ]
                    self.out.items.append(
                        Clue(
                            {"from": f"{name}/{path}"} | ({"without": without} if without else {}),
                            place,
                            True,
                            f"{name}/setup.py reads it",
                        )
                    )
                    for clue in read.packages:
                        self.out.names.setdefault(normal(clue.value.name), place)
        self.out.names.setdefault(normal(egg or theirs.name or name), place)
        self.install(name, place)
        if not any(clue.value == "python3-setuptools" for clue in self.out.debian):
            self.backend_needs(theirs.backend)

    def install(self, folder: str, place: str, *, sure: bool = True) -> None:
        """A step that installs what lies in a folder of the workspace. The setuptools of today's packages has pip call
        itself again for an old setup.py, with a network, unless it is built as PEP 517 says."""
        new = self.ground.setuptools and tuple(map(int, self.ground.setuptools.split("."))) >= _EDITABLE
        options = f"--no-deps --no-build-isolation{' --use-pep517' if new else ''} --editable"
        self.out.install.append(Clue(f"python3 -m pip install {options} {folder}", place, sure))

    def backend_needs(self, asked: list[str]) -> None:
        """What pip needs to install without a build of its own environment."""
        if self.ground.setuptools:
            self.out.debian += [
                Clue("python3-setuptools", "", True, "pip builds with it"),
                Clue("python3-wheel", "", True, "pip builds with it"),
            ]
        for text in asked:
            requirement = requirement_of(text)
            name = normal(requirement.name) if requirement is not None else ""
            if requirement is None or name == "wheel":
                continue
            if name == "setuptools" and (
                not self.ground.setuptools or requirement.specifier.contains(self.ground.setuptools)
            ):
                continue
            if requirement.marker is None and name not in self.out.names:
                self.out.names[name] = "pyproject.toml"
                self.out.items.append(Clue(str(requirement), "pyproject.toml", True, "build-system.requires"))
            if name in ("setuptools-scm", "hatch-vcs", "versioningit", "setuptools-git-versioning"):
                note = "the version comes from git, whose history is no part of a source"
                self.out.variables["SETUPTOOLS_SCM_PRETEND_VERSION"] = Clue("0.0.0", "pyproject.toml", False, note)


def repository_of(url: str) -> tuple[str, str, str]:
    """The address of a git repository, its revision and the package's name, out of what pip calls it by."""
    url = re.sub(r"^[\w.\[\],-]+\s*@\s*", "", url.split(";")[0].strip())
    found = re.match(r"(?:git\+)?((?:https?|ssh|file|git)://[^\s#]+|git@[^\s#]+)(?:#(.*))?", url)
    if found is None or re.search(r"\.(whl|zip|tar\.gz|tgz)$", found[1]):
        return "", "", ""
    address, revision = found[1], ""
    cut = address.rfind("@")
    if cut > address.find("/", address.find("://") + 3) > 0:
        address, revision = address[:cut], address[cut + 1 :]
    egg = re.search(r"egg=([\w.-]+)", found[2] or "")
    return address.removesuffix("/").removesuffix(".git"), revision, egg[1] if egg else ""
