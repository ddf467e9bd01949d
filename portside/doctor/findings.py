"""What the doctor found, for people and as JSON."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from portside.common.called import called

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """subject: what was looked at (`engine`, `driver`). text: what was found. remedy: what a person can do."""

    status: Status
    subject: str
    text: str
    remedy: str | None = None


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if there is a problem, else 0: warnings are for people, not for CI."""
    return int(any(finding.status == "problem" for finding in findings))


def to_lines(findings: Sequence[Finding]) -> list[str]:
    """One line per finding, its remedy below it, and a last line that counts."""
    width = max((len(finding.subject) for finding in findings), default=0)
    out: list[str] = []
    for finding in findings:
        head, *rest = finding.text.splitlines()
        out.append(f"{finding.status:8} {finding.subject:{width}}  {head}")
        indent = " " * (11 + width)
        out += [indent + line for line in rest]
        if finding.remedy is not None:
            out += textwrap.wrap(
                finding.remedy, 110, initial_indent=f"{indent}-> ", subsequent_indent=f"{indent}   ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    counts = {status: sum(f.status == status for f in findings) for status in ("problem", "warning")}
    out.append(f"{counts['problem']} problem(s), {counts['warning']} warning(s)")
    return out


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """`{"healthy": bool, "findings": [{"status", "subject", "text", "remedy"}]}`."""
    rows = [
        {
            "status": f.status,
            "subject": f.subject,
            "text": called(f.text),
            "remedy": None if f.remedy is None else called(f.remedy),
        }
        for f in findings
    ]
    return {"healthy": exit_code(findings) == 0, "findings": rows}
