"""A migration's report in a few lines for a terminal."""

from pathlib import Path

from portside.migrate.report.hits import Report


def to_lines(report: Report, output: Path) -> list[str]:
    """The counts, what the accelerator does not support, and where the whole report is."""
    counts = report.counts()
    lines = [
        f"{counts['edits']} edits in {counts['files_edited']} of {counts['files']} files "
        f"({counts['python_files']} Python), {counts['kept']} kept, {counts['unsupported']} unsupported, "
        f"{counts['needs-person']} for a person"
    ]
    lines += [f"  unsupported: {path}:{hit.line}: {hit.name}" for path, hit in report.unaccepted({})]
    return [*lines, f"Written to {output}; open {output / 'report.html'} to review it"]
