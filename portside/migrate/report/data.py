"""report.json: the schema that docs/migration.md describes."""

import dataclasses
from typing import Any

from portside.common.canonical import canonical_json
from portside.migrate.report.hits import SCHEMA_VERSION, Hit, Report


def to_data(report: Report) -> dict[str, Any]:
    """The report as plain data, ordered by path and place; equal for equal trees, rulesets and patches."""
    return {
        "portside_migration_report": SCHEMA_VERSION,
        "mode": report.mode,
        "strict": report.strict,
        "ruleset": {"name": report.ruleset, "suffix": report.suffix, "digest": report.digest},
        "counts": report.counts(),
        "rules": {name: dataclasses.asdict(info) for name, info in sorted(report.rules.items())},
        "files": [
            {
                "path": file.path,
                "state": file.state,
                "reason": file.reason,
                "summary": file.summary,
                "hits": [_hit(hit) for hit in file.hits],
            }
            for _, file in sorted(report.files.items())
        ],
        "comparison": [dataclasses.asdict(item) for item in report.comparison],
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "class": hit.cls,
        "rule": hit.rule,
        "name": hit.name,
        "line": hit.line,
        "column": hit.column,
        "new_line": hit.new_line,
        "before": hit.before,
        "after": hit.after,
        "note": hit.note,
        **({"guard": hit.guard} if hit.guard else {}),
    }


def to_json(report: Report) -> bytes:
    """Canonical JSON: one line, sorted keys."""
    return canonical_json(to_data(report)) + b"\n"
