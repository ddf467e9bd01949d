"""The doctor: what a machine lacks for building and running a recipe, each with its remedy.

In: a recipe, its lock and this machine.
Out: findings: what is lacking, each with its remedy.
"""

from portside.doctor.examine import examine
from portside.doctor.findings import Finding, exit_code, to_json, to_lines

__all__ = ["Finding", "examine", "exit_code", "to_json", "to_lines"]
