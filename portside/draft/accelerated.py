"""What a migration of the repository to the accelerator finds: counts, and what a recipe would have to accept."""

from dataclasses import dataclass, field
from pathlib import Path

from portside.common.tree import Tree
from portside.draft.checkout import LARGEST, Checkout
from portside.errors import PortsideError
from portside.migrate.migration import migrate
from portside.migrate.rulesets import load


@dataclass(frozen=True)
class Tried:
    """accept: by the name of a call, where it stands and why it is unsupported. left: files that nobody could judge."""

    ruleset: str
    suffix: str
    counts: dict[str, int] = field(default_factory=dict)
    accept: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def is_needed(self) -> bool:
        return bool(self.counts.get("rewritten") or self.accept)


def try_migration(checkout: Checkout, ruleset: str, root: Path | None) -> Tried:
    """Migrate the files that a person can have written, precisely; nothing is kept of the result."""
    rules = load(ruleset, root=root)
    tree = Tree(entry for entry in checkout.tree if entry.kind != "file" or entry.size <= LARGEST)
    try:
        report = migrate(tree, rules, "precise").report
    except PortsideError as error:
        return Tried(ruleset, rules.suffix, problem=error.problem)
    places: dict[str, list[str]] = {}
    why: dict[str, str] = {}
    for path, hit in report.unaccepted({}):
        places.setdefault(hit.name, []).append(f"{path}:{hit.line}" if hit.line else path)
        info = report.rules.get(hit.rule)
        why.setdefault(hit.name, (info.title if info is not None else "") or hit.note)
    accept = {
        name: f"{', '.join(rows[:2])}{f' and {len(rows) - 2} more' if len(rows) > 2 else ''}: {why[name]}"
        for name, rows in sorted(places.items())
    }
    left = [path for path, file in sorted(report.files.items()) if file.state == "left"]
    return Tried(ruleset, rules.suffix, report.counts(), accept, left)
