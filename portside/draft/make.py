"""A draft out of what is found: each thing that a recipe says is decided here."""

import posixpath
import re
from typing import Any

from portside.common.progress import step
from portside.draft.accelerated import Tried, try_migration
from portside.draft.checkout import Checkout
from portside.draft.clue import Clue
from portside.draft.code import CodeBase
from portside.draft.commands import command_lines
from portside.draft.description import description
from portside.draft.dockerfile import python_of_image, read_dockerfile
from portside.draft.drafted import Draft, DraftTarget
from portside.draft.entries import MOST_ENTRIES, core, entries
from portside.draft.facts import accelerator_fact, facts, modules_of, normal, package_of
from portside.draft.gathered import Ground, WantedPackages
from portside.draft.interpreter import choose, python_wish
from portside.draft.libraries import system_packages
from portside.draft.named_weights import NamedWeights, named_weights
from portside.draft.options import DraftOptions
from portside.draft.origin import Origin, RepositoryReader, source_name
from portside.draft.programs import EntryPoint, described
from portside.draft.recipe_checks import busy, check_file, lacking
from portside.draft.servers import listening
from portside.draft.wanted import find_packages, heavy
from portside.migrate.rulesets import names

CPU_INDEX = "cpu"
"""The name of an index in portside.toml whose torch is for processors; docs/new.md says so."""


_NO_PORT = ("cpu", "cuda")
"""What code for NVIDIA's cards is not rewritten for."""


