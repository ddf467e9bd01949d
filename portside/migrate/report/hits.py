"""What a migration (and the patches after it) did to a tree, place by place."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

SCHEMA_VERSION = 1
"""Of report.json: a field may be added without a new number, nothing is renamed, removed or given another meaning."""

HitClass = Literal["rewritten", "kept", "unsupported", "needs-person", "patched"]
CLASSES: tuple[HitClass, ...] = ("rewritten", "kept", "unsupported", "needs-person", "patched")

State = Literal["edited", "unchanged", "left"]
"""edited: the bytes differ; unchanged: there are hits, but none asked for an edit; left: the file could not be
judged (it does not compile, its bytes are not text) and stayed as it was."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that a rule or a patch step matched.

    rule: the rule's id, or the patch step's name. name: what was found, as a recipe would accept it
    (`torch.cuda.ipc_collect`). line, column: in the source, from 1, columns in characters; 0 means the whole
    line or file. new_line: the line in the result, 0 where there is none. before, after: the text of the
    place, equal where nothing changed. note: why, or what to do. guard: what stands around the place so that it may
    never be reached on the card (`if torch.cuda.is_available() (line 12)`, `try (line 3)`); an unsupported name there
    does not stop a build.
    """

    cls: HitClass
    rule: str
    line: int
    column: int
    name: str
    before: str
    after: str
    new_line: int = 0
    note: str = ""
    guard: str = ""


@dataclass(slots=True)
class FileReport:
    """The hits in one file, in the order of their places.

    reason: why it was left. summary: what there is to know of it as a whole. asked: functions whose parameters would
    say what a text in the file is; no part of reports.
    """

    path: str
    state: State
    hits: list[Hit] = field(default_factory=list)
    reason: str = ""
    summary: str = ""
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What the reports say about a rule: a title, why it exists, and what to do where it asks for a person."""

    title: str
    why: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A line where another converter gives other text. line: in the source. cls, rule: of the hit that accounts
    for it here. vendor, ours: the lines of either result, without white space around them; None where the line is as it
    was, empty where it is gone."""

    path: str
    line: int
    cls: HitClass
    rule: str
    vendor: str | None
    ours: str | None


@dataclass(slots=True)
class Report:
    """mode: precise, vendor or image; none where nothing is migrated, only patched. ruleset, suffix, digest: of the
    ruleset. files: those with hits, by path. total_files, python_files: of the whole migrated tree. comparison: see
    portside.migrate.other_converter."""

    mode: str
    strict: bool
    ruleset: str
    suffix: str
    digest: str
    total_files: int = 0
    python_files: int = 0
    files: dict[str, FileReport] = field(default_factory=dict)
    rules: dict[str, RuleInfo] = field(default_factory=dict)
    comparison: list[Difference] = field(default_factory=list)

    def hits(self) -> Iterator[tuple[str, Hit]]:
        """Every hit with its path, ordered by path and place."""
        for path in sorted(self.files):
            for hit in self.files[path].hits:
                yield path, hit

    def counts(self) -> dict[str, int]:
        """Hits per class (every class is there), `edits` (rewritten and patched), and files per state."""
        found = Counter(hit.cls for _, hit in self.hits())
        states = Counter(file.state for file in self.files.values())
        return {
            **{name: found[name] for name in CLASSES},
            "edits": found["rewritten"] + found["patched"],
            "files": self.total_files,
            "python_files": self.python_files,
            "files_edited": states["edited"],
            "files_left": states["left"],
        }

    def unaccepted(self, accepted: Mapping[str, str]) -> list[tuple[str, Hit]]:
        """The `unsupported` hits without a guard that `accepted` (name of a hit or id of a rule -> reason) does not
        cover.

        A build stops while there are any.
        """
        return [
            (path, hit)
            for path, hit in self.hits()
            if hit.cls == "unsupported" and not hit.guard and hit.name not in accepted and hit.rule not in accepted
        ]

    def accept(self, accepted: Mapping[str, str]) -> None:
        """Say at every `unsupported` hit that `accepted` covers for which reason it may stay."""
        for file in self.files.values():
            file.hits = [_accepted(hit, accepted) if hit.cls == "unsupported" else hit for hit in file.hits]

    def follow(self, line_now: Callable[[str, int], int]) -> None:
        """Correct every hit's line in the result. line_now: path, line as migrated -> line after all patches."""
        for path, file in self.files.items():
            file.hits = [replace(hit, new_line=line_now(path, hit.new_line)) for hit in file.hits]

    def add_patches(self, path: str, hits: Iterable["PatchHit"]) -> None:
        """Put what patch steps did to `path` beside the migration's hits."""
        file = self.files.setdefault(path, FileReport(path, "edited"))
        file.state = "edited"
        for hit in hits:
            shown = (hit.step, hit.before, hit.after, hit.new_line, hit.note)
            file.hits.append(Hit("patched", hit.step, hit.line, 0, *shown))
            self.rules.setdefault(hit.step, RuleInfo(f"patch step {hit.step}"))


@dataclass(frozen=True, slots=True)
class PatchHit:
    """One place that a patch step changed. line: from 1, in the file as the steps before left it (0: whole file).
    new_line: in the result; 0 for the whole file, and where a later step took it away. note: what the lines do not
    say: that a file was copied or deleted, how far a hunk was moved."""

    step: str
    line: int
    before: str
    after: str
    new_line: int = 0
    note: str = ""


def _accepted(hit: Hit, accepted: Mapping[str, str]) -> Hit:
    reason = accepted.get(hit.name) or accepted.get(hit.rule)
    return hit if reason is None else replace(hit, note="; ".join(filter(None, [hit.note, f"accepted: {reason}"])))
