"""Precise mode: names, strings and places judged by what they mean, and every hit accounted for."""

from collections.abc import Mapping

from portside.migrate.precise.compiled import Rules, compile_rules
from portside.migrate.precise.file_kind import is_data, kind_of
from portside.migrate.precise.known import twins
from portside.migrate.precise.leftovers import KEPT
from portside.migrate.precise.placing import RULE as IMPORT_RULE
from portside.migrate.precise.python import SYNTAX_RULE, UNREADABLE_RULE, migrate_python
from portside.migrate.precise.signatures import NONE, Signatures, signatures
from portside.migrate.precise.text import by_name, migrate_text, python_extras
from portside.migrate.precise.words import WORD_RULES
from portside.migrate.report.hits import FileReport, RuleInfo

__all__ = ["Rules", "compile_rules", "convert", "rule_info", "signatures", "twins", "wants"]


NO_TWINS: Mapping[str, str] = {}


def wants(path: str, rules: Rules) -> bool:
    """Whether a file's bytes have to be looked at."""
    return not is_data(path) or by_name(path, rules)


def convert(
    path: str, data: bytes, rules: Rules, twin: Mapping[str, str] = NO_TWINS, signatures: Signatures = NONE
) -> tuple[bytes, FileReport | None]:
    """One file's migrated bytes and its report, if there is any hit. twin: see `known.twins`."""
    kind = kind_of(path, data)
    if kind != "python":
        return migrate_text(path, data, rules, kind, signatures)
    new, report = migrate_python(path, data, rules, twin.get(path, ""), signatures)
    extras = python_extras(path, data, rules) if rules.requirements else []
    if extras:
        report = report or FileReport(path, "unchanged")
        report.hits = sorted([*report.hits, *extras], key=lambda hit: (hit.line, hit.column))
    return new, report


def rule_info(rules: Rules) -> dict[str, RuleInfo]:
    """What reports say about the rules: the ruleset's, and those that hold for every ruleset."""
    info = {**KEPT, **WORD_RULES, **rules.info}
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