class _Maker:
    def __init__(self, asked: DraftOptions, origin: Origin, checkout: Checkout, reader: RepositoryReader) -> None:
        self.asked, self.origin, self.checkout, self.reader = asked, origin, checkout, reader
        self.fact = accelerator_fact(asked.accelerator)
        self.dockerfile = read_dockerfile(checkout, asked.dockerfile) if asked.dockerfile else None
        self.commands = [*(self.dockerfile.commands if self.dockerfile else ()), *command_lines(checkout)]
        self.code = CodeBase(checkout)
        self.starts = entries(checkout, self.commands, self.code)

    def draft(self) -> Draft:
        asked, fact = self.asked, self.fact
        wish = python_wish(self.checkout, self.commands, self.code)
        suite, version, said = choose(wish)
        given = asked.base or (self.dockerfile.asked_base() if self.dockerfile and "base" not in fact else None)
        own = given is None and "base" not in fact
        base = given or fact.get("base") or {"debian": {"suite": suite}}
        is_debian = "debian" in base
        if is_debian and given is not None:
            suite = base["debian"]["suite"]
            version = facts("bases")["suites"].get(suite, {}).get("python", "")
            said = Clue(version, "", bool(version), f"upstream: {wish.said}" if wish.said else "")
        tried = self._migration()
        suffix = tried.suffix if tried is not None and tried.is_needed else ""
        has = frozenset(fact.get("has", ())) if not is_debian else frozenset[str]()
        setuptools = facts("bases")["suites"].get(suite, {}).get("setuptools", "66.1") if is_debian else ""
        ground = Ground(has, setuptools, suffix, asked.accelerator == "cuda")
        packages = find_packages(self.checkout, self.code, self.commands, self.starts, ground, self.reader.other)
        reached = self.code.reach([*core(self.starts), *self._package_files(packages)])
        version = version or fact.get("python", "3.10")
        system, left = system_packages(self.checkout, self.commands, reached, packages.names, version)
        draft = Draft(
            name=asked.name,
            head=self._head(),
            description=description(self.checkout),
            base=self._base(base, own=own),
            accelerator=self._accelerator(),
        )
        name = self.checkout.name
        draft.sources[name] = (Clue(self.origin.asked, ""), self.origin.notes)
        for other, clue in packages.sources.items():
            draft.sources[other] = (Clue(dict(clue.value), clue.place), {})
        self._env(draft, packages, system, said if is_debian else None, wish.said, base)
        if tried is not None:
            draft.tried, draft.migrated = tried, [name] if tried.is_needed else []
        draft.install = packages.install
        home = f"/workspace/{asked.name}/{name}{suffix}"
        draft.workdir = Clue(home, "")
        self._choose(packages)
        self._targets(draft, home)
        self._paths(draft, packages, home)
        named = named_weights(self.checkout, self._files_for_weights(reached), self.commands, reached)
        self._weights(draft, named, f"{name}{suffix}")
        if self.dockerfile is not None:
            self.dockerfile.into(draft, home, self.reader.other)
        self._checks(draft, packages, home)
        draft.left = [
            *draft.left,
            *self._problems(packages),
            *packages.left,
            *left,
            *self.origin.left,
            *self._unreadable(),
        ]
        return draft

    def _base(self, base: dict[str, Any], *, own: bool) -> Clue[dict[str, Any]]:
        if own and self.asked.accelerator not in _NO_PORT:
            return Clue(base, "", False, "no image of the vendor is known here; name yours, with --base")
        if own or self.asked.base is not None:
            return Clue(base, "")
        if "base" in self.fact:
            return Clue(base, "", False, "a vendor's image that such ports begin with; name yours")
        found = self.dockerfile.base if self.dockerfile is not None else None
        return Clue(base, found.place if found is not None else "")

    def _head(self) -> list[str]:
        commit = str(self.origin.asked.get("commit", ""))[:12]
        at = f" at {commit}" if commit else ""
        return [
            f"Drafted by `invoke new` out of {self.origin.shown}{at}, of which nothing was executed. Behind a line "
            "stands where it comes from (FILE:LINE of the source); what begins with `# ?` is a guess: look at it."
        ]

    def _accelerator(self) -> Clue[dict[str, Any]]:
        value = {"name": self.asked.accelerator}
        if driver := self.fact.get("driver"):
            return Clue(
                value | {"driver": driver}, "", False, "the driver's range: see the vendor's notes on the image"
            )
        return Clue(value, "")

    def _migration(self) -> Tried | None:
        name = self.asked.accelerator
        same = name if name not in _NO_PORT and name in names(self.reader.root) else None
        ruleset = self.fact.get("ruleset", same)
        if ruleset is None:
            return None
        with step(f"Trying the migration by {ruleset}"):
            return try_migration(self.checkout, ruleset, self.reader.root)

    def _env(
        self,
        draft: Draft,
        packages: WantedPackages,
        system: list[Clue[str]],
        said: Clue[str] | None,
        upstream: str,
        base: dict[str, Any],
    ) -> None:
        if said is not None:
            draft.debian += [Clue("python3", ""), Clue("python3-pip", "")]
            draft.version = Clue(said.value, said.place, said.sure, said.note) if said.value else None
            draft.debian += packages.debian
        elif "base" in self.fact and self.asked.base is None:
            draft.interpreter = Clue(
                self.fact["interpreter"], "", False, f"the image's; upstream: {upstream or 'nothing says which Python'}"
            )
            draft.activate = [
                Clue(line, "", False, "what people source in that image first")
                for line in self.fact.get("activate", ())
            ]
        else:
            program, its = python_of_image(str(base.get("image", "")))
            why = f"the image's; upstream: {upstream or 'nothing says which Python'}"
            if program:
                draft.interpreter = Clue(program, "", False, why)
            else:
                draft.debian += [Clue("python3", "", False, "the image has none"), Clue("python3-pip", "")]
                draft.version = Clue(its, "", False, why)
        there = {clue.value for clue in draft.debian}
        draft.debian += [clue for clue in system if clue.value not in there]
        draft.items = list(packages.items)
        for name in self.fact.get("packages", ()):
            if normal(name) not in packages.names and "torch" in packages.names:
                draft.items.append(Clue(name, "", False, f"what torch needs on {self.asked.accelerator}"))
        draft.variables = dict(packages.variables)
        if self.asked.accelerator == "cpu" and CPU_INDEX in self.reader.config.indexes:
            for name in heavy(packages.names):
                draft.indexes[name] = Clue(CPU_INDEX, "", True, "portside.toml names it; the builds there need no card")

    def _package_files(self, packages: WantedPackages) -> list[str]:
        if packages.installed is None:
            return []
        return [
            path
            for path in self.code.paths
            if path.endswith("/__init__.py")
            and path.count("/") <= 2
            and not re.match(r"(tests?|docs?|examples?|scripts?|benchmarks?)/", path)
        ]

    def _files_for_weights(self, reached: dict[str, Any]) -> dict[str, Any]:
        """The program's modules first; then the rest of the code that is no test."""
        found = dict(reached)
        for path in self.code.paths[:1500]:
            if (
                path not in found
                and not re.search(r"(^|/)(tests?|docs?|third_?party|vendor)/", path)
                and (file := self.code.file(path)) is not None
            ):
                found[path] = file
        return found

    def _choose(self, packages: WantedPackages) -> None:
        """The programs that become targets: of those beside the main ones the ones that can start with the packages
        that are asked for."""
        missing = self._missing(packages)
        brought = {module for name in packages.names for module in modules_of(name)}
        if not any(entry.rank <= 2 for entry in self.starts) and packages.installed is None:
            self.starts = self.starts[:MOST_ENTRIES]
            return
        self.starts = [
            entry
            for entry in self.starts
            if entry.rank <= 2 or not entry.path or not lacking(entry, self.code, missing, brought)
        ][:MOST_ENTRIES]

    def _targets(self, draft: Draft, home: str) -> None:
        for entry in self.starts:
            file = self.code.file(entry.path) if entry.path else None
            server = listening(entry, file)
            command = entry.command
            if server.ports and entry.open and entry.program == "python" and command.endswith(" --help"):
                command = command.removesuffix(" --help")
            if server.add and not command.endswith(" --help"):
                option = server.add.split()[0]
                command = (
                    re.sub(rf"\s{re.escape(option)}[ =]\S+", "", command) if server.add.count(" ") == 1 else command
                )
                command = f"{command} {server.add}"
            note = entry.place + (": what it takes is left open there" if entry.open and not entry.console else "")
            is_safe = re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|<<|\\$", command) is None
            if not is_safe:
                continue
            draft.targets.append(
                DraftTarget(
                    entry.name,
                    described(self.checkout, entry, file),
                    Clue(command, note, entry.sure and not (entry.open and not entry.console and server.ports)),
                    server.ports,
                    {**entry.env, **server.env},
                    posixpath.join(home, entry.folder) if entry.folder else "",
                    server.note,
                )
            )

    def _paths(self, draft: Draft, packages: WantedPackages, home: str) -> None:
        """PYTHONPATH, where a program in a folder imports what lies at the top and nothing installs it."""
        if packages.installed is not None:
            return
        for entry in self.starts:
            here = posixpath.dirname(entry.path)
            file = self.code.file(entry.path)
            if not here or file is None or file.sees_path or " -m " in f" {entry.command} ":
                continue
            for one in file.imports:
                if one.module.startswith(".") or one.guarded or not (found := self.code.local(one, file)):
                    continue
                if not any(path.startswith(f"{here}/") for path in found):
                    draft.variables.setdefault(
                        "PYTHONPATH",
                        Clue(home, f"{entry.path}:{one.line}", True, f"imports {one.top}, which lies at the top"),
                    )

    def _weights(self, draft: Draft, named: list[NamedWeights], folder: str) -> None:
        draft.named = named
        if self.asked.weights is None:
            return
        hub, name, revision = self.asked.weights
        value: dict[str, Any] = {hub: name} | ({"revision": revision} if revision else {})
        place = next((one for one in named if one.hub == hub and one.name == name and one.in_code), None)
        if place is not None:
            value["to"] = f"{folder}/{name}"
        note = (
            f"{place.places[0]}: where the code looks first, before it asks the hub"
            if place is not None
            else "--weights"
        )
        draft.weights[source_name(name.rpartition("/")[2])] = Clue(value, note)
        if hub == "huggingface":
            draft.variables.setdefault("HF_HUB_OFFLINE", Clue("1", "", True, "the weights are in the image"))

    def _checks(self, draft: Draft, packages: WantedPackages, home: str) -> None:
        modules: dict[str, str] = {}
        if packages.installed is not None:
            for path in self.code.paths:
                top = path.partition("/")[0] if path.count("/") == 1 and path.endswith("/__init__.py") else ""
                top = top or (path.split("/")[1] if re.fullmatch(r"src/[^/]+/__init__\.py", path) else "")
                if top and not re.match(
                    r"(tests?|docs?|examples?|scripts?|benchmarks?|tools?|notebooks?|configs?|data)$", top
                ):
                    modules[top] = path
        missing = self._missing(packages)
        brought = {module for name in packages.names for module in modules_of(name)}
        if not modules:
            paths = core(self.starts)
            for one, file in self.code.foreign(self.code.reach(paths).values(), paths):
                if (
                    not one.late
                    and not one.guarded
                    and one.top not in missing
                    and package_of(one.module)[0] in packages.names
                ):
                    modules.setdefault(one.top, f"{file.path}:{one.line}")
        helps: dict[str, tuple[str, str]] = {}
        for entry in self.starts:
            if not entry.help:
                continue
            if why := busy(entry, self.code) or lacking(entry, self.code, missing, brought):
                draft.left.append(f"no check of {entry.help}: {why}")
                continue
            helps[entry.name] = (entry.help, posixpath.join(home, entry.folder) if entry.folder else home)
        early = {path for path in modules.values() if path in self.code.paths and self._is_busy(path)}
        modules = {name: path for name, path in modules.items() if path not in early}
        if modules or helps:
            draft.files["checks/test_draft.py"] = check_file(home, dict(list(modules.items())[:40]), helps)

    def _is_busy(self, path: str) -> bool:
        return bool(busy(EntryPoint("", path, "", ""), self.code))

    def _missing(self, packages: WantedPackages) -> set[str]:
        """Top-level modules that the program imports and nothing brings."""
        brought = set(packages.names)
        paths = [entry.path for entry in self.starts if entry.path]
        found = set()
        for one, _ in self.code.foreign(self.code.reach(paths).values(), paths):
            package = package_of(one.module)[0]
            if (
                not package and normal(one.top) not in brought and not any(normal(one.top) in name for name in brought)
            ) or one.top in ("torch_npu", "torch_mlu"):
                found.add(one.top)
        return found

    def _problems(self, packages: WantedPackages) -> list[str]:
        return [f"what the project needs is computed, and not taken: {packages.problem}"] if packages.problem else []

    def _unreadable(self) -> list[str]:
        rows = [f"{path} ({why})" for path, why in sorted(self.code.unreadable.items())]
        return [f"code that was not read: {', '.join(rows[:6])}{' …' if len(rows) > 6 else ''}"] if rows else []


def make_draft(asked: DraftOptions, origin: Origin, checkout: Checkout, reader: RepositoryReader) -> Draft:
    with step(f"Reading {checkout.name}"):
        return _Maker(asked, origin, checkout, reader).draft()
