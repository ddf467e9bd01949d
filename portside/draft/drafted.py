"""A recipe as it is drafted: values with what they were read from, and its text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from portside.draft.accelerated import Tried
from portside.draft.clue import Clue
from portside.draft.named_weights import NamedWeights
from portside.draft.origin import source_name
from portside.draft.page import Page, flow, plain_comment, scalar

_MOST_NAMED = 40


@dataclass
class DraftTarget:
    """What `run.targets` says of one program. folder: absolute, where it is another than the run's."""

    name: str
    description: str
    command: Clue[str]
    ports: dict[str, Clue[int]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    note: str = ""


@dataclass
class Draft:
    """All of a drafted recipe. sources: what the recipe says of each, and what stands behind its keys. files: further
    ones, by their path below the recipe's folder. left: what has no place in it, for people."""

    name: str
    head: list[str]
    description: Clue[str]
    base: Clue[dict[str, Any]]
    accelerator: Clue[dict[str, Any]]
    sources: dict[str, tuple[Clue[dict[str, Any]], dict[str, str]]] = field(default_factory=dict)
    debian: list[Clue[str]] = field(default_factory=list)
    interpreter: Clue[str] | None = None
    version: Clue[str] | None = None
    items: list[Clue[Any]] = field(default_factory=list)
    build: list[Clue[str]] = field(default_factory=list)
    indexes: dict[str, Clue[str]] = field(default_factory=dict)
    path: list[Clue[str]] = field(default_factory=list)
    activate: list[Clue[str]] = field(default_factory=list)
    variables: dict[str, Clue[str]] = field(default_factory=dict)
    migrated: list[str] = field(default_factory=list)
    tried: Tried | None = None
    install: list[Clue[str]] = field(default_factory=list)
    weights: dict[str, Clue[dict[str, Any]]] = field(default_factory=dict)
    named: list[NamedWeights] = field(default_factory=list)
    command: Clue[str] | None = None
    workdir: Clue[str] | None = None
    targets: list[DraftTarget] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The recipe, with its comments."""
        page = Page()
        for row in self.head:
            page.note(0, row)
        page.add(0, f"description: {scalar(self.description.value)}", self.description.comment)
        page.gap()
        self._base(page)
        page.gap()
        self._env(page)
        page.gap()
        page.add(0, "sources:")
        for name, (source, notes) in self.sources.items():
            if source.comment:
                page.note(1, source.comment)
            page.add(1, f"{scalar(name)}:")
            for key, value in source.value.items():
                page.add(2, f"{key}: {flow(value)}", notes.get(key, ""))
        self._migration(page)
        self._lines(page, "install", self.install)
        self._weights(page)
        self._run(page)
        if self.files:
            page.gap()
            page.add(0, "checks:")
            for path in sorted(self.files):
                page.add(1, f"- {flow({'file': path, 'layer': 'migrated'})}")
        if self.left:
            page.gap()
            page.note(0, "Not in the recipe:")
            for row in self.left:
                page.note(0, f"- {row}")
        return page.text

    def _base(self, page: Page) -> None:
        page.add(0, "base:", self.base.comment)
        for kind, value in self.base.value.items():
            if isinstance(value, dict):
                page.add(1, f"{kind}:")
                for key, item in value.items():
                    page.add(2, f"{key}: {flow(item)}")
            else:
                page.add(1, f"{kind}: {flow(value)}")
        page.add(0, f"accelerator: {flow(self.accelerator.value)}", self.accelerator.comment)

    def _env(self, page: Page) -> None:
        page.add(0, "env:")
        self._lines(page, "debian", self.debian, 1)
        self._lines(page, "path", self.path, 1)
        self._lines(page, "activate", self.activate, 1)
        page.add(1, "python:")
        if self.interpreter is not None:
            page.add(2, f"interpreter: {scalar(self.interpreter.value)}", self.interpreter.comment)
        if self.version is not None:
            page.add(2, f"version: {scalar(self.version.value)}", self.version.comment)
        self._lines(page, "build", self.build, 2)
        self._lines(page, "requirements", self.items, 2)
        self._map(page, "indexes", self.indexes, 2)
        self._map(page, "variables", self.variables, 1)

    def _lines(self, page: Page, key: str, rows: Iterable[Clue[Any]], indent: int = 0) -> None:
        rows = list(rows)
        if not rows:
            return
        if not indent:
            page.gap()
        page.add(indent, f"{key}:")
        for row in rows:
            text = scalar(row.value) if isinstance(row.value, str) else flow(row.value)
            page.add(indent + 1, f"- {text}", row.comment)

    def _map(self, page: Page, key: str, rows: dict[str, Clue[str]], indent: int) -> None:
        if rows:
            page.add(indent, f"{key}:")
            for name, clue in rows.items():
                page.add(indent + 1, f"{name}: {scalar(clue.value)}", clue.comment)

    def _migration(self, page: Page) -> None:
        tried = self.tried
        if tried is None:
            return
        page.gap()
        counts = ", ".join(f"{number} {name}" for name, number in tried.counts.items() if name in _SHOWN and number)
        if not self.migrated:
            said = tried.problem or counts or "nothing to rewrite"
            page.note(0, f"Migration by the ruleset {tried.ruleset}: {said}; it is left out.")
            return
        page.note(0, f"Tried as the draft was made: {counts}.")
        if tried.left:
            page.note(
                0, f"Files that it could not judge: {', '.join(tried.left[:6])}{' …' if len(tried.left) > 6 else ''}."
            )
        page.add(0, "migration:")
        page.add(1, f"ruleset: {scalar(tried.ruleset)}")
        page.add(1, f"sources: {flow(self.migrated)}")
        if tried.accept:
            page.note(1, "? Each place below fails where the card reaches it: patch it, or say why it may stay.")
            page.add(1, "accept:")
            for name, why in tried.accept.items():
                page.add(2, f"{scalar(name)}: {scalar(plain_comment(why)[:200])}", "?")

    def _weights(self, page: Page) -> None:
        if self.weights:
            page.gap()
            page.add(0, "weights:")
            for name, clue in self.weights.items():
                page.add(1, f"{scalar(name)}: {flow(clue.value)}", clue.comment)
        taken = {clue.value.get("huggingface") or clue.value.get("modelscope") for clue in self.weights.values()}
        named = [one for one in self.named if not (one.hub and one.name in taken)]
        if not named:
            return
        page.gap()
        page.note(0, "Weights that the repository names; take those that you need (docs/recipe.md, weights):")
        if not self.weights:
            page.lines.append("# weights:")
        used: set[str] = set(self.weights)
        for one in named[:_MOST_NAMED]:
            name, value = _entry(one, used)
            mark = "" if one.sure else "? "
            where = plain_comment(
                f"{mark}{', '.join(one.places[:3])}{f' and {len(one.places) - 3} more' if len(one.places) > 3 else ''}"
            )
            page.lines.append(f"#   {scalar(name)}: {flow(value)}  # {where}")
        if len(named) > _MOST_NAMED:
            page.note(0, f"… and {len(named) - _MOST_NAMED} more.")

    def _run(self, page: Page) -> None:
        page.gap()
        page.add(0, "run:")
        if self.command is not None:
            page.add(1, f"command: {scalar(self.command.value)}", self.command.comment)
        if self.workdir is not None:
            page.add(1, f"workdir: {scalar(self.workdir.value)}", self.workdir.comment)
        if not self.targets:
            return
        page.add(1, "targets:")
        for target in self.targets:
            page.add(2, f"{scalar(target.name)}:")
            page.add(3, f"description: {scalar(target.description)}")
            page.add(3, f"command: {scalar(target.command.value)}", target.command.comment)
            if target.folder:
                page.add(3, f"workdir: {scalar(target.folder)}")
            if target.env:
                page.add(3, f"env: {flow(target.env)}")
            if target.ports:
                comment = "; ".join(clue.comment for clue in target.ports.values() if clue.comment)
                page.add(3, f"ports: {flow({name: clue.value for name, clue in target.ports.items()})}", comment)
            if target.note:
                page.note(3, f"? {target.note}")


_SHOWN = ("rewritten", "kept", "unsupported", "needs-person", "files_edited", "files_left")


def _entry(one: NamedWeights, used: set[str]) -> tuple[str, dict[str, Any]]:
    """The line that takes one set of weights."""
    base = source_name(one.name.rpartition("/")[2])
    base = base if one.hub else re.sub(r"\.(pth\.tar|tar\.gz|\w+)$", "", base) or base
    name, number = base, 2
    while name in used:
        name, number = f"{base}-{number}", number + 1
    used.add(name)
    if one.hub:
        value: dict[str, Any] = {one.hub: one.name}
        return name, value | ({"include": one.files[:4]} if one.files else {})
    return name, {"files": [{"path": one.name, "url": one.url}]}
