"""A verdict for people and as JSON."""

from typing import Any

from portside.common.called import called
from portside.diff.report import attributes_line, change_as_json
from portside.diff.text import printable
from portside.verify.cause import ADVICE
from portside.verify.verdict import Evidence, PartVerdict, Verdict


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The object that `verify --json` prints; docs/reproducibility.md describes it."""
    kinds = _kinds(verdict)
    return {
        "recipe": verdict.recipe,
        "reproducible": verdict.reproducible,
        "image_ids": [_digest(image_id) for image_id in verdict.image_ids],
        "parts": [_part(part) for part in verdict.parts],
        "advice": {kind: called(ADVICE[kind]) for kind in ADVICE if kind in kinds},
        "varied": list(verdict.varied),
        "not_varied": verdict.not_varied,
    }


def _digest(digest: str | None) -> str | None:
    return None if digest is None else f"sha256:{digest}"


def _part(part: PartVerdict) -> dict[str, Any]:
    return {
        "layer": part.layer,
        "name": part.name,
        "kind": part.kind,
        "reproducible": part.reproducible,
        "diff_ids": [_digest(diff_id) for diff_id in part.diff_ids],
        "note": part.note,
        "findings": [_finding(finding) for finding in part.findings],
    }


def _finding(finding: Evidence) -> dict[str, Any]:
    return {
        "path": finding.path,
        "difference": None if finding.change is None else change_as_json(finding.change),
        "causes": [{"kind": cause.kind, "evidence": cause.evidence} for cause in finding.causes],
        "step": finding.step,
        "text": list(finding.text),
    }


def _kinds(verdict: Verdict) -> set[str]:
    return {cause.kind for part in verdict.parts for finding in part.findings for cause in finding.causes}


def as_lines(verdict: Verdict, limit: int) -> list[str]:
    """What a person reads. limit: findings shown of each part; 0 shows all."""
    width = max(len(f"{part.layer}/{part.name}") for part in verdict.parts)
    lines = []
    for part in verdict.parts:
        name, diff_id = f"{part.layer}/{part.name}".ljust(width), f"sha256:{part.diff_ids[0][:12]}"
        lines.append(f"{name}  {'same' if part.reproducible else 'DIFFERS':7}  {diff_id}")
        if part.note:
            lines.append(f"    ({part.note})")
        shown = part.findings if not limit else part.findings[:limit]
        for finding in shown:
            lines += _finding_lines(finding)
        if len(shown) < len(part.findings):
            lines.append(f"    … and {len(part.findings) - len(shown)} more; --limit 0 shows all")
    kinds = _kinds(verdict)
    if kinds:
        lines += ["", "What to do"]
        lines += [f"    {kind}: {advice}" for kind, advice in ADVICE.items() if kind in kinds]
    lines += ["", f"Varied: {', '.join(verdict.varied)}.", f"Not varied: {verdict.not_varied}.", ""]
    return [*lines, conclusion(verdict)]


def _finding_lines(finding: Evidence) -> list[str]:
    change = finding.change
    if change is None:
        what = "the same in both builds"
    elif change.change == "changed":
        what = attributes_line(change)
    else:
        what = f"only in the {'second' if change.change == 'added' else 'first'} build"
    lines = [f"    {printable(finding.path)}  ({what})"]
    lines += [f"        {cause.kind}: {cause.evidence}" for cause in finding.causes]
    return [*lines, f"        written by: {printable(finding.step)}"] if finding.step else lines


def conclusion(verdict: Verdict) -> str:
    """One sentence."""
    if verdict.reproducible:
        return f"{verdict.recipe} is reproducible: both builds gave sha256:{verdict.image_ids[0]}"
    bad = [f"{part.layer}/{part.name}" for part in verdict.parts if not part.reproducible]
    return f"{verdict.recipe} is not reproducible: {', '.join(bad)}"
