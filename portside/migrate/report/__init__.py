"""Reports of a migration: the model, and its forms."""

from portside.migrate.report.data import to_data, to_json
from portside.migrate.report.hits import Difference, FileReport, Hit, HitClass, PatchHit, Report, RuleInfo
from portside.migrate.report.html import to_html
from portside.migrate.report.lines import to_lines
from portside.migrate.report.markdown import to_markdown

__all__ = [
    "Difference",
    "FileReport",
    "Hit",
    "HitClass",
    "PatchHit",
    "Report",
    "RuleInfo",
    "to_data",
    "to_html",
    "to_json",
    "to_lines",
    "to_markdown",
]
