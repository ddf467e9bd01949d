"""What became of building many recipes, for people and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from portside.build.whole import BuildReport
from portside.cli.chosen import failures
from portside.cli.report.image import image_report
from portside.plan.model import Plan
from portside.store import Store


def many_report(plans: Sequence[Plan], report: BuildReport, store: Store, last: str) -> dict[str, Any]:
    """recipes: as `inspect --json` has each. parts: how many, and what became of them; made: their keys."""
    rows = [image_report(plan, store, last) for plan in plans if plan.recipe.name in report.built]
    return {
        "recipes": rows,
        "failed": failures(report.failed),
        "parts": report.counts(),
        "made": sorted(report.made),
        **report.times(),
    }


def many_lines(report: BuildReport) -> Iterator[str]:
    width = max(map(len, [*report.built, *report.failed]), default=0)
    for name, built in sorted(report.built.items()):
        fresh = sum(len(row.fresh) for row in built)
        pulled = sum(len(row.pulled) for row in built)
        states = [f"{count} {word}" for count, word in ((fresh, "built"), (pulled, "pulled")) if count]
        yield f"{name:{width}}  sha256:{built[-1].image.image_id}  {', '.join(states) or 'up to date'}"
    for name in sorted(report.failed):
        yield f"{name:{width}}  failed"
    counts = report.counts()
    told = [f"{counts['made']} built", f"{counts['pulled']} pulled"]
    if counts["taken"]:
        told.append(f"{counts['taken']} by another process here")
    if counts["built_twice"]:
        told.append(f"{counts['built_twice']} also by another machine, with the same result")
    yield (f"{counts['parts']} parts, of which {counts['uses']} would be made if nobody shared any: {', '.join(told)}")
    yield from _times(report)


def _times(report: BuildReport) -> Iterator[str]:
    times = report.times()
    path, waits = times["critical_path"], times["waits"]
    if path["steps"]:
        yield f"{times['seconds']:.1f} s; the critical path takes {path['seconds']:.1f} s: {_steps(path)}"
    if waits["steps"] != path["steps"]:
        yield f"what was waited for, builders and processors included: {waits['seconds']:.1f} s: {_steps(waits)}"


def _steps(chain: dict[str, Any]) -> str:
    return ", ".join(f"{step['work']} {step['seconds']:.1f}" for step in chain["steps"])
