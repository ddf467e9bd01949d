"""Precise mode: names, strings and places judged by what they mean, and every hit accounted for."""

from portside.migrate.precise.compiled import Rules, compile_rules
from portside.migrate.precise.leftovers import KEPT
from portside.migrate.precise.placing import RULE as IMPORT_RULE
from portside.migrate.precise.python import SYNTAX_RULE, UNREADABLE_RULE, migrate_python
from portside.migrate.precise.text import concerns, migrate_text, python_extras
from portside.migrate.report.hits import FileReport, RuleInfo

__all__ = ["Rules", "compile_rules", "convert", "rule_info", "wants"]


def wants(path: str, rules: Rules) -> bool:
    """Whether a file's bytes have to be looked at."""
    return path.endswith(".py") or concerns(rules, path)


def convert(path: str, data: bytes, rules: Rules) -> tuple[bytes, FileReport | None]:
    """One file's migrated bytes and its report, if there is any hit."""
    if not path.endswith(".py"):
        return migrate_text(path, data, rules)
    new, report = migrate_python(path, data, rules)
    extras = python_extras(path, data, rules) if rules.requirements else []
    if extras:
        report = report or FileReport(path, "unchanged")
        report.hits = sorted([*report.hits, *extras], key=lambda hit: (hit.line, hit.column))
    return new, report


def rule_info(rules: Rules) -> dict[str, RuleInfo]:
    """What reports say about the rules: the ruleset's, and those that hold for every ruleset."""
    info = {**KEPT, **rules.info}
    if rules.module is not None:
        why = "the device's functions and methods come with this module"
        info[IMPORT_RULE] = RuleInfo(f"import {rules.module}", why)
    info["notebook-text"] = RuleInfo("text of a notebook kept", "markdown and outputs have no effect")
    info[SYNTAX_RULE] = RuleInfo(
        "does not compile",
        "what the file means cannot be told, so it stayed as it was",
        "Make the file valid Python 3 (3.10 at most) with a patch step, or leave it out of the image.",
    )
    info[UNREADABLE_RULE] = RuleInfo(
        "not text",
        "its bytes do not fit the encoding that it declares (UTF-8 if none), so it stayed as it was",
        "Declare the encoding in the first line, or convert the file.",
    )
    return info
