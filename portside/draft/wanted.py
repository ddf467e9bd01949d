"""Which Python packages the program needs: of all that the repository says, what a recipe has to ask for."""

import posixpath
import re
from collections.abc import Iterable
from typing import Any

from packaging.requirements import Requirement

from portside.draft.checkout import VENDORED, Checkout
from portside.draft.clue import Clue
from portside.draft.code import CodeBase, ImportedName, PythonFile
from portside.draft.commands import CommandLine
from portside.draft.declared import (
    Environment,
    ProjectFiles,
    conda_installs,
    environment,
    is_for_developers,
    pip_install,
    read_file,
    requirement_files,
    requirement_of,
    setup_installs,
)
from portside.draft.entries import core
from portside.draft.facts import facts, is_tool, modules_of, normal, package_of
from portside.draft.gathered import BringGit, Gathering, Ground, WantedPackages, repository_of
from portside.draft.programs import EntryPoint

_FROM_README = 1
"""The rank of documents whose commands count for the program as a whole."""


def find_packages(
    checkout: Checkout,
    code: CodeBase,
    commands: list[CommandLine],
    starts: list[EntryPoint],
    ground: Ground,
    bring: BringGit,
) -> WantedPackages:
    return _Finder(checkout, code, commands, starts, ground, bring).find()


