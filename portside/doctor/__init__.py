"""The doctor: what a machine lacks for building and running a recipe, each with its remedy.

In: a recipe, its lock and this machine.
Out: findings: what is lacking, each with its remedy.
"""

from portside.doctor.describing import write_description
from portside.doctor.examine import examine, examine_described
from portside.doctor.findings import Finding, exit_code, to_json, to_lines

__all__ = ["Finding", "examine", "examine_described", "exit_code", "to_json", "to_lines", "write_description"]