class _Finder(Gathering):
    def __init__(
        self,
        checkout: Checkout,
        code: CodeBase,
        commands: list[CommandLine],
        starts: list[EntryPoint],
        ground: Ground,
        bring: BringGit,
    ) -> None:
        super().__init__(checkout, ground, bring)
        self.code = code
        self.installs = [found for one in commands if (found := pip_install(one)) is not None]
        self.conda = [(one, rows) for one in commands if (rows := conda_installs(one))]
        self.setups = list(setup_installs(commands, checkout))
        self.environment = environment(checkout)
        paths = core(starts, is_package=self._packages_at_top())
        if self.own is not None:
            paths += [path for path in code.paths if is_package(path)]
        self.starts = paths
        self.reached = code.reach(paths)
        self.foreign = list(code.foreign(self.reached.values(), paths))
        self.imported = {one.top for one, _ in self.foreign}
        self.first = frozenset(code.reach(paths, late=False))
        self.needed = {one.top for one, file in self.foreign if self._is_needed(one, file)}

    def _packages_at_top(self) -> bool:
        """Whether the repository is a project with packages that others import."""
        return self.own is not None and any(is_package(path) for path in self.code.paths)

    def _is_needed(self, one: ImportedName, file: PythonFile) -> bool:
        """Whether the program cannot start without an import."""
        return file.path in self.first and not one.guarded and not one.late

    def find(self) -> WantedPackages:
        self._project()
        self._files()
        self._environment()
        self._documents()
        self._imports()
        for one, folder in self.setups:
            if folder and one.kind == "document" and one.rank <= 4:
                self.out.left.append(f"{one.place}: installs {folder} too, by its setup.py")
        if self.tools:
            tools = ", ".join(dict.fromkeys(self.tools))
            self.out.left.append(f"tools of those who work on the code, which no module imports: {tools}")
        return self.out

    # -- the repository's own project

    def _project(self) -> None:
        own = self.own
        if own is None:
            return
        if (calls := self._own_installs()) or own.scripts or own.needs is not None or own.poetry:
            self._take_project(own, calls)
        if own.needs is None and own.problem and not own.poetry:
            self.out.problem = own.problem

    def _own_installs(self) -> list[tuple[CommandLine, tuple[str, ...]]]:
        """Where the project itself is installed, with its extras."""
        found = []
        name = normal(self.own.name) if self.own is not None else ""
        for one in self.installs:
            found += [
                (one.command, extras) for folder, extras in one.projects if folder == "." and one.command.rank <= 4
            ]
            found += [(one.command, tuple(sorted(p.extras))) for p in one.packages if name and normal(p.name) == name]
            found += [
                (one.command, ())
                for url in one.urls
                if repository_of(url)[0].lower().endswith(f"/{self.checkout.name.lower()}")
            ]
        found += [(one, ()) for one, folder in self.setups if not folder and one.rank <= 4]
        rows = [*(self.environment.pip if self.environment else ())]
        found += [(_pseudo(row), ()) for row in rows if re.fullmatch(r"-e\s+\.|\.", row.value)]
        return found

    def _take_project(self, own: ProjectFiles, calls: list[tuple[CommandLine, tuple[str, ...]]]) -> None:
        if own.compiles and not self.ground.cuda:
            self.out.left.append(f"{own.compiles} compiles an extension, which is not built here")
        name = self.checkout.name
        place = (
            calls[0][0].place
            if calls
            else (own.needs.place.partition("/")[2] if own.needs is not None else "pyproject.toml")
        )
        document = next((one for one, _ in calls if one.kind == "document"), None)
        said = next(
            (extras for one, extras in calls if extras and one.kind == "document" and one.rank <= _FROM_README), ()
        )
        if own.needs is not None:
            known = {normal(extra) for extra in own.needs.extras}
            extras = tuple(extra for extra in said if normal(extra) in known and not is_for_developers(extra))
            wanted = list(own.needs.wanted(extras))
            without = [r.name for r in wanted if r.url or self.is_out(r, own.needs.place.partition("/")[2])]
            if wanted:
                item: dict[str, Any] = {"needs-of": name}
                item |= {"extras": list(extras)} if extras else {}
                item |= {"without": list(dict.fromkeys(without))} if without else {}
                where = own.needs.place.partition("/")[2]
                where = f"{where}, {document.place}" if document is not None and extras else where
                self.out.items.append(Clue(item, where))
            for requirement in wanted:
                if not requirement.url and requirement.name not in without:
                    self.out.names.setdefault(normal(requirement.name), own.needs.place.partition("/")[2])
            for requirement in wanted:
                if requirement.url:
                    self.git(f"{requirement.url}#egg={requirement.name}", own.needs.place.partition("/")[2])
        for clue in own.poetry:
            self.line(clue.value, clue.place)
        for url in own.poetry_urls:
            self.git(url.value, url.place)
        self.out.installed = own
        self.install(f"{name}{self.ground.suffix}", place, sure=bool(calls) or bool(own.scripts))
        self.backend_needs(own.backend)

    # -- requirements files

    def _files(self) -> None:
        chosen = self._called_files()
        known = requirement_files(self.checkout)
        own = self.own
        if not chosen and own is not None and own.needs is None:
            chosen = [(path, f"setup.py reads it: {self._line_of_setup(path)}") for path in own.reads[:1]]
        if not chosen and "requirements.txt" in known and not self.out.names:
            chosen = [("requirements.txt", "")]
        if (
            not chosen
            and not self.out.names
            and self.environment is None
            and not any(one.packages for one in self.installs if one.command.rank <= _FROM_README)
        ):
            near = [path for path in known if not is_for_developers(path) and not VENDORED.search(path)]
            homes = {posixpath.dirname(path) for path in self.starts}
            near = [
                path for path in near if posixpath.dirname(path) in homes or posixpath.dirname(path) == "requirements"
            ] or near
            chosen = [(path, "") for path in near[:1]]
        for path, why in chosen:
            self._take_file(path, why)
        for path in known[:40]:
            missing = self._missing()
            if not missing or path in {one for one, _ in chosen} or is_for_developers(path) or VENDORED.search(path):
                continue
            if posixpath.dirname(path) not in {"", "requirements"}:
                continue
            read = read_file(self.checkout, path)
            covers = sorted(top for top in missing if any(top in modules_of(clue.value.name) for clue in read.packages))
            if covers and len(covers) * 3 >= len(read.packages):
                self._take_file(path, f"it has {', '.join(covers[:4])}, which the program imports", sure=False)

    def _line_of_setup(self, path: str) -> str:
        name = path.rpartition("/")[2]
        return next(
            (f"setup.py:{number}" for number, line in self.checkout.lines("setup.py") if name in line), "setup.py"
        )

    def _called_files(self) -> list[tuple[str, str]]:
        """The files that documents say to install from, those of the README first."""
        found: dict[str, str] = {}
        for one in self.installs:
            if one.command.kind not in ("document", "dockerfile") or one.command.rank > 2:
                continue
            for file in one.files:
                for folder in ("", posixpath.dirname(one.command.path)):
                    path = posixpath.normpath(posixpath.join(folder, file))
                    if self.checkout.text(path) is not None and not is_for_developers(path):
                        found.setdefault(path, one.command.place)
                        break
        rows = list(found.items())
        return rows[:1] + [row for row in rows[1:] if posixpath.dirname(row[0]) in ("", "requirements")][:2]

    def _take_file(self, path: str, why: str, *, sure: bool = True) -> None:
        read = read_file(self.checkout, path)
        if read.problem:
            self.out.left.append(f"{path}: {read.problem}")
            return
        without = [*read.without]
        for clue in read.packages:
            if clue.value.url is None and self.is_out(clue.value, clue.place):
                without.append(clue.value.name)
        kept = [clue for clue in read.packages if clue.value.name not in without]
        news = [clue for clue in kept if normal(clue.value.name) not in self.out.names]
        if not news and not read.urls:
            return
        for clue in kept:
            self.out.names.setdefault(normal(clue.value.name), clue.place)
        item: dict[str, Any] = {"from": f"{self.checkout.name}/{self.checkout.resolved(path)}"}
        item |= {"without": list(dict.fromkeys(without))} if without else {}
        if kept:
            self.out.items.append(Clue(item, why or path, sure))
        for left in read.without:
            self.out.left.append(f"{path}: {left}")
        for url in read.urls:
            wheel = re.match(r"([\w.-]+)\s*@\s*https?://\S+\.whl|https?://\S+/([A-Za-z0-9_.]+)-\d[^/]*\.whl", url.value)
            if wheel is not None:
                name = wheel[1] or wheel[2]
                self.line(Requirement(name), url.place, sure=False, note="upstream: a wheel by its URL")
            else:
                self.git(url.value, url.place)

    # -- conda, and the lines of documents

    def _environment(self) -> None:
        found: Environment | None = self.environment
        if found is None or any(isinstance(clue.value, dict) and "from" in clue.value for clue in self.out.items):
            return
        for clue in found.packages:
            self.line(clue.value, clue.place)
        for row in found.pip:
            text = row.value
            if match := re.match(r"-r\s+(?:file:)?(\S+)", text):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(found.path), match[1]))
                if self.checkout.text(path) is not None:
                    self._take_file(path, row.place)
            elif re.search(r"git\+", text):
                self.git(re.sub(r"^(-e|--editable)\s+", "", text), row.place)
            elif text.startswith("-") or re.fullmatch(r"\.(\[.*\])?", text):
                if text.startswith("--"):
                    self.out.left.append(f"{row.place}: {text}")
            elif (requirement := requirement_of(text)) is not None:
                self.line(requirement, row.place)

    def _documents(self) -> None:
        """What READMEs say to install. Where files say what the program needs, only what it imports counts."""
        is_declared = bool(self.out.names)
        lines: list[tuple[CommandLine, Requirement]] = []
        for one in self.installs:
            if one.command.kind == "document" and one.command.rank <= _FROM_README:
                lines += [(one.command, requirement) for requirement in one.packages]
        for command, found in self.conda:
            if command.kind == "document" and command.rank <= _FROM_README:
                lines += [(command, requirement) for requirement in found]
        own = normal(self.own.name) if self.own is not None else ""
        for command, requirement in lines:
            name = normal(requirement.name)
            if name in (own, normal(self.checkout.name)) or name in self.out.names:
                continue
            if command.rank < 0 or not is_declared or self.imported & modules_of(name):
                self.line(requirement, command.place)
        for one in self.installs:
            if one.command.kind != "document" or one.command.rank > _FROM_README:
                continue
            for url in one.urls:
                address, _, egg = repository_of(url)
                names = modules_of(egg or posixpath.basename(address))
                is_asked = any(names & modules_of(name) for name in self.out.names)
                if (
                    names & self.needed
                    and not is_asked
                    and not address.lower().endswith(f"/{self.checkout.name.lower()}")
                ):
                    self.git(url, one.command.place)

    # -- imports

    def _missing(self) -> set[str]:
        """What the program imports, and nothing that is asked for brings by its name."""
        covered = {module for name in self.out.names for module in modules_of(name)}
        return {top for top in self.needed if top not in covered and package_of(top)[0]}

    def _imports(self) -> None:
        late: dict[str, str] = {}
        told: set[str] = set()
        for one, file in self.foreign:
            place = f"{file.path}:{one.line}"
            package, known = package_of(one.module)
            if not package:
                if one.top not in told and self._is_needed(one, file) and not self._has_source(one):
                    told.add(one.top)
                    self.out.left.append(f"{place}: imports {one.top}, which no index has under that name")
                continue
            if package in self.out.names or self._is_brought(one, file):
                continue
            if not self._is_needed(one, file):
                late.setdefault(package, place)
                continue
            if package in told:
                continue
            told.add(package)
            limits = self._limits_of(package)
            self.line(
                Requirement(f"{package}{limits}"),
                place,
                sure=known or package == normal(one.top),
                note="imported, and asked for nowhere",
            )
        rows = [
            f"{name} ({place})"
            for name, place in sorted(late.items())
            if name not in self.out.names and not is_tool(name)
        ]
        if rows:
            self.out.left.append(
                f"imported only by some paths of the code: {', '.join(rows[:12])}{' …' if len(rows) > 12 else ''}"
            )
        self.out.left = list(dict.fromkeys(self.out.left))

    def _is_brought(self, one: ImportedName, file: PythonFile) -> bool:
        """Whether something that is asked for brings the module."""
        return any(one.top in modules_of(name) for name in self.out.names)

    def _has_source(self, one: ImportedName) -> bool:
        return any(one.top in modules_of(name) or normal(one.top) in normal(name) for name in self.out.sources)

    def _limits_of(self, package: str) -> str:
        """A range that a README has for a package in words (`pytorch>=1.7`)."""
        names = {"torch": "(?:py)?torch", "torchvision": "torchvision", "torchaudio": "torchaudio"}
        if package not in names:
            return ""
        for path in self.checkout.named("readme*", "*get*started*.md", "install*.md")[:4]:
            text = self.checkout.text(path) or ""
            if found := re.search(rf"\b{names[package]}\s*(>=|≥|==)\s*(\d+(?:\.\d+)*)", text, re.I):
                return f">={found[2]}"
        return ""


def is_package(path: str) -> bool:
    """Whether a module makes a folder at the top, or below `src`, a package of the program."""
    path = path.removeprefix("src/")
    folder = path.partition("/")[0]
    return (
        path.count("/") == 1
        and path.endswith("/__init__.py")
        and not re.match(
            r"(tests?|docs?|examples?|scripts?|benchmarks?|tools?|notebooks?|configs?|data)$", folder, re.I
        )
    )


def _pseudo(row: Clue[str]) -> CommandLine:
    path, _, line = row.place.rpartition(":")
    return CommandLine(("pip", "install", *row.value.split()), row.value, path, int(line), "document", 1)


def heavy(names: Iterable[str]) -> list[str]:
    """Those that come from an index of their own where no card is."""
    return [name for name in facts("names")["heavy"] if name in set(names)]
